"""Where expression is not what the image predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.methods.image_guided.handling import ImageOffset
    from napari_semst.methods.image_guided.regions import RegionFound


@dataclass(frozen=True)
class Discordance:
    """Where expression is not what the image predicts.

    Values of spots without a usable image are NaN.

    Parameters
    ----------
    contradiction
        How far the image misleads about each spot, in nats, ``(n_spots,)``: KL
        divergence of expression from what its image predicts, less that from
        expression at large.
    surprise
        The first of the two, which is high for unusual expression, too; like it, in the
        directions that images predict, and 0 where they predict nothing.
    unexplained
        How unusual expression is among spots whose image leads to expect the same, in
        deviations, ``(n_spots,)``.
    per_dimension
        KL divergence of the network's posterior from its prior, by dimension of the
        latent, ``(n_spots, latent)``.
    p_value, p_unexplained
        Of contradiction, against the null of images exchanged within expression
        clusters, and of what is unexplained, each ``(n_spots,)``.
    fdr
        False discovery rate over both (Benjamini and Hochberg, 1995), ``(n_spots,)``.
    kind
        What spots are called at the rate that was asked for, ``(n_spots,)``, a number
        among `regions.KINDS`; those in one of the regions alone.
    regions
        Regions found at that rate, the least expected first.
    expressed, expected
        What each spot expresses and what its image predicts, in the directions that
        images predict best, ``(n_spots, width)``.
    predicted
        Share of each direction's variance that the image predicts, ``(width,)``; none
        where it predicts nothing.
    n_learnt
        Spots that this was learnt from: usable, and as usual.
    aside
        Regions that are not called, since their image is like no other place of the
        section: nothing tells what to expect there.
    offset
        Where the image fits better than where it lies; nothing was compared then.
        `None` where it fits best where it lies.
    stain_trend
        Share of the image's variance that changes straight across the slide beyond what
        expression tells; levelled from `level_stain.STAIN_TREND` on.
    """

    contradiction: NDArray[np.float32]
    surprise: NDArray[np.float32]
    unexplained: NDArray[np.float32]
    per_dimension: NDArray[np.float32]
    p_value: NDArray[np.float32]
    p_unexplained: NDArray[np.float32]
    fdr: NDArray[np.float32]
    kind: NDArray[np.int8]
    regions: tuple[RegionFound, ...]
    expressed: NDArray[np.float32]
    expected: NDArray[np.float32]
    predicted: NDArray[np.float64]
    n_learnt: int
    aside: tuple[RegionFound, ...] = ()
    offset: ImageOffset | None = None
    stain_trend: float = 0.0

    @property
    def discordant(self) -> NDArray[np.bool_]:
        """Return which spots are called, of either kind."""
        called: NDArray[np.bool_] = self.kind > 0
        return called
