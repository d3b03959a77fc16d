from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_semst.io.alignment import image_placement
from napari_semst.io.notes import input_warnings
from napari_semst.io.places.mixed_sections import mixed_sections
from napari_semst.io.places.on_image import shares_on_images
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.sections import spots_of
from napari_semst.wording import for_shell
from tests.io.places.grounds import cells, tissue_of

SIDE = 8


def fields_of_view(column="fov", numbers=False):
    """Return a section of 16 fields, places in it, and places in its fields."""
    wide = cells(32) + 0.5
    fields = (wide // SIDE).clip(0, 3).astype(int)
    codes = fields[:, 0] * 4 + fields[:, 1] + 1
    obs = pd.DataFrame(
        {column: codes if numbers else pd.Categorical(codes.astype(str))},
        index=[f"c{i}" for i in range(len(wide))],
    )
    local = wide - fields * SIDE
    return tissue_of(obs, local), wide, local


def saved(tmp_path, tissue):
    tissue.write_h5ad(tmp_path / "a.h5ad")
    return tmp_path / "a.h5ad"


@pytest.mark.parametrize("key", ["spatial_fov", "X_stitched", "global_xy"])
def test_places_in_the_section_are_taken_from_obsm(tmp_path, key):
    tissue, wide, local = fields_of_view()
    tissue.obsm["X_umap"] = np.random.default_rng(0).random(wide.shape)
    tissue.obsm[key] = wide
    path = saved(tmp_path, tissue)
    found = read(path)
    np.testing.assert_array_equal(found.obsm["spatial"], wide)
    np.testing.assert_array_equal(found.obsm["spatial_original"], local)
    told = input_warnings(found)
    assert f"taken, from obsm['{key}']" in told[0]
    assert not any("same ground" in text for text in told)
    assert preview(path).coordinates == f"obsm['{key}']"
    assert f"taken, from obsm['{key}']" in preview(path).remarks[0]
    # What is asked for is used.
    np.testing.assert_array_equal(
        read(path, positions="spatial").obsm["spatial"], local
    )


@pytest.mark.parametrize(
    ("x", "y"),
    [("CenterX_global_px", "CenterY_global_px"), ("stitched_x", "stitched_y")],
)
def test_places_in_the_section_are_taken_from_obs(tmp_path, x, y):
    tissue, wide, _ = fields_of_view("tile", numbers=True)
    # In another unit, counted upwards.
    tissue.obs[x], tissue.obs[y] = 0.12 * wide[:, 0], 100 - 0.12 * wide[:, 1]
    found = read(saved(tmp_path, tissue))
    np.testing.assert_array_equal(found.obsm["spatial"], tissue.obs[[x, y]])


def test_without_other_places_the_column_is_named(tmp_path):
    tissue, _, local = fields_of_view()
    tissue.obsm["X_pca"] = np.random.default_rng(0).random(local.shape)
    found = read(saved(tmp_path, tissue))
    np.testing.assert_array_equal(found.obsm["spatial"], local)
    (told,) = input_warnings(found)
    assert "16 samples on the same ground" in told
    assert "section_key='fov'" in told


def test_images_of_fields_move_with_their_spots(tmp_path):
    tissue, wide, local = fields_of_view()
    image = np.zeros((4 * SIDE, 4 * SIDE, 3), np.uint8)
    factors = {"tissue_hires_scalef": 4.0, "spot_diameter_fullres": 1.0}
    tissue.uns["spatial"] = {
        name: {"images": {"hires": image}, "scalefactors": factors}
        for name in tissue.obs["fov"].cat.categories
    }
    own = {name: shares_on_images(tissue, local)[name] for name in ("1", "7")}
    tissue.obsm["spatial_fov"] = 2 * wide
    found = read(saved(tmp_path, tissue))
    assert shares_on_images(found, found.obsm["spatial"]) == pytest.approx(
        shares_on_images(tissue, local)
    )
    assert {k: shares_on_images(found, found.obsm["spatial"])[k] for k in own} == own
    place = image_placement(found, "7")
    np.testing.assert_allclose(place.scale, 0.5)
    np.testing.assert_allclose(place.bounds()[0], [2 * 2 * SIDE - 1, 2 * SIDE - 1])
    assert spots_of(found, "7").sum() == (tissue.obs["fov"] == "7").sum()


def test_images_that_would_be_mirrored_are_left_out(tmp_path):
    tissue, wide, _ = fields_of_view()
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    entry = {"images": {"hires": image}, "scalefactors": {"tissue_hires_scalef": 1.0}}
    tissue.uns["spatial"] = {"1": entry, "2": entry}
    tissue.obsm["spatial_fov"] = wide * [1, -1]
    found = read(saved(tmp_path, tissue))
    assert found.uns["spatial"]["1"]["images"] == {}
    assert "2 images of fields of view are left out" in input_warnings(found)[1]


def test_a_table_that_was_not_read_is_told_of_its_other_places():
    tissue, wide, _ = fields_of_view()
    tissue.obsm["spatial_fov"] = wide
    found = mixed_sections(tissue)
    assert found.warning.endswith(
        "obsm['spatial_fov']: name them as coordinates, 'spatial_fov'."
    )
    assert for_shell(found.warning).endswith("--coordinates spatial_fov.")
    assert mixed_sections(tissue, wide) is None


def test_real_cells_as_squidpy_reads_them_are_placed_in_the_section(
    shared_data, tmp_path
):
    """Squidpy keeps places in fields under the usual key, the others beside them."""
    folder = shared_data / "instruments/cosmx_dbkero"
    if not folder.is_dir():
        pytest.skip("no CosMx output")
    (path,) = folder.rglob("*metadata_file.csv*")
    told = pd.read_csv(path)
    wide = told[["CenterX_global_px", "CenterY_global_px"]].to_numpy(float)
    # The cells of one field, as if four smaller ones had been taken of them.
    field = told[["CenterX_local_px", "CenterY_local_px"]].to_numpy(float)
    parts = (field > 2100).astype(int)
    obs = told[["Area"]].assign(
        fov=pd.Categorical((2 * parts[:, 0] + parts[:, 1] + 1).astype(str))
    )
    obs.index = [f"c{i}" for i in range(len(obs))]
    tissue = tissue_of(obs, field - 2100 * parts)
    tissue.obsm["spatial_fov"] = wide
    tissue.uns["spatial"] = {
        fov: {"images": {}, "scalefactors": {"tissue_hires_scalef": 1.0}}
        for fov in obs["fov"].cat.categories
    }
    found = read(saved(tmp_path, tissue))
    np.testing.assert_array_equal(found.obsm["spatial"], wide)
    del tissue.obsm["spatial_fov"]
    (warning,) = input_warnings(read(saved(tmp_path, tissue)))
    assert "4 samples on the same ground" in warning


def test_fields_that_samples_count_anew_are_put_in_their_sections(tmp_path):
    parts = {}
    for place, name in enumerate("ab"):
        tissue, wide, _ = fields_of_view(numbers=True)
        tissue.obs_names = [f"{name}{i}" for i in range(len(wide))]
        tissue.obsm["spatial_fov"] = wide * (1 - 2 * place) + 3 * place
        tissue.obsm["spatial"] = tissue.obsm["spatial"] * (1 - 2 * place)
        parts[name] = tissue
    parts["b"].obsm["spatial"] = parts["b"].obsm["spatial"] + SIDE
    # The second is turned, in its fields and as a whole; both are scaled alike.
    for tissue in parts.values():
        tissue.obsm["spatial_fov"] = tissue.obsm["spatial_fov"] * 2.0
    joined = anndata.concat(parts, label="mouse")
    path = saved(tmp_path, joined)
    found = read(path)
    np.testing.assert_array_equal(found.obsm["spatial"], joined.obsm["spatial_fov"])
    told = input_warnings(found)
    assert "inside the 32 values of obs['mouse'] and obs['fov']" in told[0]
    # Where the two lie on one another, they are still to be kept apart.
    joined.obsm["spatial_fov"] = np.where(
        (joined.obs["mouse"] == "b").to_numpy()[:, None],
        joined.obsm["spatial_fov"] + 2.0 * 4 * SIDE,
        joined.obsm["spatial_fov"],
    )
    told = input_warnings(read(saved(tmp_path, joined)))
    assert "2 samples on the same ground (a, b; see obs['mouse'])" in told[-1]
    assert told[-1].endswith("section_key='mouse'.")
