"""Which cell types live at which depth of the cortex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.genes import CELL_TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

# Type -> bumps (height, from, to) over relative depth; every bump fades out smoothly.
_BUMPS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "Ex L2/3": ((46, 0.10, 0.30), (12, 0.28, 0.44)),
    "Ex L3": ((40, 0.24, 0.46),),
    "Ex L4": ((42, 0.435, 0.555), (6, 0.40, 0.62)),
    "Ex L5 IT": ((30, 0.54, 0.77), (5, 0.72, 0.86)),
    "Ex L5 ET": ((9, 0.58, 0.76),),
    "Ex L6 IT": ((20, 0.74, 0.93),),
    "Ex L6 CT": ((20, 0.77, 0.98),),
    "Ex L6b": ((7, 0.94, 1.03), (1.0, 1.0, 1.25)),
    "In LAMP5": ((7, 0.03, 0.20), (1.5, 0.15, 0.95)),
    "In VIP": ((5, 0.10, 0.45), (1.0, 0.4, 0.95)),
    "In SST": ((2, 0.12, 0.45), (4, 0.45, 0.95)),
    "In PVALB": ((3, 0.20, 0.90), (3, 0.42, 0.62)),
    "Astrocyte": ((22, -1.0, 0.12), (10, 0.05, 1.0), (9, 0.97, 9.0)),
    "Interlaminar astrocyte": ((16, -1.0, 0.065), (4, 0.0, 0.11)),
    "Oligodendrocyte": ((5, 0.10, 0.50), (9, 0.48, 0.85), (16, 0.80, 1.02),
        (74, 0.985, 9.0)),
    "OPC": ((3, -1.0, 9.0),),
    "Microglia": ((3, -1.0, 9.0), (2, 0.98, 9.0)),
    "Endothelium": ((3, -1.0, 9.0),),
    "Pericyte": ((1.2, -1.0, 9.0),),
    "Meninges": ((14, -1.0, 0.022),),
}  # fmt: skip
_FADE = 0.020
# Cells per square millimetre at depths, for scattered cells and for nuclei.
_DENSITY = np.array(
    [
        (0.00, 900), (0.03, 520), (0.09, 560), (0.13, 1900), (0.17, 2000), (0.22, 1450),
        (0.40, 1200), (0.46, 2150), (0.53, 2150), (0.58, 1050), (0.72, 1050),
        (0.80, 1450), (0.95, 1250), (1.02, 1250), (1.20, 1350), (9.0, 1350),
    ]
)  # fmt: skip
# Messenger RNA per cell, relative: neurons are large.
_CONTENT = np.array(
    [
        3.0, 3.4, 2.6, 3.4, 4.6, 2.6, 2.6, 2.2, 1.8, 1.6,
        1.9, 2.3, 1.2, 1.3, 1.3, 0.8, 0.6, 0.7, 0.6, 0.9,
    ],
    dtype=np.float32,
)  # fmt: skip


def cell_density(depth: Floats) -> Floats:
    """Return cells per square millimetre, ``(n,)``, at each depth."""
    density: Floats = np.interp(depth, _DENSITY[:, 0], _DENSITY[:, 1])
    return density.astype(np.float32)


def cell_shares(depth: Floats) -> Floats:
    """Return the share of every cell type, ``(n, n_types)``, at each depth."""
    shares = np.empty((len(depth), len(CELL_TYPES)), dtype=np.float32)
    for column, cell_type in enumerate(CELL_TYPES):
        total = np.zeros(len(depth), dtype=np.float32)
        for height, start, end in _BUMPS[cell_type]:
            total += height * _step(depth - start) * _step(end - depth)
        shares[:, column] = total
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def messenger_content() -> Floats:
    """Return the relative messenger RNA of a cell of every type, ``(n_types,)``."""
    return _CONTENT


def _step(distance: Floats) -> Floats:
    """Return a smooth step from 0 to 1 at distance 0."""
    step: Floats = 0.5 * (1 + np.tanh(distance / _FADE))
    return step
