"""What a slide's handling does, told as what it is.

An image beside its spots, and places whose image is like no other of the section.
Neither says anything of expression. An image that is shifted makes every border
discordant; of a place that looks like no other nobody knows what to expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from napari_semst.methods.image_guided.features import average_of_usable
from napari_semst.methods.image_guided.unexplained import among_usual, tissue_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.methods.image_guided.prediction import ImagePredictor
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

# Directions in which, and distances between spots by which, the image is moved, and
# partitions into folds over which what it predicts is averaged.
_DIRECTIONS, _DISTANCES, _PARTITIONS = 8, (1.5, 3.0), 4
MOVED_SPOTS = 20_000
"""Spots of which it is enough to ask what moved images predict."""

# How much more a moved image has to predict than one that lies where it lies, and by
# how many standard errors what is predicted has to grow that way.
_BETTER, _SURE = 1.12, 4.0
# Spots that still are on the tissue, wherever the image is moved, at least.
_LEAST_SPOTS = 300
# Axes of the image, in which it is judged, and rounds of averaging over neighbours.
_AXES, _ROUNDS = 10, 2
# Deviations of a region's image from usual, from which on it is like no other, and
# spots of a section that tell what is usual.
_ODD, _TELLING = 3.0, 300


class ImageOffset(NamedTuple):
    """Where the image fits better than where it lies.

    Parameters
    ----------
    x, y
        From a spot to the image that predicts it best, in units of the coordinates.
    pitches
        The same as a length, in distances between spots.
    gain
        Variance predicted there, over that predicted where the image lies.
    """

    x: float
    y: float
    pitches: float
    gain: float


def find_offset(
    predictor: ImagePredictor,
    level: Floats,
    section: Section,
    inputs: GuidedInputs,
    control: RunControl,
    tell: Callable[[int, int], Progress],
) -> Generator[Progress, None, ImageOffset | None]:
    """Return by how much the image lies beside its spots, `None` where it does not.

    Expression is predicted from the image some way off, in eight directions. Images
    are smooth, and tell expression best where they belong.

    Parameters
    ----------
    level
        What is predicted: expression less its trend across the slide.
    tell
        From steps done, and all of them, to a progress event.
    """
    places, codes = section.coordinates, section.sections.codes.astype(np.int64)
    spots = np.flatnonzero(inputs.usable)
    tree = KDTree(_apart(places, codes)[spots])
    pitch = float(np.median(tree.query(_apart(places, codes)[spots], k=2)[0][:, 1]))
    moves = offset_moves(pitch)
    given, everywhere = [], inputs.usable.copy()
    for move in moves:
        control.check()
        there = _apart(places + move, codes, places)
        distance, nearest = tree.query(there, distance_upper_bound=pitch)
        on_tissue = np.isfinite(distance)
        given.append(spots[np.where(on_tissue, nearest, 0)])
        everywhere &= on_tissue
    if everywhere.sum() < _LEAST_SPOTS:
        return None
    enough = np.flatnonzero(everywhere)
    everywhere[:] = False
    everywhere[enough[:: -(-len(enough) // MOVED_SPOTS)]] = True
    found = [predictor.explained(level, everywhere, control, None, _PARTITIONS)]
    for done, one in enumerate(given):
        yield tell(done, len(given))
        found.append(predictor.explained(level, everywhere, control, one, _PARTITIONS))
    return best_place(np.array(found), np.vstack([[0, 0], moves]) / pitch, pitch)


def offset_moves(pitch: float) -> list[Doubles]:
    """Return by what an image is moved beside its spots, for each distance."""
    angles = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    ways = np.column_stack([np.cos(angles), np.sin(angles)])
    return [pitch * distance * way for distance in _DISTANCES for way in ways]


def best_place(explained: Doubles, moves: Doubles, pitch: float) -> ImageOffset | None:
    """Return where an image predicts most, `None` where that is where it lies.

    Single offsets vary by chance. So more has to be predicted at all distances in one
    direction, as across thin layers; or along a square function of the offset that is
    laid through all of them.

    Parameters
    ----------
    explained
        Variance predicted at each offset, the first where the image lies, ``(n,)``.
    moves
        Offsets in distances between spots, ``(n, 2)``: none, then the same directions
        for each distance.
    pitch
        Distance between spots, in units of the coordinates.
    """
    if explained[0] <= 0:
        return None
    by_way = explained[1:].reshape(len(_DISTANCES), -1) / explained[0]
    way = int(np.argmax(by_way.min(axis=0)))
    if by_way[:, way].min() >= _BETTER:
        best = 1 + way + int(np.argmax(by_way[:, way])) * by_way.shape[1]
        return _offset(moves[best], pitch, float(by_way[:, way].max()))
    x, y = moves.T
    terms = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    found = np.linalg.lstsq(terms, explained, rcond=None)[0]
    rest = explained - terms @ found
    freedom = len(explained) - terms.shape[1]
    covariance = np.linalg.inv(terms.T @ terms) * (rest @ rest) / freedom
    slope = found[1:3]
    sure = float(np.sqrt(slope @ np.linalg.solve(covariance[1:3, 1:3], slope)))
    fitted = terms @ found
    best = int(np.argmax(fitted))
    gain = float(fitted[best] / max(fitted[0], 1e-12))
    if sure < _SURE or gain < _BETTER:
        return None
    return _offset(moves[best], pitch, gain)


def _offset(move: Doubles, pitch: float, gain: float) -> ImageOffset:
    right, down = move * pitch
    return ImageOffset(float(right), float(down), float(np.hypot(*move)), gain)


def _apart(
    places: Doubles, codes: NDArray[np.int64], of: Doubles | None = None
) -> Doubles:
    """Return places with their section as a third coordinate, far apart."""
    whole = places if of is None else of
    far = 8 * float(np.abs(whole - whole.mean(axis=0)).max()) + 1
    return np.column_stack([places, far * codes.astype(np.float64)])


def odd_images(
    predictor: ImagePredictor, section: Section, inputs: GuidedInputs
) -> Floats:
    """Return how unlike the image elsewhere in its section each spot's is.

    In deviations of usual spots, averaged over near ones, ``(n_spots,)``; NaN where
    there is no usable image, or too few to tell.
    """
    usable, codes = inputs.usable, section.sections.codes
    along = average_of_usable(predictor.image[:, :_AXES], section, usable, _ROUNDS)
    found = np.full(len(usable), np.nan, np.float32)
    for one in range(len(section.sections.names)):
        spots = np.flatnonzero((codes == one) & usable)
        if len(spots) < _TELLING:
            continue
        own = along[spots] - along[spots].mean(axis=0)
        own /= np.maximum(own.std(axis=0), 1e-12)
        pieces = tissue_pieces(section.coordinates[spots], inputs.config.training.seed)
        found[spots] = among_usual(own, *pieces)
    return found


def is_odd(oddness: Floats, spots: Spots) -> bool:
    """Return whether a region looks like no other place of its section."""
    known = oddness[spots][np.isfinite(oddness[spots])]
    return len(known) > 0 and bool(np.median(known) >= _ODD)
