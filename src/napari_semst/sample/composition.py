"""Which cell types live at which depth of the cortex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.cortex_model import HARD_CORTEX
from napari_semst.sample.genes import CELL_TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.cortex_model import CortexModel

    Floats = NDArray[np.float32]

# Messenger RNA per cell, relative: neurons are large.
_CONTENT = np.array(
    [
        3.0, 3.4, 2.6, 3.4, 4.6, 2.6, 2.6, 2.2, 1.8, 1.6,
        1.9, 2.3, 1.2, 1.3, 1.3, 0.8, 0.6, 0.7, 0.6, 0.9,
    ],
    dtype=np.float32,
)  # fmt: skip


def cell_density(depth: Floats, model: CortexModel = HARD_CORTEX) -> Floats:
    """Return cells per square millimetre, ``(n,)``, at each depth."""
    density = np.interp(depth, model.density[:, 0], model.density[:, 1])
    return density.astype(np.float32)


def cell_shares(depth: Floats, model: CortexModel = HARD_CORTEX) -> Floats:
    """Return the share of every cell type, ``(n, n_types)``, at each depth."""
    shares = np.empty((len(depth), len(CELL_TYPES)), dtype=np.float32)
    for column, cell_type in enumerate(CELL_TYPES):
        total = np.zeros(len(depth), dtype=np.float32)
        for height, start, end in model.bumps[cell_type]:
            rise, fall = _step(depth - start, model), _step(end - depth, model)
            total += height * rise * fall
        shares[:, column] = total
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def messenger_content() -> Floats:
    """Return the relative messenger RNA of a cell of every type, ``(n_types,)``."""
    return _CONTENT


def _step(distance: Floats, model: CortexModel) -> Floats:
    """Return a smooth step from 0 to 1 at distance 0."""
    step: Floats = 0.5 * (1 + np.tanh(distance / model.fade))
    return step
