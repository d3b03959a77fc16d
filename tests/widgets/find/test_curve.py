"""The number of domains: given or to be chosen, and the curve of the choice."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from qtpy.QtCore import QPoint
from qtpy.QtGui import QColor, QImage, QPalette, QRegion
from qtpy.QtWidgets import QWidget

from napari_semst import keys, simulated_cortex
from napari_semst.config import AUTO_DOMAINS
from napari_semst.widgets.find.curve import CurvePlot
from napari_semst.widgets.find.fields import NumberField
from napari_semst.widgets.find.summary import chosen_line
from tests.widgets.docks import add
from tests.widgets.stand_in import section_with_levels


def test_a_number_or_automatic(qtbot):
    field = NumberField()
    qtbot.addWidget(field)
    assert field.value() == 7
    field.automatic.setChecked(True)
    assert field.value() == AUTO_DOMAINS
    assert not field.spin.isEnabled()
    field.setValue(5)
    assert (field.value(), field.automatic.isChecked()) == (5, False)
    assert field.spin.isEnabled()
    # Settings that hold -1 show as Automatic, and the number typed before waits.
    field.setValue(AUTO_DOMAINS)
    assert field.automatic.isChecked()
    field.automatic.setChecked(False)
    assert field.value() == 5


def test_the_choice_in_words_as_it_runs_and_as_a_file_holds_it():
    curve = {"chosen": 8, "runners_up": [7, 9]}
    said = ["8 domains chosen; next best 7 and 9."]
    assert chosen_line({"number_of_domains": curve}) == said
    read = {"chosen": np.int64(8), "runners_up": np.array([7, 9])}
    assert chosen_line({"number_of_domains": read}) == said
    assert chosen_line({}) == []


def test_the_curve_tells_its_values(qtbot):
    tissue = section_with_levels(auto=True)
    plot = CurvePlot()
    qtbot.addWidget(plot)
    plot.grab()  # before any curve nothing is painted
    plot.show_curve(tissue.uns[keys.RUNS]["default"]["number_of_domains"])
    assert (plot.chosen, plot.runners_up) == (3, (4, 2))
    assert plot.values_at(3).startswith("3 domains (chosen)")
    assert "stability 0.6" in plot.values_at(4)
    assert "(next best)" in plot.values_at(4)
    assert plot.minimumSizeHint().width() <= 300


@pytest.mark.parametrize(
    ("ground", "ink"), [("#ffffff", "#101010"), ("#262930", "#f0f1f2")]
)
def test_the_curve_is_painted_on_any_ground(qtbot, ground, ink):
    plot = CurvePlot()
    qtbot.addWidget(plot)
    colors = plot.palette()
    colors.setColor(QPalette.ColorRole.Window, QColor(ground))
    colors.setColor(QPalette.ColorRole.WindowText, QColor(ink))
    plot.setPalette(colors)
    facts = section_with_levels(auto=True).uns[keys.RUNS]["default"]
    plot.show_curve(facts["number_of_domains"])
    plot.resize(330, plot.sizeHint().height())
    image = QImage(plot.size(), QImage.Format.Format_ARGB32)
    image.fill(QColor("#ff00ff"))
    plot.render(image, QPoint(), QRegion(), QWidget.RenderFlag(0))
    width, height = image.width(), image.height()
    found = Counter(
        image.pixelColor(x, y).name() for x in range(width) for y in range(height)
    )
    # Discs at the chosen number, rings filled with the ground at the next best.
    for color in ("#3a86c8", "#d66e1e", "#1e9e7d"):
        assert found[color] > 20, color
    assert found[ground] > 6 * 12
    assert any(_near(QColor(name), QColor(ink)) for name in found)


def _near(one, other):
    pairs = zip(one.getRgb(), other.getRgb(), strict=True)
    return max(abs(a - b) for a, b in pairs) < 40


def test_curve_is_there_only_where_the_run_chose(viewer, real_dock):
    dock = real_dock
    add(viewer, section_with_levels(auto=True), "Chosen")
    assert not dock.results.curve_part.isHidden()
    assert not dock.results.curve_part.isExpanded()
    add(viewer, section_with_levels(), "Given")
    assert dock.results.curve_part.isHidden()


def test_a_run_that_chooses(qtbot, viewer, real_dock):
    dock = real_dock
    tissue = simulated_cortex(200, 300, seed=1, image=False)
    add(viewer, tissue)
    dock.settings.recipe.setCurrentIndex(dock.settings.recipe.findData("quick"))
    dock.settings.n_domains.automatic.setChecked(True)
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.controller.job is None, timeout=60_000)
    facts = tissue.uns[keys.RUNS]["default"]
    curve = facts["number_of_domains"]
    assert facts["config"]["domains"]["n_domains"] == AUTO_DOMAINS
    assert tissue.obs[keys.DOMAIN].nunique() == curve["chosen"]
    one, other = curve["runners_up"]
    text = dock.card.text.text()
    assert f"{curve['chosen']} domains chosen; next best {one} and {other}." in text
    assert all(warning in text for warning in facts["warnings"])
    assert not dock.results.curve_part.isHidden()
    assert dock.results.curve.k == tuple(curve["k"])
    bar = dock.results.level_bar
    assert bar.slider.value() == curve["chosen"]
    assert bar.slider.maximum() == facts["hierarchy"]["n_fine"]
