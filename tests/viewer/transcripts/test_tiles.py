"""Molecules of a tile: those in it, the same fair sample where they are too many."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.io.transcripts.molecules import MoleculeHeap
from napari_semst.viewer.arrange import CanvasArrangement
from napari_semst.viewer.transcripts.tiles import CanvasMolecules, can_stand


def arrangement(names=("",), scales=(1.0,), shifts=((0.0, 0.0),)):
    nothing = np.empty((0, 2))
    return CanvasArrangement(
        names,
        np.empty(0, np.int32),
        nothing,
        1.0,
        (None,) * len(names),
        np.array(scales),
        np.array(shifts),
    )


def molecules(n, section="", seed=0, halved=0):
    rng = np.random.default_rng(seed)
    heap = MoleculeHeap(("a", "b"), section)
    places = rng.uniform(0, 1000, (n, 2)).astype(np.float32)
    codes = rng.integers(0, 2, n).astype(np.int16)
    heap.add(places, codes, codes[:0])
    for _ in range(halved):
        heap.halve()
    return heap.molecules()


def box(low, high):
    return np.array(low, float), np.array(high, float)


def within(places, low, high):
    return ((places >= low) & (places <= high)).all(axis=1)


def test_all_in_the_tile_are_drawn_where_they_are_few():
    found = molecules(5000)
    canvas = CanvasMolecules([found], arrangement())
    low, high = box((200, 300), (400, 700))
    view = canvas.look(low, high, most=5000)
    own = found.places[:, ::-1].astype(float)
    there = within(own, low, high)
    assert view.n_there == view.n_drawn == there.sum()
    assert view.exact
    tile = view.tile
    assert tile.share == 1.0
    edge = np.array([50, 100])
    wide = within(own, low - edge, high + edge)
    np.testing.assert_array_equal(tile.places, own[wide])
    np.testing.assert_array_equal(tile.codes, found.codes[wide])


@pytest.mark.parametrize("n", [40_000, 900_000])
def test_too_many_are_thinned_evenly_and_told(n):
    found = molecules(n)
    canvas = CanvasMolecules([found], arrangement())
    low, high = box((0, 0), (1000, 1000))
    view = canvas.look(low, high, most=3000)
    assert 1000 < len(view.tile.places) <= 3100
    assert view.n_drawn == len(view.tile.places)
    assert view.n_there == pytest.approx(n, rel=0.05)
    assert view.exact == (n < 100_000)
    quarters = np.histogram2d(*view.tile.places.T, bins=2)[0]
    np.testing.assert_allclose(quarters, len(view.tile.places) / 4, rtol=0.2)
    assert np.bincount(view.tile.codes).min() > 0.4 * len(view.tile.places)


def test_a_small_move_needs_no_other_tile_and_a_closer_look_does():
    canvas = CanvasMolecules([molecules(40_000)], arrangement())
    low, high = box((200, 200), (600, 600))
    first = canvas.look(low, high, most=3000).tile
    moved = canvas.look(low + 50, high + 50, first, most=3000)
    assert moved.tile is None
    assert moved.n_drawn == first.n_within(low + 50, high + 50)
    assert canvas.look(low + 150, high + 150, first, most=3000).tile is not None
    closer = canvas.look(low + 150, high - 150, first, most=3000)
    assert closer.tile.share > first.share
    # Whoever was drawn from afar is drawn from near by.
    afar = first.places[within(first.places, closer.tile.low, closer.tile.high)]
    assert {*map(tuple, afar)} <= {*map(tuple, closer.tile.places)}
    out = canvas.look(*box((-500, -500), (1500, 1500)), closer.tile, most=3000)
    assert out.tile is not None


def test_a_view_without_ends_shows_all():
    canvas = CanvasMolecules([molecules(500)], arrangement())
    view = canvas.look(np.full(2, -np.inf), np.full(2, np.inf))
    assert view.n_there == view.n_drawn == 500


def test_sections_stand_where_their_spots_stand():
    one, two = molecules(300, "one"), molecules(200, "two", seed=1)
    places = arrangement(("two", "one"), (1.0, 2.0), ((0.0, 0.0), (10.0, 5000.0)))
    canvas = CanvasMolecules([one, two], places)
    view = canvas.look(*box((-1e4, -1e4), (1e4, 1e4)))
    own = one.places[:, ::-1].astype(float) * 2 + [10, 5000]
    np.testing.assert_allclose(view.tile.places[:300], own)
    np.testing.assert_allclose(view.tile.places[300:], two.places[:, ::-1])
    assert can_stand(places, [one, two])
    assert not can_stand(places, [molecules(5)])
    assert can_stand(arrangement(), [one, two])


def test_samples_of_several_tables_are_of_one_share():
    one, two = molecules(8000, "one", halved=2), molecules(8000, "two", seed=1)
    places = arrangement(("one", "two"), (1.0, 1.0), ((0.0, 0.0), (0.0, 5000.0)))
    canvas = CanvasMolecules([one, two], places)
    assert canvas.share == one.share == 1 / 4
    view = canvas.look(*box((-1e4, -1e4), (1e4, 1e4)))
    assert view.n_there == pytest.approx(16_000, rel=0.1)
    assert not view.exact
    right = (view.tile.places[:, 1] > 4000).sum()
    assert right == pytest.approx(2000, rel=0.15)


def test_nothing_is_nothing():
    canvas = CanvasMolecules([molecules(0)], arrangement())
    view = canvas.look(*box((0, 0), (1, 1)))
    assert view.n_there == view.n_drawn == len(view.tile.places) == 0
