"""What the simulated cortex is drawn after: a plain section, and a hard one.

Depths are relative, 0 at the pia and 1 at the white matter, and on the scale on which
layers end where `geometry.LAYER_ENDS` says, however thick they are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Bumps = dict[str, tuple[tuple[float, float, float], ...]]
Tears = tuple[tuple[tuple[float, float], tuple[float, float], float], ...]


@dataclass(frozen=True)
class CortexModel:
    """How a section is shaped, what lives in it, and what disturbs its counts.

    Parameters
    ----------
    pia, white
        ``(n, 2)`` corners of the outer surface, and of the border of the white
        matter, in the unit square.
    thickest
        Largest thickness of the cortex in tissue widths. Beyond it is the bank of a
        gyrus whose white matter is not in view.
    layer_ends
        Share of the thickness at which each layer ends; empty where that is
        `geometry.LAYER_ENDS` itself.
    wander
        How far borders of layers undulate, over long and over short distances.
    tears
        Ends and half width of every tear in the tissue.
    bumps
        For every cell type ``(height, from, to)`` over depth; each fades out smoothly.
    fade
        Depth over which it does.
    density
        ``(n, 2)`` depths and cells per square millimetre there.
    neuropil
        ``(n, 2)`` depths and the eosin of the tissue between the cells.
    neurons
        ``(n, 3)`` depths, share of neurons, radius of their nuclei in microns.
    most_nuclei
        Nuclei per square millimetre that are tried for the image.
    contrast
        Fold changes of textbooks come from sorted cells; tissue shows their power of
        this, by platform: spots on which transcripts spread show less than cells.
    nuisance
        How far a typical technical field bends a gene: deviation of its logarithm.
    handling
        The same for the genes of handling and blood, each by a field of its own.
    regional
        How far two of the fields bend the total counts.
    library_spread
        Spread by chance of a spot's total counts on a log scale, by platform.
    """

    pia: Floats
    white: Floats
    thickest: float
    layer_ends: tuple[float, ...]
    wander: tuple[float, float]
    tears: Tears
    bumps: Bumps
    fade: float
    density: Floats
    neuropil: Floats
    neurons: Floats
    most_nuclei: float
    contrast: dict[str, float]
    nuisance: float
    handling: float
    regional: tuple[float, float]
    library_spread: dict[str, float]


# A gyrus and a sulcus, layers as thick as in human dorsolateral prefrontal cortex,
# cell types that reach into the layers beside theirs, uneven sequencing.
HARD_CORTEX = CortexModel(
    pia=np.array(
        [
            (-0.09, 0.50), (0.00, 0.35), (0.10, 0.21), (0.23, 0.105), (0.38, 0.055),
            (0.53, 0.075), (0.645, 0.155), (0.715, 0.27), (0.752, 0.385),
            (0.775, 0.475), (0.795, 0.515), (0.812, 0.465), (0.822, 0.375),
            (0.845, 0.26), (0.90, 0.16), (0.98, 0.105), (1.09, 0.09),
        ]
    ),
    white=np.array(
        [
            (-0.09, 1.00), (0.04, 0.83), (0.15, 0.695), (0.27, 0.605), (0.38, 0.565),
            (0.47, 0.595), (0.535, 0.685), (0.58, 0.80), (0.63, 0.91), (0.68, 1.09),
        ]
    ),
    thickest=0.50,
    layer_ends=(),
    wander=(0.018, 0.007),
    # One from the lower cut edge, one in layer 5.
    tears=(
        ((0.335, 1.02), (0.300, 0.855), 0.0085),
        ((0.215, 0.445), (0.262, 0.418), 0.0034),
    ),
    bumps={
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
    },
    fade=0.020,
    density=np.array(
        [
            (0.00, 900), (0.03, 520), (0.09, 560), (0.13, 1900), (0.17, 2000),
            (0.22, 1450), (0.40, 1200), (0.46, 2150), (0.53, 2150), (0.58, 1050),
            (0.72, 1050), (0.80, 1450), (0.95, 1250), (1.02, 1250), (1.20, 1350),
            (9.0, 1350),
        ]
    ),
    neuropil=np.array(
        [
            (-0.1, 0.62), (0.0, 0.60), (0.02, 0.50), (0.09, 0.46), (0.14, 0.52),
            (0.30, 0.55), (0.50, 0.57), (0.75, 0.54), (0.94, 0.46), (1.03, 0.30),
            (9, 0.26),
        ]
    ),
    neurons=np.array(
        [
            (0.00, 0.00, 3.6), (0.09, 0.10, 3.6), (0.12, 0.80, 3.9), (0.25, 0.76, 4.5),
            (0.44, 0.72, 5.4), (0.47, 0.80, 3.9), (0.54, 0.78, 3.9), (0.58, 0.62, 6.0),
            (0.74, 0.58, 5.6), (0.80, 0.62, 4.6), (0.95, 0.45, 4.2), (1.03, 0.04, 4.0),
            (9.00, 0.02, 4.0),
        ]
    ),
    most_nuclei=2400.0,
    contrast={"visium": 0.66, "cells": 0.66},
    nuisance=0.08,
    handling=0.5,
    regional=(0.15, 0.12),
    library_spread={"visium": 0.30, "cells": 0.40},
)  # fmt: skip

# The crown of a broad gyrus. Layers are more alike in thickness than they are, so that
# each is several spots thick; cell types keep to their layers; sequencing is even.
PLAIN_CORTEX = CortexModel(
    pia=np.array(
        [
            (-0.09, 0.36), (0.00, 0.265), (0.12, 0.175), (0.26, 0.105), (0.40, 0.065),
            (0.54, 0.06), (0.68, 0.09), (0.80, 0.14), (0.90, 0.20), (1.00, 0.275),
            (1.09, 0.36),
        ]
    ),
    white=np.array(
        [
            (-0.09, 0.98), (0.02, 0.87), (0.15, 0.76), (0.28, 0.69), (0.42, 0.65),
            (0.56, 0.65), (0.70, 0.685), (0.82, 0.745), (0.93, 0.83), (1.02, 0.91),
            (1.09, 1.00),
        ]
    ),
    thickest=0.70,
    layer_ends=(0.12, 0.26, 0.45, 0.60, 0.80, 1.0),
    wander=(0.010, 0.003),
    tears=(((0.335, 1.02), (0.300, 0.855), 0.0085),),
    bumps={
        "Ex L2/3": ((46, 0.10, 0.185), (6, 0.185, 0.45)),
        "Ex L3": ((42, 0.185, 0.45),),
        "Ex L4": ((48, 0.45, 0.545),),
        "Ex L5 IT": ((30, 0.545, 0.75),),
        "Ex L5 ET": ((14, 0.545, 0.75),),
        "Ex L6 IT": ((20, 0.75, 1.0),),
        "Ex L6 CT": ((22, 0.75, 1.0),),
        "Ex L6b": ((5, 0.96, 1.0),),
        "In LAMP5": ((10, 0.02, 0.10), (1.5, 0.10, 1.0)),
        "In VIP": ((5, 0.10, 0.45), (1.0, 0.45, 1.0)),
        "In SST": ((2, 0.10, 0.45), (4, 0.45, 1.0)),
        "In PVALB": ((3, 0.185, 1.0), (3, 0.45, 0.545)),
        "Astrocyte": ((22, -1.0, 0.10), (10, 0.10, 9.0)),
        "Interlaminar astrocyte": ((20, -1.0, 0.10),),
        "Oligodendrocyte": ((5, 0.10, 1.0), (3, 0.545, 1.0), (74, 1.0, 9.0)),
        "OPC": ((3, -1.0, 9.0),),
        "Microglia": ((3, -1.0, 9.0), (2, 1.0, 9.0)),
        "Endothelium": ((3, -1.0, 9.0),),
        "Pericyte": ((1.2, -1.0, 9.0),),
        "Meninges": ((14, -1.0, 0.022),),
    },
    fade=0.004,
    density=np.array(
        [
            (0.00, 800), (0.02, 520), (0.095, 520), (0.105, 2700), (0.18, 2700),
            (0.19, 1250), (0.445, 1150), (0.455, 2900), (0.54, 2900), (0.55, 850),
            (0.745, 850), (0.755, 1600), (0.98, 1500), (1.01, 1500), (9.0, 1500),
        ]
    ),
    neuropil=np.array(
        [
            (-0.1, 0.62), (0.0, 0.60), (0.02, 0.48), (0.095, 0.46), (0.105, 0.55),
            (0.45, 0.58), (0.545, 0.60), (0.75, 0.60), (0.99, 0.55), (1.005, 0.28),
            (9, 0.25),
        ]
    ),
    neurons=np.array(
        [
            (0.00, 0.00, 3.6), (0.095, 0.08, 3.6), (0.105, 0.85, 3.9),
            (0.18, 0.85, 3.9), (0.19, 0.78, 4.8), (0.44, 0.76, 5.6), (0.455, 0.85, 3.7),
            (0.54, 0.85, 3.7), (0.55, 0.68, 7.0), (0.745, 0.66, 6.6),
            (0.755, 0.64, 4.4), (0.98, 0.55, 4.2), (1.01, 0.03, 4.0), (9.00, 0.02, 4.0),
        ]
    ),
    most_nuclei=3600.0,
    contrast={"visium": 0.72, "cells": 1.0},
    nuisance=0.06,
    handling=0.3,
    regional=(0.08, 0.06),
    library_spread={"visium": 0.25, "cells": 0.25},
)  # fmt: skip
