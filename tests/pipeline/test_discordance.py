"""What a run says of its comparison with the image."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_semst import keys
from napari_semst.cli.output import format_image
from napari_semst.explanation.discordance import explain_discordance
from napari_semst.pipeline.warnings import few_spots
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.summary import discordance_line
from tests.widgets.discordant_tissue import discordant_tissue


def fit(usable, predicted):
    p_value = np.full(usable + 3, np.nan)
    p_value[:usable] = 1
    found = SimpleNamespace(p_value=p_value, predicted=np.array(predicted))
    return SimpleNamespace(discordance=found)


def test_a_run_warns_where_the_image_predicts_nothing():
    (told,) = few_spots(fit(2000, []))
    assert "does not reliably predict" in told
    assert "too few" not in told
    (told,) = few_spots(fit(80, []))
    assert "does not reliably predict" in told
    assert "80 spots are too few" in told


def test_a_run_warns_of_few_spots_and_not_of_many():
    (told,) = few_spots(fit(500, [0.5]))
    assert "Only 500 spots" in told
    assert few_spots(fit(2000, [0.5])) == []
    assert few_spots(SimpleNamespace(discordance=None)) == []


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([], "nothing of expression"),
        ([0.4], "1 pattern of expression, the first to 40%"),
        ([0.8, 0.4], "2 patterns of expression, the first to 80%"),
    ],
)
def test_the_report_says_what_the_image_predicts(shares, said):
    told = {"discordant": 0, "spots": 9, "unusable": 0, "fdr": 0.1, "predicted": shares}
    found = {"kind": ["unexplained"], "spots": [7], "expected_false": [0.002]}
    told |= {"encoder": "builtin", "reasons": {}, "regions": found}
    lines = format_image(told)
    assert "7 spots, unexplained; 0.002 as strong expected by chance" in lines[1]
    assert any(line.endswith(said) for line in lines)


def test_where_nothing_is_predicted_the_dock_and_the_explanation_say_so():
    tissue = discordant_tissue()
    tissue.obs[keys.DISCORDANT] = False
    del tissue.obsm[keys.EXPECTED], tissue.obsm[keys.EXPRESSED]
    facts = tissue.uns[keys.RUNS]["default"]
    facts["training"]["patterns_predicted"] = 0
    called = tissue.obs[keys.DISCORDANT].to_numpy()
    values = tissue.obs[keys.DISCORDANCE].to_numpy()
    (line,) = discordance_line(facts, called, values)
    assert line.startswith(texts.NOT_COMPARED)
    told = explain_discordance(tissue)
    assert told["regions"] == {}
    assert any("nothing was compared" in note for note in told["notes"])
