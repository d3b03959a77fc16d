"""What is painted before anything is learnt: where asked for, and at no double work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_semst.core.progress import Cancelled, RunControl, run_to_end
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline.inputs import section_inputs
from napari_semst.pipeline.run import find_domains
from napari_semst.prepare.components import ExpressionAxes
from tests.small import short


def _events(tissue, method, control):
    request = short("auto", model={"method": method})
    return list(find_domains(tissue, request, control))


def _watching():
    control = RunControl()
    control.snapshot_every(0.0)
    return control


@pytest.fixture
def times(monkeypatch):
    """Count how often components are found."""
    calls = []
    found = ExpressionAxes.of_section

    def counted(*given, **named):
        calls.append(given)
        return found(*given, **named)

    monkeypatch.setattr(ExpressionAxes, "of_section", counted)
    return calls


@pytest.mark.parametrize("method", ["semst", "stagate"])
def test_the_first_look_comes_before_all_that_takes_long(tissue, times, method):
    events = _events(tissue, method, _watching())
    looks = [event for event in events if event.latent is not None]
    assert looks[0].stage == "prepare"
    assert looks[0].latent.shape[0] == tissue.n_obs
    later = events[events.index(looks[0]) + 1 :]
    assert {"train", "assign"} <= {event.stage for event in later}
    assert len(times) == 1


def test_it_is_averaged_over_neighbours(tissue):
    events = _events(tissue, "semst", _watching())
    latent = next(event.latent for event in events if event.latent is not None)
    places = tissue.obsm["spatial"]
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    nearest = np.argsort(apart, axis=1)[:, 1]
    others = np.random.default_rng(0).permutation(len(places))
    near = np.linalg.norm(latent - latent[nearest], axis=1).mean()
    assert near < 0.6 * np.linalg.norm(latent - latent[others], axis=1).mean()


@pytest.mark.parametrize(
    ("method", "control"), [("semst", RunControl()), ("quick", _watching())]
)
def test_nothing_is_shown_where_nobody_looks_or_nothing_is_learnt(
    tissue, times, method, control
):
    events = _events(tissue, method, control)
    assert not [e for e in events if e.stage == "prepare" and e.latent is not None]
    assert len(times) == 1


def test_it_can_be_cancelled(tissue):
    control = _watching()
    events = find_domains(tissue, short("auto"), control)
    while "first look" not in next(events).message:
        pass
    control.cancel()
    with pytest.raises(Cancelled):
        next(events)


def test_components_go_with_an_image_and_with_nothing_else(tissue, times):
    config = resolve(short("auto"))
    section = run_to_end(section_inputs(tissue, config).prepared(RunControl()))
    kept = section.keep_components(0)
    assert section.with_morphology(None).components(0) is kept
    fewer = replace(section, counts=section.counts * 2)
    assert fewer.components(0) is not kept
    assert len(times) == 2
