"""What a run says of its comparison with the image."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from napari_semst import keys, read
from napari_semst.cli.output import format_image
from napari_semst.core.progress import run_to_end
from napari_semst.errors import ConfigError
from napari_semst.explanation.discordance import explain_discordance
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.export.h5ad import write
from napari_semst.methods.image_guided.discordance_result import Discordance
from napari_semst.methods.image_guided.power import RegionPower
from napari_semst.methods.image_guided.regions import RegionFound
from napari_semst.pipeline.evidence import arrays_evidence
from napari_semst.pipeline.result import DomainResult, attach
from napari_semst.pipeline.run import find_domains
from napari_semst.pipeline.warnings import few_spots
from napari_semst.sample.simulate_discordance import simulated_discordance
from napari_semst.viewer.colour import paint_of
from napari_semst.viewer.colourings import DISCORDANT_NAMES, colouring_for_key
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.summary import discordance_line
from tests.small import short
from tests.widgets.discordant_tissue import discordant_tissue


def test_a_reference_that_is_not_there_is_refused_before_images_are_read(monkeypatch):
    def unwanted(*_):
        raise AssertionError("The image was read")

    monkeypatch.setattr(
        "napari_semst.morphology.describe.describe_morphology", unwanted
    )
    parts = {
        name: simulated_discordance(300, 200, image=False, seed=seed)
        for seed, name in enumerate("ab")
    }
    request = short(
        k=3, model={"method": "image-guided"}, image_guided={"reference": "c"}
    )
    with pytest.raises(ConfigError, match="there is no 'c'"):
        run_to_end(find_domains(join_sections(parts), request))


def fit(usable, predicted):
    p_value = np.full(usable + 3, np.nan)
    p_value[:usable] = 1
    found = SimpleNamespace(
        p_value=p_value,
        p_unexplained=p_value,
        predicted=np.array(predicted),
        offset=None,
        sections=(),
        power=(RegionPower(15, 0.75, np.nan),),
    )
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
    assert "regions of 15 spots are found where 75% of their" in told
    assert "what is unexplained was not asked" in told
    assert few_spots(fit(2000, [0.5])) == []
    assert few_spots(SimpleNamespace(discordance=None)) == []


def test_a_run_warns_of_sections_that_are_not_asked_what_is_unexplained():
    found = fit(2000, [0.5])
    unexplained = found.discordance.p_value.copy()
    unexplained[:800] = np.nan
    found.discordance.p_unexplained = unexplained
    (told,) = few_spots(found)
    assert told.startswith("What is unexplained was not asked of 800 spots")


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


def with_calls(regions):
    """Return a tissue of 12 spots with what a run says of them; the last is unknown."""
    zeros, none = np.zeros(12, np.float32), np.zeros((12, 0), np.float32)
    fdr = np.where(np.arange(12) == 11, np.nan, zeros + 1).astype(np.float32)
    kind = np.zeros(12, np.int8)
    for region in regions:
        kind[region.spots] = region.kind
    found = Discordance(
        *[zeros] * 3, none, *[zeros] * 2, fdr, kind, regions, none, none, np.ones(1), 9
    )
    tissue = AnnData(
        np.ones((12, 3), np.float32), obs=pd.DataFrame(index=list("abcdefghijkl"))
    )
    result = DomainResult(np.arange(12) % 2, ("1", "2"), none, discordance=found)
    return attach(tissue, result, "ig")


def test_spots_that_were_not_compared_are_of_no_kind_and_columns_can_be_stored(
    tmp_path,
):
    for regions in ((), (RegionFound(np.arange(3, 6), 2, 9.0, 0.01, 0.01),)):
        tissue = with_calls(regions)
        write(tissue, tmp_path / "ig.h5ad", overwrite=True)
        for one in (tissue, read(tmp_path / "ig.h5ad")):
            kind, region = (
                one.obs[key] for key in (keys.DISCORDANCE_KIND, keys.DISCORDANT_REGION)
            )
            assert kind.isna().to_numpy().nonzero()[0].tolist() == [11]
            assert (kind == "unexplained").sum() == 3 * len(regions)
            assert region.notna().sum() == 3 * len(regions)
            evidence = arrays_evidence(one)["obs"]
            assert evidence == arrays_evidence(tissue)["obs"]
    tissue.obs[keys.DISCORDANT_REGION] = tissue.obs[keys.DISCORDANT_REGION].shift(1)
    assert arrays_evidence(tissue)["obs"] != evidence
    legend = paint_of(tissue, colouring_for_key(tissue, keys.DISCORDANCE_KIND)).entries
    names = [entry.name for entry in legend]
    assert names == [DISCORDANT_NAMES[0], "unexplained", "none"]
    assert len({entry.color for entry in legend}) == 3


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
