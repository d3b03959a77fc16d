"""One cell of a comparison: a file, a variant of a method, a seed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_semst.bench.layout import parts_of, variants_of
from napari_semst.bench.paper import NONE, SEMST, Variant
from napari_semst.bench.plan import OWN, SETTLED
from napari_semst.config import Request
from napari_semst.config.run_options import AFTER_SOURCE
from napari_semst.config.settings import AUTO_DOMAINS, REFINE_ROUNDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.bench.inputs import FileFacts, NamedDigests
    from napari_semst.bench.plan import BenchFile, BenchPlan
    from napari_semst.config import Config, DomainsConfig

_KEY_DIGITS = 24


@dataclass(frozen=True)
class BenchCell:
    """One cell, as plain values that can travel to another process or machine.

    Parameters
    ----------
    file, source, sha256
        Name, absolute path and content of the section.
    named
        SHA-256 of the files that settings name; empty for none.
    labels
        obs column of the annotation.
    variant
        Method, fusion, source of semantics, control, k_g.
    seed
        Of everything random.
    request
        Preset and settings as TOML; the number of domains is among them.
    readouts
        As in `BenchPlan`.
    oracle
        Likewise.
    planar
        Whether the semantic vectors are laid out on a plane (figure 3).
    version
        The napari-semst that must do it.
    """

    file: str
    source: str
    sha256: str
    named: str
    labels: str
    variant: Variant
    seed: int
    request: str
    readouts: tuple[str, ...]
    oracle: int
    planar: bool
    version: str

    @cached_property
    def config(self) -> Config:
        """All settings."""
        from napari_semst.methods.resolve import resolve

        return resolve(Request.from_toml(self.request))

    @cached_property
    def key(self) -> str:
        """What tells it apart: content, labels, version and every setting.

        Variants that come to the same settings have the same key; so have cells that
        differ in what is read off them.
        """
        settings = self.config.to_dict()
        told = [self.sha256, self.named, self.labels, self.version, settings]
        return _digest(told)[:_KEY_DIGITS]

    @property
    def settings_hash(self) -> str:
        """Of all settings but the seed: the same for all seeds of a variant."""
        settings = self.config.to_dict()
        settings["training"].pop("seed")
        return _digest(settings)[:12]

    def __str__(self) -> str:
        method, fusion, semantics, control, n_genes = self.variant
        words = [self.file, method]
        if fusion != NONE:
            words += [fusion, semantics]
        words += [control] if control != NONE else []
        words += [f"k_g {n_genes}"] if n_genes else []
        return f"{' '.join(words)}, seed {self.seed}"

    def to_json(self) -> str:
        """Return the cell as text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> BenchCell:
        """Return the cell that a text of `to_json` holds."""
        found = json.loads(text)
        found["variant"] = Variant(*found["variant"])
        return cls(**{**found, "readouts": tuple(found["readouts"])})


def _digest(values: Any) -> str:
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class LeftOut:
    """A variant that a file does not allow, and why."""

    file: str
    method: str
    why: str


@dataclass(frozen=True)
class BenchCells:
    """The cells of a plan.

    Parameters
    ----------
    cells
        Each once, the first seed of everything first.
    keys
        Key of the cell of each file, variant and seed: variants that come to the same
        settings share one.
    left_out
        What is not done.
    """

    cells: tuple[BenchCell, ...]
    keys: Mapping[tuple[str, Variant, int], str]
    left_out: tuple[LeftOut, ...]


