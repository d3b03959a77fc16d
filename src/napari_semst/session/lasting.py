"""Settings of a run as they hold elsewhere: in another folder, and read by others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILES = (
    ("prepare", "positions"),
    ("semantics", "embedding"),
    ("semantics", "table"),
    ("semantics", "summaries"),
    ("semantics", "model"),
    ("model", "weights"),
    ("morphology", "image"),
    ("morphology", "encoder"),
)
# What may stand before the folder of a model.
_KINDS = ("hf", "timm")


def lasting_overrides(
    overrides: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return settings for the record of a session.

    Paths that are told from this folder on are told whole. The address of a server is
    left out where no server is asked: nobody looked whether it holds a password.

    Parameters
    ----------
    overrides
        By stage, as a `Request` holds them.
    """
    kept = {stage: dict(values) for stage, values in overrides.items()}
    for stage, name in _FILES:
        value = kept.get(stage, {}).get(name)
        if value:
            kept[stage][name] = _whole(str(value))
    semantics = kept.get("semantics", {})
    if semantics.get("source") != "server":
        semantics.pop("url", None)
    return kept


def _whole(value: str) -> str:
    kind, colon, rest = value.partition(":")
    before, path = (kind + colon, rest) if kind in _KINDS and colon else ("", value)
    place = Path(path).expanduser()
    # What is no file here is a model's name, a key, or stands beside the section.
    return f"{before}{place.absolute()}" if place.exists() else value
