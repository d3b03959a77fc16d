"""What a run read of its tissue against what a file holds now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.errors import Cancelled, SemstError
from napari_semst.pipeline.content import content_hashes
from napari_semst.pipeline.provenance import python_values, spots_hash
from napari_semst.verification.check import (
    DIFFERS,
    HOLDS,
    NOTE,
    UNKNOWN,
    Check,
    number_in_words,
)
from napari_semst.wording import message

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.verification.saved import SavedRun

_NAME = "counts"
_CALLED = {
    "counts": "counts",
    "genes": "genes",
    "coordinates": "coordinates",
    "sections": "sections",
    "own_counts": "counts of each section's own genes",
    "embedding": "the embedding",
    "image_features": "features of the image",
    "images": "images",
}


@dataclass(frozen=True, slots=True)
class OwnContents:
    """Whether a result still holds what its run read.

    Parameters
    ----------
    check
        What is said of it.
    holds
        Whether the run could be made again of the result itself.
    """

    check: Check
    holds: bool


def own_contents(
    saved: SavedRun, control: RunControl
) -> Generator[Progress, None, OwnContents]:
    """Compare counts, genes and coordinates in a result with those the run read."""
    if not saved.content:
        text = "cannot be told: the run recorded no hash of what it read"
        return OwnContents(Check(_NAME, UNKNOWN, text), False)
    if not saved.tissue.n_vars:
        text = "none in this table of results; those of the input are what counts"
        return OwnContents(Check(_NAME, NOTE, text), False)
    try:
        other = yield from other_contents(saved, saved.tissue, control)
    except Cancelled:
        raise
    except SemstError as error:
        text = f"what the run read is no longer here: {message(error)}"
        return OwnContents(Check(_NAME, DIFFERS, text), False)
    if other:
        text = f"not those that the run read: {other}"
        return OwnContents(Check(_NAME, DIFFERS, text), False)
    text = f"{contents_in_words(saved)} in it are those that the run read"
    return OwnContents(Check(_NAME, HOLDS, text), True)


def other_contents(
    saved: SavedRun, tissue: AnnData, control: RunControl
) -> Generator[Progress, None, str]:
    """Return how what a tissue holds differs from what the run read; empty if not.

    Raises
    ------
    SemstError
        If the settings, or what they name, cannot be read.
    """
    from napari_semst.errors import ConfigError
    from napari_semst.pipeline.result import storable

    if saved.config is None:
        raise ConfigError("Expected the settings of the run; they cannot be read.")
    found = yield from content_hashes(tissue, saved.config, control, "read")
    now: dict[str, Any] = python_values(storable(found))
    then = saved.content
    told = [
        f"{now[name]:,} {what} in place of {number_in_words(then.get(name))}"
        for name, what in (("n_spots", "spots"), ("n_genes", "genes"))
        if now[name] != then.get(name)
    ]
    if not told and spots_hash(tissue.obs_names) != saved.record.get("spots_hash"):
        told.append("other names of spots, or another order")
    if not told:
        told = [
            f"other {what.removeprefix('the ')}"
            for name, what in _CALLED.items()
            if now.get(name, "") != then.get(name, "")
        ]
    return ", ".join(told)


def contents_in_words(saved: SavedRun) -> str:
    """Return what the run read of its tissue: ``counts, genes and coordinates``."""
    *some, last = [what for name, what in _CALLED.items() if saved.content.get(name)]
    return f"{', '.join(some)} and {last}"
