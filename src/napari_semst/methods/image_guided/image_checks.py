"""Whose image is wrong, or lies beside its spots, told by the other sections.

What images of other sections teach has to predict more of a section where its image
lies than with the image turned and shifted over the slide. Nothing is learnt from the
section itself, so that an image has nothing to adapt to, and moving it costs nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from napari_semst.methods.image_guided.handling import (
    MOVED_SPOTS,
    best_place,
    find_offset,
    offset_moves,
)
from napari_semst.methods.image_guided.permutation import ImageExchange
from napari_semst.methods.image_guided.prediction import ImagePredictor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.methods.image_guided.handling import ImageOffset
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.methods.image_guided.section_effects import LevelSections
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

FITS, FOREIGN, WRONG, BESIDE = "fits", "other tissue", "wrong image", "beside"
SILENT, MISSING = "tells nothing", "no image"
"""What is said of an image: it fits; it goes with its section's expression, and not
as in the others; it goes with another section's; it lies beside its spots; it goes with
nothing, which may be for want of spots or of what can be seen; there is none."""

# Times an image is moved over its slide, and of these, times it may predict as much:
# an image of something else is taken for right once in twenty times.
_MOVES, _AS_GOOD = 39, 1
# Moves for what is learnt from the section itself, each of which is learnt anew.
_OWN_MOVES, _MOST_OWN_MOVES = 19, 99
# Sections of a run, at most, of which is asked whose image another one has; and share
# of places that lie on it.
_MOST_SWAPPED, _ON_BOTH = 12, 0.5


class ImageCheck(NamedTuple):
    """What is said of the image of a section.

    Parameters
    ----------
    verdict
        One of `FITS`, `FOREIGN`, `WRONG`, `BESIDE`, `SILENT`, `MISSING`.
    told
        Share of expression, less its trend, that the image predicts by what other
        sections teach; NaN where no other teaches.
    moved
        The most that it predicts where it is moved over the slide.
    offset
        Where it fits better than where it lies.
    image_of
        Number of the section whose expression the image goes with, -1 for none.
    """

    verdict: str
    told: float
    moved: float
    offset: ImageOffset | None = None
    image_of: int = -1


class SectionImages:
    """Asks of each section whether its image is its own.

    Parameters
    ----------
    level
        Expression and images of all sections on one scale.
    truth
        What is predicted: expression less its trend across each slide.
    folds
        Pieces of each section, ``(n_partitions, n_spots)``.
    tell
        From steps done, and all of them, to a progress event.
    """

    def __init__(
        self,
        level: LevelSections,
        truth: Floats,
        folds: Spots,
        inputs: GuidedInputs,
        section: Section,
        control: RunControl,
        tell: Callable[[int, int], Progress],
    ) -> None:
        self._level, self._truth, self._folds = level, truth, folds
        self._inputs, self._section, self._control = inputs, section, control
        self._tell = tell
        self._codes = section.sections.codes.astype(np.int64)
        self._seed = inputs.config.training.seed
        self._n = len(section.sections.names)
        n_usable = np.bincount(self._codes[inputs.usable], minlength=self._n)
        self._missing = n_usable < 2
        self._own = self._predictor(folds)

    def checked(
        self, teaching: Bools
    ) -> Generator[Progress, None, tuple[ImageCheck, ...]]:
        """Return what is said of each section's image.

        Parameters
        ----------
        teaching
            Sections that teach, ``(n_sections,)``.
        """
        teaching = teaching & ~self._missing
        found = self._across(teaching)
        own = np.ones(self._n, bool)
        for one in range(self._n):
            yield self._tell(one, self._n)
            if found[one].verdict != FITS:
                own[one] = self._by_itself(one)
        wrong = np.array([one.verdict == FOREIGN for one in found]) & ~own
        # With a wrong teacher right images look wrong: asked again without.
        beside = yield from self._beside(found, teaching & ~wrong)
        sound = teaching & ~wrong & ~beside
        if (sound != teaching).any() and sound.any():
            found = self._across(sound)
            beside = yield from self._beside(found, sound, beside)
        return tuple(
            self._said(one, check, own[one], wrong, beside[one])
            for one, check in enumerate(found)
        )

    def _said(
        self, one: int, found: ImageCheck, own: bool, all_wrong: Bools, beside: bool
    ) -> ImageCheck:
        if self._missing[one]:
            return found._replace(verdict=MISSING, offset=None)
        if all_wrong[one]:
            like = self._image_of(one, all_wrong)
            verdict = WRONG if like >= 0 else SILENT
            return found._replace(verdict=verdict, offset=None, image_of=like)
        if beside:
            return found._replace(verdict=BESIDE)
        if found.verdict == FOREIGN and np.isnan(found.told) and own:
            # No other section teaches; its own image does.
            return found._replace(verdict=FITS, offset=None)
        return found._replace(offset=None)

    def _predictor(self, folds: Spots) -> ImagePredictor:
        usable = self._inputs.usable
        return ImagePredictor.of_sections(
            self._truth, self._level.image, usable, usable, folds, self._section,
            self._seed,
        )  # fmt: skip

    def _across(self, teaching: Bools) -> list[ImageCheck]:
        """Return what other sections' images tell of each section.

        Those of which they tell no more than by chance are foreign as yet.
        """
        usable, codes = self._inputs.usable, self._codes
        predictor = self._predictor(codes.astype(np.intp)[None])
        weights = predictor.weights_of(
            self._truth, teaching[codes] & usable, self._control
        )
        every = np.flatnonzero(usable)
        expected = np.zeros_like(self._truth)
        expected[every] = predictor.expected_of(every, weights, self._control)
        moved = np.zeros((_MOVES, self._n))
        here = np.array([self._told(expected, one) for one in range(self._n)])
        for number, given in enumerate(self._draws(_MOVES)):
            self._control.check()
            elsewhere = expected[given]
            moved[number] = [self._told(elsewhere, one) for one in range(self._n)]
        found = []
        for one in range(self._n):
            others = teaching.copy()
            others[one] = False
            if not others.any():
                found.append(ImageCheck(FOREIGN, np.nan, np.nan))
                continue
            as_good = (moved[:, one] >= here[one]).sum()
            fits = here[one] > 0 and as_good <= _AS_GOOD
            offset = self._offset(expected, one) if fits else None
            verdict = FITS if fits else FOREIGN
            most = float(moved[:, one].max())
            found.append(ImageCheck(verdict, float(here[one]), most, offset))
        return found

    def _told(self, expected: Floats, one: int, spots: Spots | None = None) -> float:
        """Return the share of a section's expression that is told."""
        if spots is None:
            spots = np.flatnonzero((self._codes == one) & self._inputs.usable)
        return told_share(self._truth[spots], expected[spots])

    def _draws(self, times: int) -> Generator[Spots, None, None]:
        """Yield whose image each spot gets, each section moved over its slide."""
        random = np.random.default_rng([self._seed, 12])
        usable = self._inputs.usable
        every = np.where(usable, self._codes, -1).astype(np.intp)
        exchange = ImageExchange(self._section.coordinates, every, usable, self._codes)
        for _ in range(times):
            yield exchange.draw(random)

    def _by_itself(
        self, one: int, images: Spots | None = None, moves: int = _OWN_MOVES
    ) -> bool:
        """Return whether an image tells a section's expression by its own spots.

        Parameters
        ----------
        images
            Whose image each spot has, ``(n_spots,)``, where they are another section's.
        moves
            How often the image is moved; it is to tell more than all of them.
        """
        asked = (self._codes == one) & self._inputs.usable
        if images is not None:
            asked &= images >= 0
        spots = np.flatnonzero(asked)
        asked[:] = False
        asked[spots[:: -(-len(spots) // MOVED_SPOTS) or 1]] = True
        if asked.sum() < self._truth.shape[1]:
            return False
        lying = np.arange(len(asked)) if images is None else images
        here = self._own.explained(self._truth, asked, self._control, lying)
        for given in self._draws(moves):
            there = lying[given]
            there = np.where(there >= 0, there, lying)
            moved = self._own.explained(self._truth, asked, self._control, there)
            if moved >= here:
                return False
        return here > 0

    def _offset(self, expected: Floats, one: int) -> ImageOffset | None:
        """Return where a section's image fits better, by what others teach."""
        spots = np.flatnonzero((self._codes == one) & self._inputs.usable)
        places = self._section.coordinates[spots]
        tree = KDTree(places)
        pitch = float(np.median(tree.query(places, k=2)[0][:, 1]))
        moves = offset_moves(pitch)
        given, everywhere = [], np.ones(len(spots), bool)
        for move in moves:
            distance, nearest = tree.query(places + move, distance_upper_bound=pitch)
            everywhere &= np.isfinite(distance)
            given.append(spots[np.where(np.isfinite(distance), nearest, 0)])
        if everywhere.sum() < min(len(spots) // 3, MOVED_SPOTS):
            return None
        truth = self._truth[spots[everywhere]]
        found = [told_share(truth, expected[spots[everywhere]])]
        found += [told_share(truth, expected[there[everywhere]]) for there in given]
        return best_place(np.array(found), np.vstack([[0, 0], moves]) / pitch, pitch)

    def _beside(
        self, found: list[ImageCheck], teaching: Bools, known: Bools | None = None
    ) -> Generator[Progress, None, Bools]:
        """Return which images lie beside their spots.

        By one other section alone nobody could tell which of the two is shifted: what
        the section's own image teaches has to say so, too.
        """
        beside = np.zeros(self._n, bool) if known is None else known.copy()
        for one, check in enumerate(found):
            n_others = int(teaching.sum()) - int(teaching[one])
            if self._missing[one] or beside[one] or (n_others and check.offset is None):
                continue
            if n_others > 1:
                beside[one] = True
                continue
            own = self._inputs.usable & (self._codes == one)
            inputs = replace(self._inputs, usable=own)
            alone = find_offset(
                self._own, self._truth, self._section, inputs, self._control, self._tell
            )
            offset = yield from alone
            beside[one] = offset is not None
            if offset is not None:
                found[one] = check._replace(offset=offset)
        return beside

    def _image_of(self, one: int, wrong: Bools) -> int:
        """Return the section whose expression an image goes with, -1 for none.

        Those whose image is wrong, too, are asked first: sections of one block are so
        alike that an image goes with several.
        """
        places, usable = self._section.coordinates, self._inputs.usable
        own = np.flatnonzero((self._codes == one) & usable)
        if len(own) < 2 or self._n > _MOST_SWAPPED:
            return -1
        tree = KDTree(places[own])
        pitch = float(np.median(tree.query(places[own], k=2)[0][:, 1]))
        # Each of them is right by chance; most that are not fail at the first moves.
        moves = min((_OWN_MOVES + 1) * (self._n - 1) - 1, _MOST_OWN_MOVES)
        for other in map(int, np.argsort(~wrong, kind="stable")):
            there = np.flatnonzero((self._codes == other) & usable)
            if other == one or not len(there):
                continue
            distance, nearest = tree.query(places[there], distance_upper_bound=pitch)
            images = np.full(len(places), -1, np.intp)
            near = np.isfinite(distance)
            images[there[near]] = own[nearest[near]]
            if near.mean() > _ON_BOTH and self._by_itself(other, images, moves):
                return other
        return -1


def told_share(truth: Floats, expected: Floats) -> float:
    """Return the share of variance that predictions tell, whatever their scale.

    Parameters
    ----------
    truth, expected
        Shape ``(n, width)``; what goes the other way tells nothing.
    """
    if len(truth) < 2:
        return 0.0
    one = truth - truth.mean(axis=0, dtype=np.float64)
    other = expected - expected.mean(axis=0, dtype=np.float64)
    together = np.maximum((one * other).sum(axis=0), 0)
    told = together**2 / np.maximum(np.square(other).sum(axis=0), 1e-12)
    return float(told.sum() / max(float(np.square(one).sum()), 1e-12))