def plan_cells(
    plan: BenchPlan, facts: Mapping[str, FileFacts], named: NamedDigests
) -> BenchCells:
    """Return the cells of a plan.

    Parameters
    ----------
    facts
        Of every file, by its path as the plan has it.
    named
        Tells the files apart that settings name.

    Raises
    ------
    ConfigError
        If settings do not go together.
    """
    wanted, planar = _variants(plan)
    left_out: dict[LeftOut, None] = {}
    cells: dict[str, BenchCell] = {}
    keys: dict[tuple[str, Variant, int], str] = {}
    for seed in plan.every_seed:
        for file in plan.files:
            known = facts[file.path]
            for variant in wanted:
                cell = _cell(plan, file, known, variant, seed, named)
                why = _why_not(cell, known)
                if why:
                    left_out[LeftOut(known.name, variant.method, why)] = None
                    continue
                if seed == plan.first_seed and variant in planar:
                    cell = dataclasses.replace(cell, planar=True)
                cells.setdefault(cell.key, cell)
                keys[known.name, variant, seed] = cell.key
    return BenchCells(tuple(cells.values()), keys, tuple(left_out))


def _variants(plan: BenchPlan) -> tuple[list[Variant], set[Variant]]:
    """Return each variant once, in their order, and those laid out on a plane."""
    wanted: dict[Variant, None] = {}
    planar: set[Variant] = set()
    for part in parts_of(plan):
        variants = variants_of(part, plan)
        wanted.update(dict.fromkeys(variants))
        if part == "figure 3":
            planar.update(variants)
    return list(wanted), planar


def _why_not(cell: BenchCell, known: FileFacts) -> str:
    """Return why a file does not allow a cell; empty where it does."""
    encoder = cell.config.morphology.encoder
    if encoder == "none" or encoder.startswith("obsm:") or known.image:
        return ""
    return "the file has no image"


def _cell(
    plan: BenchPlan,
    file: BenchFile,
    known: FileFacts,
    variant: Variant,
    seed: int,
    named: NamedDigests,
) -> BenchCell:
    from napari_semst.cohort.plan import settled_request
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.provenance import versions

    request = settled_request(request_of(plan, file, variant, seed, known.n_classes))
    return BenchCell(
        known.name,
        known.source,
        known.sha256,
        named.of(resolve(request), known.source),
        file.labels,
        variant,
        seed,
        request.to_toml(),
        plan.readouts,
        plan.oracle,
        False,
        versions()["napari-semst"],
    )


def request_of(
    plan: BenchPlan, file: BenchFile, variant: Variant, seed: int, n_classes: int
) -> Request:
    """Return what is asked for in a cell; of the annotation it knows a number at most.

    Parameters
    ----------
    n_classes
        Domains that the annotation tells, which is k unless the plan says otherwise.
    """
    preset = file.preset if variant.method == SEMST else "auto"
    request = Request(preset, plan.settings_of(file, variant.method))
    request = (
        request.with_settings("model", method=variant.method)
        .with_settings("domains", n_domains=file.n_domains or n_classes)
        .with_settings("training", seed=seed)
    )
    if variant.fusion == NONE:
        return request.with_settings("semantics", source=NONE)
    source, _, what = variant.semantics.partition(":")
    named = {AFTER_SOURCE.get(source, "embedding"): what} if what else {}
    asked = request.with_settings("model", fusion=variant.fusion).with_settings(
        "semantics", source=source, control=variant.control, **named
    )
    if variant.n_genes:
        asked = asked.with_settings("semantics", n_genes=variant.n_genes)
    return asked


def readout_settings(config: Config, readout: str, k: int) -> DomainsConfig:
    """Return the settings by which domains are read.

    Parameters
    ----------
    readout
        As in `BenchPlan`: all but a method's own are the same for every method.
    k
        Number of domains.
    """
    changed: dict[str, Any] = {"n_domains": k}
    if readout != OWN:
        name = readout.removesuffix(SETTLED)
        rounds = REFINE_ROUNDS if readout.endswith(SETTLED) else 0
        changed |= {"readout": name, "refine": rounds, "majority": 0}
    return dataclasses.replace(config.domains, **changed)


def asks_for_number(config: Config) -> bool:
    """Return whether the number of domains is to be chosen from a curve."""
    return config.domains.n_domains == AUTO_DOMAINS
