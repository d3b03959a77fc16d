"""What is compared: files with their labels, methods, fusions, seeds, readouts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_semst.bench.paper import DATASETS, FIGURES, HOSTS, SEMST, TABLES
from napari_semst.config.method_registry import METHODS
from napari_semst.config.request import check_overrides
from napari_semst.config.semantics_settings import SemanticsConfig
from napari_semst.config.settings import AUTO_DOMAINS, ModelConfig
from napari_semst.errors import ConfigError, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_semst.config.settings import Overrides

# A method's own readout, as its recipe has it.
OWN = "own"
# What follows a readout's name where borders are settled afterwards.
SETTLED = "+settled"
_READOUTS = ("consensus", "gmm", "gmm-full", "kmeans", "leiden")
_MOST_SEEDS = 1000


def _choices(settings: type, name: str) -> tuple[str, ...]:
    fields = {one.name: one for one in dataclasses.fields(settings)}
    found: tuple[str, ...] = fields[name].metadata["choices"]
    return found


@dataclass(frozen=True)
class BenchFile:
    """An annotated section.

    Parameters
    ----------
    path
        What `napari_semst.read` reads.
    labels
        obs column of the annotation; spots without one are clustered, not scored.
    name
        What it is called; the path's stem where empty.
    n_domains
        Number of domains; 0: that of the annotation, -1: chosen from a curve.
    published
        Data set of the paper whose figures are shown beside; empty for none.
    preset
        Recipe of SemST's own runs.
    settings
        Settings of all methods on this file, by stage.
    """

    path: str
    labels: str
    name: str = ""
    n_domains: int = 0
    published: str = ""
    preset: str = "auto"
    settings: Overrides = field(default_factory=dict)


@dataclass(frozen=True)
class BenchPlan:
    """What is compared.

    Parameters
    ----------
    files
        Annotated sections.
    tables, figures
        Of the paper: what they need is done.
    methods, fusions, controls
        Those of the tables that are done, and no others.
    semantics
        Sources of gene semantics as ``--semantics`` takes them; the first is the one
        of the tables, the others stand beside it.
    readouts
        ``own`` or a readout's name; ``name+settled`` settles borders after it.
    seeds
        How many: ``first_seed``, ``first_seed + 1``, ...
    first_seed
        The first of them, for a comparison that is done by parts elsewhere.
    oracle
        Every how many epochs the annotation may choose among, for the column
        ``oracle``; 0: it does not.
    settings
        Settings of all methods, by stage.
    method_settings
        Those of a method, by its name.
    """

    files: tuple[BenchFile, ...]
    tables: tuple[str, ...] = TABLES
    figures: tuple[str, ...] = ("6", "7")
    methods: tuple[str, ...] = (SEMST, "quick", "image-guided", *HOSTS)
    fusions: tuple[str, ...] = _choices(ModelConfig, "fusion")
    controls: tuple[str, ...] = _choices(SemanticsConfig, "control")
    semantics: tuple[str, ...] = ("builtin",)
    readouts: tuple[str, ...] = ("kmeans", "consensus")
    seeds: int = 5
    first_seed: int = 0
    oracle: int = 0
    settings: Overrides = field(default_factory=dict)
    method_settings: dict[str, Overrides] = field(default_factory=dict)

    def __post_init__(self) -> None:
        readouts = (OWN, *_READOUTS, *(f"{name}{SETTLED}" for name in _READOUTS))
        for name, accepted in {
            "tables": TABLES,
            "figures": FIGURES,
            "methods": tuple(METHODS),
            "fusions": _choices(ModelConfig, "fusion"),
            "controls": _choices(SemanticsConfig, "control"),
            "readouts": readouts,
            "method_settings": tuple(METHODS),
        }.items():
            _check_names(name, getattr(self, name), accepted)
        for name in ("files", "methods", "readouts", "semantics"):
            if not getattr(self, name):
                raise ConfigError(f"Expected at least one of {name}; got none.")
        if not self.tables and not self.figures:
            raise ConfigError(
                "Expected a table or a figure to be made; got none. Choose of tables "
                f"{', '.join(TABLES)} and figures {', '.join(FIGURES)}."
            )
        self._check_numbers()
        for settings in (self.settings, *self.method_settings.values()):
            _check_settings(settings)
        for one in self.files:
            _check_settings(one.settings)

    def _check_numbers(self) -> None:
        if not 1 <= self.seeds <= _MOST_SEEDS:
            raise ConfigError(
                f"Expected 1 to {_MOST_SEEDS} seeds; got {self.seeds}. Five tell the "
                "spread of most methods."
            )
        if not 0 <= self.first_seed < _MOST_SEEDS:
            raise ConfigError(
                f"Expected the first seed to be 0 to {_MOST_SEEDS - 1}; got "
                f"{self.first_seed}."
            )
        if self.oracle < 0:
            raise ConfigError(
                f"Expected oracle to be 0, or every how many epochs; got {self.oracle}."
            )
        for one in self.files:
            _check_names("published", [one.published], ("", *DATASETS))
            if one.n_domains < AUTO_DOMAINS:
                raise ConfigError(
                    f"Expected the number of domains of {one.path} to be 1 or more, 0 "
                    f"(that of the annotation) or -1 (chosen); got {one.n_domains}."
                )

    @property
    def every_seed(self) -> range:
        """Seeds in their order."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def settings_of(self, file: BenchFile, method: str = "") -> Overrides:
        """Return the settings of a file: its own over the plan's, a method's on top."""
        return _merged(
            self.settings, file.settings, self.method_settings.get(method, {})
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, fit for JSON and TOML."""
        return dataclasses.asdict(self)


def _merged(*several: Overrides) -> dict[str, dict[str, Any]]:
    """Return settings put over each other, the last one on top."""
    merged: dict[str, dict[str, Any]] = {}
    for overrides in several:
        for stage, values in overrides.items():
            merged.setdefault(stage, {}).update(values)
    return merged


def _check_names(name: str, given: Iterable[str], accepted: tuple[str, ...]) -> None:
    for value in given:
        if value not in accepted:
            raise ConfigError(one_of(name, value, accepted))


# What the plan itself decides of every cell.
_TAKEN = {
    "domains": ("n_domains", "readout"),
    "model": ("method", "fusion"),
    "semantics": ("source", "control"),
    "training": ("seed",),
}


def _check_settings(settings: Overrides) -> None:
    for stage, values in check_overrides(settings).items():
        for name in values:
            if name in _TAKEN.get(stage, ()):
                raise ConfigError(
                    f"Expected settings that are the same in all cells; got "
                    f"{stage}.{name}, which differs between them. Say it by methods, "
                    "fusions, controls, semantics, readouts or seeds of the plan."
                )
