"""Where expression is not what the image predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.methods.image_guided.handling import ImageOffset
    from napari_semst.methods.image_guided.image_checks import ImageCheck
    from napari_semst.methods.image_guided.power import RegionPower
    from napari_semst.methods.image_guided.regions import RegionFound


STATES = (
    "compared",
    "no image",
    "reference",
    "unlike the reference",
    "image beside its spots",
    "wrong image",
    "image tells nothing",
    "other tissue",
    "no section teaches",
)
"""Whether a spot of several sections was compared, and if not, why."""


@dataclass(frozen=True)
class SectionAsked:
    """What was said of one of several sections.

    Parameters
    ----------
    name
        Of the section.
    spots
        How many there are.
    reference, teaches, asked
        Whether it was named as reference, whether it taught what images lead to expect,
        and whether it was compared.
    image
        What is said of its image.
    image_of
        Name of the section whose expression its image goes with, where it is not its
        own; empty for none.
    unlike
        Spots whose image is like nothing in the sections that teach.
    stain_shift
        By how much its image was off the others for images of spots that express alike,
        in deviations of features; taken out.
    expression_shift
        By how much it expresses otherwise as a whole than images lead to expect, in
        deviations; taken out, and no discordance.
    power
        How strong a region has to be to be found; `None` where nothing was compared.
    """

    name: str
    spots: int
    reference: bool
    teaches: bool
    asked: bool
    image: ImageCheck
    image_of: str
    unlike: int
    stain_shift: float
    expression_shift: float
    power: RegionPower | None


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
    power
        How strong a region has to be to be found, of each section.
    sections
        What was said of each of several sections; none of a single one.
    state
        Why each spot was compared or not, ``(n_spots,)``, a number among `STATES`;
        `None` of a single section.
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
    power: tuple[RegionPower, ...] = ()
    sections: tuple[SectionAsked, ...] = ()
    state: NDArray[np.int8] | None = None

    @property
    def discordant(self) -> NDArray[np.bool_]:
        """Return which spots are called, of either kind."""
        called: NDArray[np.bool_] = self.kind > 0
        return called


def told_sections(sections: Sequence[SectionAsked]) -> dict[str, list[Any]]:
    """Return columns of plain values, a row per section, for the provenance."""
    names = ("name", "spots", "reference", "teaches", "asked", "image_of", "unlike")
    told: dict[str, list[Any]] = {
        name: [getattr(one, name) for one in sections] for name in names
    }
    told["image"] = [one.image.verdict for one in sections]
    for name in ("told", "moved"):
        told[name] = [_short(getattr(one.image, name)) for one in sections]
    for name in ("x", "y", "pitches"):
        told[f"offset_{name}"] = [
            _short(getattr(one.image.offset, name, np.nan)) for one in sections
        ]
    for name in ("stain_shift", "expression_shift"):
        told[name] = [_short(getattr(one, name)) for one in sections]
    return {**told, **told_power([one.power for one in sections])}


def told_power(power: Sequence[RegionPower | None]) -> dict[str, list[Any]]:
    """Return columns of plain values on the weakest regions that are found."""
    return {
        "power_spots": [0 if one is None else one.spots for one in power],
        "power_share": [np.nan if one is None else one.share for one in power],
        "power_deviations": [
            np.nan if one is None else _short(one.deviations) for one in power
        ],
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")
