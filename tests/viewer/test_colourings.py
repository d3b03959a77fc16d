from __future__ import annotations

import numpy as np
import pandas as pd

from napari_semst import keys
from napari_semst.viewer import colourings
from napari_semst.viewer.colour import colors_of, paint_of
from tests.widgets.stand_in import small_tissue


def labels(tissue, run=""):
    return [c.label for c in colourings.colourings(tissue, run)]


def with_runs():
    tissue = small_tissue()
    for run, k in (("default", 2), ("fine", 5)):
        domain = pd.Categorical([str(i % k + 1) for i in range(tissue.n_obs)])
        for key in (keys.DOMAIN, keys.of_run(keys.DOMAIN, run)):
            tissue.obs[key] = domain
    tissue.obs[keys.CONFIDENCE] = 0.5
    return tissue


def test_a_raw_section_opens_with_its_counts_not_its_annotation():
    tissue = small_tissue()
    assert colourings.first_colouring(tissue).key == colourings.TOTAL_COUNTS
    assert labels(tissue) == ["Total counts", "ground_truth"]


def test_only_annotations_are_offered_of_the_other_columns():
    tissue = small_tissue()
    n = tissue.n_obs
    tissue.obs["array_row"] = np.arange(n)
    tissue.obs["names"] = [f"name {i}" for i in range(n)]
    tissue.obs["one"] = "same"
    tissue.obs["flag"] = np.arange(n) % 2 == 0
    tissue.obs["text"] = pd.Series(["a", "b", None] * (n // 3), index=tissue.obs_names)
    assert labels(tissue) == ["Total counts", "ground_truth", "flag", "text"]
    text = colourings.colourings(tissue)[-1]
    codes, names = colourings.category_values(tissue, text)
    assert names == ["a", "b"]
    assert (codes == -1).sum() == n // 3


def test_runs_and_the_latest_of_them():
    tissue = with_runs()
    assert colourings.runs(tissue) == ("default", "fine")
    assert colourings.latest_run(tissue) == "fine"
    found = {c.key: c.column for c in colourings.colourings(tissue, "default")}
    assert found[keys.DOMAIN] == "semst_domain_default"
    # The bare column is of the latest run, so it is not shown as an older one's.
    assert keys.CONFIDENCE not in found
    found = {c.key: c.column for c in colourings.colourings(tissue, "fine")}
    assert found[keys.CONFIDENCE] == keys.CONFIDENCE


def test_the_latest_run_is_the_one_that_was_attached_last():
    """Two runs can find the same: then equal labels do not tell them apart."""
    tissue = with_runs()
    tissue.obs["semst_domain_same"] = tissue.obs["semst_domain_fine"]
    tissue.uns[keys.LATEST] = "fine"
    assert colourings.latest_run(tissue) == "fine"
    tissue.uns[keys.LATEST] = "gone"
    assert colourings.latest_run(tissue) == "same"


def test_a_run_called_like_a_result_is_no_other_result():
    tissue = with_runs()
    tissue.obs["semst_domain_scale"] = tissue.obs["semst_domain_default"]
    tissue.obs[keys.MODULATION] = 0.1
    tissue.obs[keys.MODULATION_SCALE] = 0.2
    tissue.uns[keys.LATEST] = "scale"
    found = {c.key: c.column for c in colourings.colourings(tissue, "scale")}
    assert found[keys.DOMAIN] == "semst_domain_scale"
    assert found[keys.MODULATION] == "semst_modulation"
    tissue.uns[keys.LATEST] = "fine"
    found = {c.key: c.column for c in colourings.colourings(tissue, "scale")}
    assert keys.MODULATION not in found


def test_without_a_main_table_spots_are_grey():
    tissue = small_tissue()
    tissue.X = None
    assert np.isnan(colourings.total_counts(tissue)).all()
    paint = paint_of(tissue, colourings.first_colouring(tissue))
    assert paint.n_missing == tissue.n_obs


def test_stored_colours_are_kept_per_category():
    tissue = with_runs()
    colouring = colourings.first_colouring(tissue)
    stored = ["#111111", "#222222", "#333333", "#444444", "#555555"]
    tissue.uns["semst_domain_colors"] = np.array(stored)
    _, names = colourings.category_values(tissue, colouring)
    assert colors_of(tissue, colouring, names) == tuple(stored)
    part = tissue[(tissue.obs[keys.DOMAIN] != "1").to_numpy()].copy()
    part.obs[keys.DOMAIN] = part.obs[keys.DOMAIN].cat.set_categories(list("12345"))
    part.uns["semst_domain_colors"] = np.array(stored)
    _, names = colourings.category_values(part, colouring)
    assert colors_of(part, colouring, names) == tuple(stored[1:])


def test_total_counts_are_those_of_the_matrix():
    tissue = small_tissue()
    expected = np.asarray(tissue.X.toarray().sum(axis=1))
    np.testing.assert_allclose(colourings.total_counts(tissue), expected)
    paint = paint_of(tissue, colourings.first_colouring(tissue))
    assert paint.rgba.shape == (tissue.n_obs, 4)


def test_a_kept_level_is_offered_as_a_colouring_and_is_no_run():
    tissue = with_runs()
    tissue.uns[keys.RUNS] = {"default": {}, "fine": {}, "at_2": {}}
    for name in ("at_2", "at_4", "at_last"):
        tissue.obs[f"semst_domain_{name}"] = tissue.obs["semst_domain_default"]
    assert colourings.kept_levels(tissue) == {"semst_domain_at_4": 4}
    assert colourings.runs(tissue) == ("default", "fine", "at_2", "at_last")
    offered = {c.label: c for c in colourings.colourings(tissue, "fine")}
    assert offered["Domains, 4 kept"].column == "semst_domain_at_4"
    assert paint_of(tissue, offered["Domains, 4 kept"]).entries[0].count == 60


def test_confidence_and_curve_are_those_of_the_run():
    tissue = with_runs()
    curve = {"k": [2, 3], "chosen": 2}
    tissue.uns[keys.RUNS] = {"default": {"number_of_domains": curve}, "fine": {}}
    assert colourings.number_curve(tissue, "default") == curve
    assert colourings.number_curve(tissue, "fine") is None
    assert colourings.number_curve(tissue, "gone") is None
    # The latest run is "fine": confidence is kept for it alone.
    assert colourings.confidence_of(tissue, "default") is None
    assert (colourings.confidence_of(tissue, "fine") == 0.5).all()


def test_a_column_called_total_counts_is_itself():
    """The column that scanpy's quality control writes."""
    tissue = small_tissue()
    tissue.obs["total_counts"] = np.arange(120.0)
    own = colourings.colouring_for_key(tissue, "total_counts")
    np.testing.assert_array_equal(
        colourings.number_values(tissue, own), np.arange(120.0)
    )
    ours = colourings.colouring_for_key(tissue, colourings.TOTAL_COUNTS)
    assert colourings.number_values(tissue, ours)[0] == tissue.X[0].sum()
