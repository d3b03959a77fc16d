"""The command, and the call in Python, that repeat a run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.config import AUTO_DOMAINS, REFINE_ROUNDS, STAGES, Config, Request
from napari_semst.config.listed_names import joined_names, listed_names
from napari_semst.config.run_options import (
    AFTER_SOURCE,
    OF_PATCHES,
    READ_BY,
    lacking_for,
    setting_flags,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS_FILE, RESULT_FILE = "again.toml", "again.h5ad"
_END = "END_OF_SETTINGS"
_ONLY_WITH_ANNOTATION = "with "
_METHOD, _NUMBER, _SOURCE = "model.method", "domains.n_domains", "semantics.source"
# Settings that are options of the command; a test compares them with it.
RUN_OPTIONS = (
    _NUMBER,
    _METHOD,
    "model.fusion",
    "model.morphology",
    "morphology.image",
    "morphology.encoder",
    "morphology.image_scale",
    "morphology.spot_diameter",
    "morphology.context",
    "image_guided.reference",
    "image_guided.discordance_fdr",
    _SOURCE,
    "semantics.model",
    "semantics.per",
    "semantics.keep_vectors",
    "semantics.control",
    "semantics.n_genes",
    "semantics.ranking",
    "semantics.leave_out_uninformative",
    "semantics.gene_text",
    "semantics.gene_weights",
    "semantics.pooling",
    "semantics.template",
    "semantics.tissue",
    "semantics.summaries",
    "prepare.section_key",
    "training.seed",
    "training.ensemble",
    "training.epochs",
    "domains.readout",
    "domains.refine",
    "domains.majority",
    "training.device",
    "training.max_memory",
    "model.weights",
    "prepare.counts_layer",
    "prepare.coordinates",
    "prepare.part",
    "prepare.positions",
    "prepare.features",
)
_REFERENCE = "image_guided.reference"
_FILES = ("morphology.image", "semantics.summaries", "model.weights")


@dataclass(frozen=True)
class RunAsked:
    """What was asked for, as far as it is no setting.

    Parameters
    ----------
    sources
        The inputs as they were given; several were joined.
    run
        Name of the run; empty for the usual one.
    spots
        Which spots were used: ``all``, or ``with COLUMN``.
    model
        The saved model that labelled the section; empty for none.
    adapted
        Whether it adapted to it.
    """

    sources: tuple[str, ...]
    run: str = ""
    spots: str = "all"
    model: str = ""
    adapted: bool = True

    @property
    def annotation(self) -> str:
        """The column without which spots were left out; empty where none were."""
        named = self.spots.startswith(_ONLY_WITH_ANNOTATION)
        return self.spots.removeprefix(_ONLY_WITH_ANNOTATION) if named else ""


def changed_settings(config: Config) -> dict[str, Any]:
    """Return the settings that differ from the recipe's, by ``stage.name``.

    The method stands among them where it is not that of the recipe, and what it
    brings with it does not.
    """
    from napari_semst.methods.resolve import resolve

    changed: dict[str, Any] = {}
    base = resolve(Request(config.preset))
    if base.model.method != config.model.method:
        changed[_METHOD] = config.model.method
        base = resolve(Request(config.preset, _by_stage(changed)))
    for stage in STAGES:
        have, usual = getattr(config, stage), getattr(base, stage)
        for field in fields(STAGES[stage]):
            value = getattr(have, field.name)
            if value != getattr(usual, field.name):
                changed[f"{stage}.{field.name}"] = value
    return changed


def shell_command(config: Config, asked: RunAsked) -> str:
    """Return the lines that repeat a run in a POSIX shell.

    Settings that are options are given as such. Others go into a file, which the
    lines write first.

    Parameters
    ----------
    config
        Its settings, complete.
    asked
        What else was asked for.
    """
    sources = [_as_path(source) for source in asked.sources]
    if asked.model:
        words = ["semst", "apply", _as_path(asked.model), *sources]
        words += _apply_words(config, asked)
        return shlex.join([*words, *_run_words(asked), "-o", RESULT_FILE])
    options, rest = option_words(config)
    words = ["semst", "run", *sources, *options]
    words += ["--together"] if len(sources) > 1 else []
    if asked.annotation:
        words += [*_option("--truth", asked.annotation), "--drop-unannotated"]
    words += ["--config", SETTINGS_FILE] if rest else []
    line = shlex.join([*words, *_run_words(asked), "-o", RESULT_FILE])
    if not rest:
        return line
    # Only what differs from the recipe, whose name the options give.
    text = Request("auto", _by_stage(rest)).to_toml().replace('preset = "auto"\n', "")
    return f"cat > {SETTINGS_FILE} <<'{_END}'\n{text.strip()}\n{_END}\n{line}"


def option_words(config: Config) -> tuple[list[str], dict[str, Any]]:
    """Return the options of ``semst run`` for some settings, and what has none.

    Parameters
    ----------
    config
        Its settings, complete.

    Returns
    -------
    words, rest
        Words of the command line; settings for a file.
    """
    changed = changed_settings(config)
    number = config.domains.n_domains
    changed.pop(_NUMBER, None)
    words = ["-k", "auto" if number == AUTO_DOMAINS else str(number)]
    if config.preset != Config().preset:
        words += ["--preset", config.preset]
    source, what = config.semantics.source, AFTER_SOURCE.get(config.semantics.source)
    named = f"semantics.{what}"
    if what and what != "model" and changed.get(named) and _is_plain(changed[named]):
        changed[_SOURCE] = f"{source}:{changed.pop(named)}"
    rest = {}
    for setting in (*RUN_OPTIONS, *(s for s in changed if s not in RUN_OPTIONS)):
        if setting in changed:
            given = _words_of(setting, changed[setting], config)
            words += given
            if not given:
                rest[setting] = changed[setting]
    return words, rest


def _words_of(setting: str, value: Any, config: Config) -> list[str]:
    """Return the words for a setting; none where it is to stand in a file."""
    if setting not in RUN_OPTIONS or not _is_read(setting, config):
        return []
    flags = setting_flags(setting)
    if setting == "domains.refine":
        on, off = flags[0].split("/")
        return {REFINE_ROUNDS: [on], 0: [off]}.get(value, [])
    if isinstance(value, bool):
        on, off = flags[0].split("/")
        # Of this one the option says the opposite of the setting.
        said = value != (setting == "semantics.leave_out_uninformative")
        return [on if said else off]
    if setting == _REFERENCE and _is_plain(value):
        names = listed_names(value)
        if joined_names(names) != value:
            return []
        return [word for one in names for word in _option(flags[0], one)]
    text = repr(value) if isinstance(value, float) else str(value)
    unlike = setting in _FILES and str(Path(text)) != text
    return [] if unlike or not _is_plain(text) else _option(flags[0], text)


def _is_read(setting: str, config: Config) -> bool:
    """Return whether a run reads a setting: the command refuses it otherwise."""
    from napari_semst.methods.spec import method_spec

    stage, _, name = setting.partition(".")
    wanted, encoder = config.morphology, config.morphology.encoder
    if stage == "semantics" and name in READ_BY:
        fits, lacking = lacking_for(name, config.semantics)
        return fits and not lacking
    if stage == "image_guided":
        return bool(method_spec(config.model.method).discordance)
    if stage == "morphology" and name in OF_PATCHES:
        if encoder == "none" or encoder.startswith("obsm:"):
            return False
        return name != "image_scale" or bool(wanted.image)
    return True


def _is_plain(text: str) -> bool:
    """Return whether a value may stand on a command line as it is."""
    return bool(text) and text.isprintable()


def _option(flag: str, value: str) -> list[str]:
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def _as_path(source: str) -> str:
    return f"./{source}" if source.startswith("-") else source


def _run_words(asked: RunAsked) -> list[str]:
    named = asked.run not in ("", keys.DEFAULT_RUN)
    return ["--run", asked.run] if named else []


def _apply_words(config: Config, asked: RunAsked) -> list[str]:
    """Return the options of ``semst apply``."""
    given = {
        "--counts-layer": config.prepare.counts_layer,
        "--coordinates": config.prepare.coordinates,
        "--device": config.training.device.replace("auto", ""),
    }
    words = [w for flag, value in given.items() if value for w in _option(flag, value)]
    return words if asked.adapted else [*words, "--no-adapt"]


def _by_stage(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    stages: dict[str, dict[str, Any]] = {}
    for setting, value in settings.items():
        stage, _, name = setting.partition(".")
        stages.setdefault(stage, {})[name] = value
    return stages


def python_call(config: Config, asked: RunAsked) -> str:
    """Return the lines that repeat a run in Python.

    Parameters
    ----------
    config, asked
        As for `shell_command`.
    """
    lines = ["import napari_semst", ""]
    source = list(asked.sources) if len(asked.sources) > 1 else asked.sources[0]
    given: dict[str, Any] = {"run": asked.run or keys.DEFAULT_RUN}
    if asked.model:
        given |= {
            "counts_layer": config.prepare.counts_layer,
            "coordinates": config.prepare.coordinates,
            "device": config.training.device,
            "adapt": asked.adapted,
        }
        shown = f"{asked.model!r}, {source!r}"
        return "\n".join([*lines, *_call("apply_model", shown, given)])
    shown = repr(source)
    if asked.annotation:
        wanted = config.prepare
        options = {n: getattr(wanted, n) or None for n in ("positions", "part")}
        options["features"] = wanted.features
        lines += _call("read", shown, options)[:-1]
        column = f"tissue.obs[{asked.annotation!r}]"
        lines.append(f"tissue = tissue[{column}.notna()].copy()")
        shown = "tissue"
    changed = changed_settings(config)
    number = changed.pop(_NUMBER, config.domains.n_domains)
    changed.pop("training.seed", None)
    given = {
        "n_domains": "auto" if number == AUTO_DOMAINS else number,
        "preset": config.preset,
        "seed": config.training.seed,
        "overrides": _by_stage(changed),
        **given,
    }
    return "\n".join([*lines, *_call("find_domains", shown, given)])


def _call(name: str, first: str, given: Mapping[str, Any]) -> list[str]:
    words = [first, *(f"{key}={_literal(value)}" for key, value in given.items())]
    return [
        f"tissue = napari_semst.{name}(",
        *(f"    {word}," for word in words),
        ")",
        f"napari_semst.write(tissue, {RESULT_FILE!r})",
    ]


def _literal(value: Any) -> str:
    """Return a value as Python writes it, numbers without end too."""
    if isinstance(value, dict):
        inner = (f"{key!r}: {_literal(one)}" for key, one in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f"float({str(value)!r})"
    return repr(value)
