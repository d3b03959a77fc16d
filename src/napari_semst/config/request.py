"""What a user asked for, and the complete settings that it comes to."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_semst.config.aliases import renamed, settings_of_json
from napari_semst.config.semantics_settings import SemanticsConfig
from napari_semst.config.settings import (
    AUTO_DOMAINS,
    STAGES,
    DomainsConfig,
    ImageGuidedConfig,
    ModelConfig,
    MorphologyConfig,
    Overrides,
    PrepareConfig,
    TrainingConfig,
)
from napari_semst.errors import ConfigError, one_of
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from pathlib import Path


# Settings of text for which a number stands for its digits: a bin size, a region.
_DIGITS = ("prepare.part",)


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of one run, complete."""

    preset: str = "default"
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    semantics: SemanticsConfig = field(default_factory=SemanticsConfig)
    morphology: MorphologyConfig = field(default_factory=MorphologyConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    image_guided: ImageGuidedConfig = field(default_factory=ImageGuidedConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    domains: DomainsConfig = field(default_factory=DomainsConfig)

    def with_overrides(self, overrides: Overrides) -> Config:
        """Return a copy with the given settings changed.

        Raises
        ------
        ConfigError
            If a stage, setting or value is not accepted.
        """
        checked = check_overrides(overrides)
        stages = {
            stage: dataclasses.replace(getattr(self, stage), **values)
            for stage, values in checked.items()
        }
        return dataclasses.replace(self, **stages)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values, fit for JSON, TOML and h5ad."""
        return dataclasses.asdict(self)


_MOST_BYTES = 1_000_000
_MOST_WHOLE = 2**63 - 1


@dataclass(frozen=True)
class Request:
    """What a user asked for: a preset and the settings that differ from it."""

    preset: str = "auto"
    overrides: Overrides = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "overrides", check_overrides(self.overrides))

    def with_settings(self, stage: str, **settings: Any) -> Request:
        """Return a copy with the given settings of one stage, `None` ones left out."""
        given = {name: value for name, value in settings.items() if value is not None}
        merged = {name: dict(values) for name, values in self.overrides.items()}
        merged.setdefault(stage, {}).update(given)
        return dataclasses.replace(self, overrides=merged)

    def to_toml(self) -> str:
        """Return the request as TOML text."""
        import tomli_w

        tables = {stage: dict(values) for stage, values in self.overrides.items()}
        return tomli_w.dumps({"preset": self.preset, **tables})

    @classmethod
    def from_toml(cls, text: str) -> Request:
        """Return the request that a TOML text holds; unknown keys are refused.

        Raises
        ------
        ConfigError
            If the text is no TOML or names something unknown.
        """
        try:
            tables = tomllib.loads(text)
        # Beyond its own error: numbers of too many digits, tables nested too deeply.
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"Expected a settings file in TOML; it breaks off: {error}."
            ) from error
        preset = tables.pop("preset", "auto")
        if not isinstance(preset, str):
            raise ConfigError(f"Expected preset to be a text; got {preset!r}.")
        return cls(preset=preset, overrides=renamed(tables))

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Return the request that a JSON file of the image-guided method holds.

        Its tables are those of the method's source: model, training and data.

        Raises
        ------
        ConfigError
            If it is no such JSON, or names something unknown.
        """
        return cls(overrides=settings_of_json(text))

    @classmethod
    def from_file(cls, path: str | Path) -> Request:
        """Return the request that a TOML file holds, or one that ends in .json."""
        from pathlib import Path

        place = Path(path)
        try:
            # Of a pipe behind a link, one would wait for ever.
            if place.exists() and not place.is_file():
                raise ConfigError(
                    f"Expected a settings file at {path}; found no ordinary file. Give "
                    "the path of a .toml."
                )
            if place.stat().st_size > _MOST_BYTES:
                raise ConfigError(
                    f"Expected a settings file of at most {_MOST_BYTES / 1e6:g} MB; "
                    f"{path} is larger. It is probably another file."
                )
            text = place.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"Expected a readable settings file at {path}; {error}."
            ) from error
        if str(path).lower().endswith(".json"):
            return cls.from_json(text)
        return cls.from_toml(text)


def number_of_domains(wanted: int | str) -> int:
    """Return a number of domains as settings hold it: itself, or -1 for ``auto``.

    Raises
    ------
    ConfigError
        If it is neither a number of 1 or more nor ``auto``.
    """
    if wanted == "auto":
        return AUTO_DOMAINS
    try:
        number = int(wanted)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or (isinstance(wanted, float) and wanted != number):
        raise ConfigError(
            Worded(
                "Expected the number of domains (k) to be 1 or more, or 'auto'; got "
                f"{wanted!r}. ",
                Way(
                    "Give -k 7 or -k auto.",
                    "Give n_domains=7 or n_domains='auto'.",
                    "Set Domains, or tick Automatic.",
                ),
            )
        )
    return number


def check_overrides(overrides: Overrides) -> dict[str, dict[str, Any]]:
    """Return overrides, names and values checked and cast, or raise `ConfigError`."""
    checked: dict[str, dict[str, Any]] = {}
    for stage, values in overrides.items():
        if stage not in STAGES:
            raise ConfigError(one_of("settings table", stage, STAGES))
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"Expected [{stage}] to be a table of settings; got {values!r}."
            )
        fields = {f.name: f for f in dataclasses.fields(STAGES[stage])}
        for name in values:
            if name not in fields:
                raise ConfigError(one_of(f"setting of [{stage}]", name, fields))
        checked[stage] = {n: _check(stage, fields[n], v) for n, v in values.items()}
    return checked


def _check(stage: str, setting: dataclasses.Field[Any], value: Any) -> Any:
    """Return one value cast to its setting's type, or say why it is not accepted."""
    name, kind = f"{stage}.{setting.name}", type(setting.default)
    if isinstance(value, int) and not -_MOST_WHOLE <= value <= _MOST_WHOLE:
        raise ConfigError(
            f"Expected {name} to be a number that computers count with; got a whole "
            "one of more than 18 digits. Give a smaller one."
        )
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if name in _DIGITS and type(value) is int:
        value = str(value)
    if type(value) is not kind:
        raise ConfigError(
            f"Expected {name} to be of type {kind.__name__}; got {value!r}."
        )
    choices, low = setting.metadata["choices"], setting.metadata["low"]
    if choices and value not in choices:
        raise ConfigError(one_of(name, value, choices))
    # Written so that NaN is refused too.
    if low is not None and not value >= low:
        raise ConfigError(f"Expected {name} to be at least {low}; got {value!r}.")
    high = setting.metadata["high"]
    if high is not None and not value <= high:
        raise ConfigError(f"Expected {name} to be at most {high}; got {value!r}.")
    return value
