"""A plan in a file: TOML, or JSON as a comparison writes it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_semst.bench.plan import BenchFile, BenchPlan
from napari_semst.config import number_of_domains
from napari_semst.config.run_options import AFTER_SOURCE
from napari_semst.core.json_text import parse_json
from napari_semst.errors import ConfigError, one_of

_MOST_BYTES = 1_000_000
_NUMBERS = ("seeds", "first_seed", "oracle")
_TABLES = ("settings", "method_settings")
# Settings that name a file, and whether they can name nothing else: a key of the
# section, a file beside it, a model elsewhere.
_FILES = {
    "model.weights": True,
    "semantics.table": True,
    "semantics.summaries": True,
    "morphology.image": True,
    "semantics.embedding": False,
    "semantics.model": False,
    "prepare.positions": False,
}


def read_plan(path: str | Path) -> BenchPlan:
    """Return the plan that a file holds; files in it are sought beside it.

    Raises
    ------
    ConfigError
        If it cannot be read, names something unknown, or holds a wrong value.
    """
    place = Path(path).expanduser()
    try:
        if place.exists() and not place.is_file():
            raise ConfigError(
                f"Expected a plan at {path}; found no ordinary file. Give the path of "
                "a .toml or .json."
            )
        if place.stat().st_size > _MOST_BYTES:
            raise ConfigError(
                f"Expected a plan of at most {_MOST_BYTES / 1e6:g} MB; {path} is "
                "larger. It is probably another file."
            )
        text = place.read_text(encoding="utf-8")
        as_json = place.suffix.lower() == ".json"
        found = parse_json(text) if as_json else tomllib.loads(text)
    # Beyond their own errors: numbers of too many digits, tables nested too deeply.
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"Expected a plan in TOML or JSON at {path}; {error}. Compare with the "
            "page on comparisons."
        ) from error
    if not isinstance(found, Mapping):
        raise ConfigError(f"Expected a plan at {path} to be a table; got a list.")
    return plan_of(found, place.absolute().parent)


def plan_of(values: Mapping[str, Any], beside: Path) -> BenchPlan:
    """Return the plan that plain values describe.

    Parameters
    ----------
    values
        By the names of `BenchPlan`; lists are tuples there.
    beside
        Folder from which paths are told, also those in settings.

    Raises
    ------
    ConfigError
        If something is unknown, missing or of a wrong type.
    """
    known = {one.name for one in dataclasses.fields(BenchPlan)}
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(one_of("entry of a plan", name, sorted(known)))
        if name == "files":
            given[name] = tuple(_file(one, beside) for one in _listed(name, value))
        elif name in _NUMBERS:
            given[name] = _whole(name, value)
        elif name in _TABLES:
            given[name] = _table(name, value)
        else:
            given[name] = tuple(str(one) for one in _listed(name, value))
    if "settings" in given:
        given["settings"] = _settings_beside(given["settings"], beside)
    if "method_settings" in given:
        given["method_settings"] = {
            method: _settings_beside(_table(method, settings), beside)
            for method, settings in given["method_settings"].items()
        }
    if "semantics" in given:
        given["semantics"] = tuple(_source(one, beside) for one in given["semantics"])
    if "files" not in given:
        raise ConfigError("Expected files in a plan; got none. Add a [[files]] table.")
    return BenchPlan(**given)


def _file(value: Any, beside: Path) -> BenchFile:
    known = {one.name for one in dataclasses.fields(BenchFile)}
    table = dict(_table("files", value))
    for name in table:
        if name not in known:
            raise ConfigError(one_of("entry of a file", name, sorted(known)))
    for name in ("path", "labels"):
        if not isinstance(table.get(name), str) or not table[name]:
            raise ConfigError(
                f"Expected {name!r} in every table of files; got {table.get(name)!r}."
            )
    number = table.pop("n_domains", 0)
    if number not in (0, -1):
        number = number_of_domains(number)
    path = Path(table.pop("path")).expanduser()
    settings = _table("settings", table.pop("settings", {}))
    texts = {name: str(text) for name, text in table.items()}
    return BenchFile(
        str(path if path.is_absolute() else beside / path),
        n_domains=number,
        settings=_settings_beside(settings, beside),
        **texts,
    )


def _settings_beside(settings: Mapping[str, Any], beside: Path) -> dict[str, Any]:
    """Return settings whose files are named from anywhere.

    Parameters
    ----------
    beside
        Folder from which they are told.
    """
    found = {
        stage: dict(values) if isinstance(values, Mapping) else values
        for stage, values in settings.items()
    }
    for setting, certain in _FILES.items():
        stage, _, name = setting.partition(".")
        values = found.get(stage)
        if isinstance(values, dict) and isinstance(values.get(name), str):
            values[name] = _told_from(values[name], beside, certain=certain)
    return found


def _source(text: str, beside: Path) -> str:
    """Return a source of semantics whose file is named from anywhere."""
    source, colon, what = text.partition(":")
    setting = f"semantics.{AFTER_SOURCE.get(source, '')}"
    if not colon or setting not in _FILES:
        return text
    return f"{source}:{_told_from(what, beside, certain=_FILES[setting])}"


def _told_from(text: str, beside: Path, *, certain: bool) -> str:
    path = Path(text).expanduser()
    if not text or path.is_absolute():
        return text
    there = beside / path
    return str(there) if certain or there.exists() else text


def _listed(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"Expected {name} of a plan to be a list; got {value!r}.")
    return value


def _table(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"Expected {name} of a plan to be a table; got {value!r}.")
    return value


def _whole(name: str, value: Any) -> int:
    if type(value) is not int:
        raise ConfigError(
            f"Expected {name} of a plan to be a whole number; got {value!r}."
        )
    return value
