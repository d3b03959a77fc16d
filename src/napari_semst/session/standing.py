"""How a section stands, in a few values that change with what is done to it."""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore.annotate import edited_columns
from napari_semst.explore.recovery import BORDER_DISTANCE, PROBABILITY
from napari_semst.io.manual_alignment import adjustment_of
from napari_semst.io.places.landmarks import landmarks_of

if TYPE_CHECKING:
    from anndata import AnnData

# Of the names of spots so many are looked at, evenly spaced.
_NAMES = 1000
_LABELS = ("edited", "columns")
TOUCHED = {
    "add_image": ("aligned",),
    "align": ("aligned",),
    "border_distance": ("columns",),
    "edit": _LABELS,
    "explain": ("runs", "columns"),
    "figure": (),
    "keep_refined": ("columns",),
    "labels_from_file": _LABELS,
    "level": ("columns",),
    "named": _LABELS,
    "recolour": ("edited",),
    "redo": _LABELS,
    "refine": _LABELS,
    "regions": (),
    "register": ("aligned",),
    "remove_image": ("aligned",),
    "report": (),
    "run": ("runs", "columns"),
    "save": (),
    "save_table": (),
    "signature": (),
    "transcripts": (),
    "transfer": ("runs", "columns"),
    "undo": _LABELS,
}
"""What of `standing_of` each action changes."""


def standing_of(tissue: AnnData) -> dict[str, Any]:
    """Return how a section stands: values that JSON holds, the same once it is read.

    They tell its spots, runs, results by name, labels edited by hand with their
    colours, and how its images lie. Numbers inside results are not looked at, nor
    are columns of others.
    """
    step = max(1, tissue.n_obs // _NAMES)
    names = "\0".join(map(str, tissue.obs_names[::step]))
    return {
        "spots": [tissue.n_obs, tissue.n_vars, zlib.crc32(names.encode())],
        "runs": _runs(tissue),
        "columns": sorted(c for c in map(str, tissue.obs) if _is_result(c)),
        "edited": {c: _labels(tissue, c) for c in edited_columns(tissue)},
        "aligned": _aligned(tissue),
    }


def _runs(tissue: AnnData) -> dict[str, list[Any]]:
    """Return how long each run took, which no two have in common, and what explains."""
    runs: Any = tissue.uns.get(keys.RUNS, {})
    known = runs if hasattr(runs, "items") else {}
    return {str(run): _run_facts(known[run]) for run in known}


def _run_facts(facts: Any) -> list[Any]:
    try:
        seconds = round(sum(map(float, facts.get("seconds", {}).values())), 3)
    except (AttributeError, TypeError, ValueError):
        return []  # damaged: the file opens all the same
    return [seconds, "explanation" in facts]


def _is_result(column: str) -> bool:
    return column.startswith(keys.RESULTS) or column.endswith(
        (BORDER_DISTANCE, PROBABILITY)
    )


def _labels(tissue: AnnData, column: str) -> int:
    """Return a checksum of labels, their names in order, and colours."""
    codes = tissue.obs[column].astype("category").cat
    colors = tissue.uns.get(f"{column}{keys.COLORS_SUFFIX}", ())
    told = "\0".join([*map(str, codes.categories), "", *map(str, colors)])
    numbers = codes.codes.to_numpy().astype("<i4").tobytes()
    return zlib.crc32(numbers, zlib.crc32(told.encode()))


def _aligned(tissue: AnnData) -> dict[str, Any]:
    """Return how images were moved by hand, by library."""
    moved: dict[str, Any] = {}
    kept: Any = tissue.uns.get(keys.ALIGNMENT, {})
    for library in kept if hasattr(kept, "items") else ():
        try:
            moved[str(library)] = list(asdict(adjustment_of(tissue, library)).values())
        except InputError:  # told where the image is shown
            moved[str(library)] = None
    registered: Any = tissue.uns.get(keys.LANDMARKS, {})
    for library in registered if hasattr(registered, "items") else ():
        with suppress(InputError):
            known = landmarks_of(tissue, library)
            told = 0 if known is None else zlib.crc32(known.token)
            moved[str(library)] = [moved.get(str(library)), told]
    return moved
