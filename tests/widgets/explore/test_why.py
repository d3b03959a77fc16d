"""Explanations in the dock "Explore domains", worked out for real on small sections."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_semst.core.progress import Progress
from napari_semst.explanation import explain as module
from napari_semst.explanation.types import ExplainOptions
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.why import WhyPanel
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def tissue():
    found = small_tissue()
    counts = found.X.toarray()
    counts[(found.obs["ground_truth"] == "upper").to_numpy(), 2] += 9
    found.X = type(found.X)(counts)
    found.obs["half"] = pd.Categorical(
        np.where(np.arange(120) % 12 < 6, "left", "right")
    )
    return found


@pytest.fixture
def dock(dock, tissue):
    add(dock._viewer, tissue)
    return dock


def test_labels_are_explained_by_the_genes_that_set_them_apart(qtbot, dock):
    dock.colour_by("ground_truth")
    dock.why.button.click()
    assert not dock.why.button.isEnabled()
    qtbot.waitUntil(lambda: dock.card.title.text() == texts.EXPLAINED, timeout=60_000)
    assert "GENE2" in dock.why.text.text()
    # Those of the names chosen alone.
    items = dock.legend.tree
    items.topLevelItem(1).setSelected(True)
    upper = dock.why.text.text()
    items.clearSelection()
    items.topLevelItem(0).setSelected(True)
    assert upper != dock.why.text.text()
    assert "GENE2" in upper
    # They are of these labels, and of no others.
    dock.colour_by("half")
    assert dock.why.text.isHidden()
    dock.colour_by("ground_truth")
    assert not dock.why.text.isHidden()


def test_numbers_are_not_explained(dock):
    dock.colour_by("gene:GENE1")
    assert not dock.why.isEnabled()
    dock.reasons.ask()
    assert dock.card.title.text() == texts.CHOOSE_DOMAINS


def test_an_error_reaches_the_card(qtbot, dock, monkeypatch):
    def broken(*given):
        raise RuntimeError("out of luck")
        yield

    monkeypatch.setattr(module, "explain_steps", broken)
    dock.colour_by("ground_truth")
    dock.why.button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "error", timeout=60_000)
    assert "out of luck" in dock.card.text.text()
    assert dock.why.button.isEnabled()


@pytest.fixture
def ended(monkeypatch):
    """What endless explanations note when they end."""
    noted = []

    def endless(tissue, wanted, control):
        try:
            while True:
                control.check()
                yield Progress("explain", 1, 10, "Comparing")
        finally:
            noted.append(True)

    monkeypatch.setattr(module, "explain_steps", endless)
    return noted


def test_a_panel_that_is_gone_explains_nothing_more(qtbot, tissue, ended):
    panel = WhyPanel()
    panel.ask(tissue, tissue, ExplainOptions(labels="ground_truth"))
    qtbot.waitUntil(lambda: panel.message.text() == "Comparing", timeout=60_000)
    panel.deleteLater()
    qtbot.waitUntil(lambda: bool(ended), timeout=60_000)


def test_what_is_cancelled_does_not_come_back(qtbot, dock, ended):
    dock.colour_by("ground_truth")
    dock.why.button.click()
    qtbot.waitUntil(lambda: dock.why.message.text() == "Comparing", timeout=60_000)
    dock.why.cancel_button.click()
    assert dock.why.button.isEnabled()
    qtbot.waitUntil(lambda: bool(ended), timeout=60_000)
    assert dock.card.title.text() != texts.EXPLAINED
