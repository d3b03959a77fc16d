"""The test without semantics in the dock "Explore domains", done for real and small."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_semst import keys
from napari_semst.core.progress import Progress
from napari_semst.errors import SemanticsError
from napari_semst.explanation import explain as module
from napari_semst.pipeline.run import attach
from napari_semst.widgets.explore import texts, without_semantics
from napari_semst.widgets.explore import why as why_part
from napari_semst.widgets.explore.texts import TIPS
from tests.small import found, named, short
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def labelled():
    tissue = named(small_tissue(image=False))
    return attach(tissue, found(tissue, short()))


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(dock, labelled):
    add(dock._viewer, labelled)
    dock.colour_by(keys.DOMAIN)
    return dock


def unfolded(qtbot, dock):
    """Open the part Why, as its title does, and wait for the forecast."""
    fold = dock.why.parent()
    while not hasattr(fold, "expand"):
        fold = fold.parent()
    fold.expand()
    qtbot.waitUntil(dock.why.isVisible, timeout=5_000)
    qtbot.waitUntil(lambda: not dock.reasons.ahead.busy, timeout=30_000)
    return dock.why


@pytest.mark.screen
def test_domains_are_tested_without_semantics(qtbot, dock, labelled):
    why = unfolded(qtbot, dock)
    assert why.test_button.isEnabled()
    why.test_button.click()
    assert not why.test_button.isEnabled()
    assert not why.button.isEnabled()
    qtbot.waitUntil(lambda: dock.card.title.text() == texts.EXPLAINED, timeout=90_000)
    assert "without semantics" in why.text.text()
    kept = labelled.uns[keys.RUNS]["default"]["explanation"]["domains"]["1"]
    assert set(kept["counterfactual"]) == {"without_semantics", "other_seed"}
    assert "with another seed" in dock.card.text.text()
    assert why.test_button.isEnabled()


@pytest.mark.screen
def test_the_card_names_the_button_and_no_option(qtbot, dock, labelled):
    labelled.obs[keys.MODULATION] = 0.5
    why = unfolded(qtbot, dock)
    why.button.click()
    qtbot.waitUntil(lambda: dock.card.title.text() == texts.EXPLAINED, timeout=60_000)
    assert f"press {texts.TEST}." in dock.card.text.text()
    assert why.test_button.text() == texts.TEST
    for word in ("--", "counterfactual", "True"):
        assert word not in dock.card.text.text()


@pytest.mark.screen
def test_the_tooltip_tells_how_long_it_takes(qtbot, dock):
    tip = unfolded(qtbot, dock).test_button.toolTip()
    assert tip.startswith(TIPS["test"])
    assert "Forecast" in tip
    assert "of memory" in tip


def test_both_runs_are_foreseen(labelled):
    from napari_semst.pipeline import forecast

    one = []
    real = forecast.forecast

    def spied(*given):
        one.append(real(*given).seconds)
        return SimpleNamespace(seconds=100.0 * len(one), memory=0.0, free=0.0)

    patch = pytest.MonkeyPatch()
    patch.setattr(forecast, "forecast", spied)
    try:
        run, told = without_semantics.forecast_test(labelled, "default")
    finally:
        patch.undo()
    assert run == "default"
    assert "5 min" in told  # 100 s without semantics, and 200 s with another seed
    assert len(one) == 2


def test_what_leaves_the_machine_is_told_before(labelled):
    recorded = labelled.uns[keys.RUNS]["default"]["config"]["semantics"]
    recorded["source"], recorded["url"] = "server", "https://genes.example:8443/v1"
    _, told = without_semantics.forecast_test(labelled, "default")
    assert "sent to genes.example:8443." in told


@pytest.mark.screen
def test_labels_that_are_of_no_run_are_not_tested(qtbot, dock):
    why = unfolded(qtbot, dock)
    dock.colour_by("ground_truth")
    assert why.button.isEnabled()
    assert not why.test_button.isEnabled()
    assert texts.NOT_A_RUN in why.test_button.toolTip()
    dock.colour_by(keys.DOMAIN)
    assert why.test_button.isEnabled()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda run: run["config"]["semantics"].update(source="none"), "had none"),
        (lambda run: run.update(model="model.safetensors"), "saved model"),
    ],
)
def test_runs_that_cannot_be_repeated_are_not_tested(labelled, change, reason):
    assert without_semantics.reason_not_testable(labelled, "default") == ""
    change(labelled.uns[keys.RUNS]["default"])
    assert reason in without_semantics.reason_not_testable(labelled, "default")
    assert "nobody" in without_semantics.reason_not_testable(labelled, "nobody")


@pytest.mark.screen
def test_it_is_cancelled_as_the_rest_is(qtbot, dock, monkeypatch):
    ended = []

    def endless(tissue, wanted, control):
        assert wanted.counterfactual
        try:
            while True:
                control.check()
                yield Progress("train", 1, 10, "Without semantics: train")
        finally:
            ended.append(True)

    monkeypatch.setattr(module, "explain_steps", endless)
    why = unfolded(qtbot, dock)
    why.test_button.click()
    qtbot.waitUntil(lambda: why.message.text().startswith("Without"), timeout=60_000)
    assert not why.test_button.isEnabled()
    why.cancel_button.click()
    qtbot.waitUntil(lambda: bool(ended), timeout=60_000)
    assert why.test_button.isEnabled()
    assert dock.card.title.text() != texts.EXPLAINED


@pytest.mark.screen
def test_a_large_download_is_asked_about_first(qtbot, dock, monkeypatch):
    began = []
    monkeypatch.setattr(why_part, "may_download", lambda config: True)
    monkeypatch.setattr(dock.reasons.downloads, "check", began.append)
    monkeypatch.setattr(dock.why, "ask", lambda *given: began.append("asked"))
    why = unfolded(qtbot, dock)
    ready = why.message.text()
    for answer in ("declined", "failed", "cancelled", "agreed"):
        began.clear()
        why.test_button.click()
        assert why.message.text() == texts.TEST_CHECKS
        assert len(began) == 1
        if answer == "cancelled":
            why.cancel_button.click()
            # The answer to the question comes too late.
            dock.reasons.downloads.agreed.emit()
        elif answer == "failed":
            dock.reasons.downloads.failed.emit(SemanticsError("no such model"), "")
            assert "no such model" in dock.card.text.text()
        else:
            getattr(dock.reasons.downloads, answer).emit()
        assert ("asked" in began) == (answer == "agreed")
        if answer != "agreed":
            assert why.message.text() == ready
            assert why.test_button.isEnabled()
