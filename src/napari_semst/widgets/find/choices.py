"""What settings accept, as the configuration has it."""

from __future__ import annotations

from dataclasses import fields

from napari_semst.config import STAGES


def choices(stage: str, setting: str) -> tuple[str, ...]:
    """Return the values that a setting accepts."""
    found = {one.name: one.metadata for one in fields(STAGES[stage])}
    return tuple(found[setting]["choices"])
