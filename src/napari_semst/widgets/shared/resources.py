"""What a run has to do with: the counts of a section, and what computes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from napari_semst.errors import DeviceError
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from anndata import AnnData


CPU_FOUND = "No CUDA GPU found: computing on the CPU, {cores}."
CPU_ASKED = "Computing on the CPU, as chosen, {cores}."
GPU_FOUND = "{reason} Computing on {name}."
READING_SOURCES = ("prompts", "genes")
_ROWS_LOOKED_AT = 2000


def count_stored_values(tissue: AnnData, counts_layer: str = "") -> int:
    """Return about how many counts are not zero, without a copy of the table.

    Parameters
    ----------
    tissue, counts_layer
        The section, and where its raw counts are; empty: X.
    """
    import numpy as np

    matrix: Any = tissue.X
    if counts_layer in tissue.layers:
        matrix = tissue.layers[counts_layer]
    elif counts_layer == "raw" and tissue.raw is not None:
        matrix = tissue.raw.X
    if matrix is None:
        return 0
    if hasattr(matrix, "nnz"):
        return int(matrix.nnz)
    if not isinstance(matrix, np.ndarray):
        return int(np.prod(matrix.shape))
    some = matrix[:: -(-max(len(matrix), 1) // _ROWS_LOOKED_AT)]
    return round(np.count_nonzero(some) / max(some.size, 1) * matrix.size)


def describe_device(wanted: str) -> tuple[str, str]:
    """Return the device that a run would use, and a line on what was found."""
    from napari_semst.core.device import choose_device

    try:
        chosen = choose_device(wanted)
    except DeviceError as error:
        return "cpu", for_window(error)
    if chosen.name != "cpu":
        return chosen.name, GPU_FOUND.format(reason=chosen.reason, name=chosen.name)
    words = CPU_FOUND if wanted == "auto" else CPU_ASKED
    return "cpu", words.format(cores=cores_in_words(usable_cores()))


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_in_words(count: int) -> str:
    """Return a number of cores as people say it."""
    return "1 core" if count == 1 else f"{count} cores"
