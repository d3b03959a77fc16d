from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.io.alignment import share_inside
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import part_called, preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from tests.io.outs import write_segmented
from tests.io.readers.test_visium_hd import run_of


def assert_cells(found, tissue, *, shift=0.0):
    assert list(found.obs_names) == [f"cellid_{i + 1:09d}-1" for i in range(len(found))]
    assert list(found.var_names) == list(tissue.var_names)
    assert (found.X != tissue.X).nnz == 0
    places = np.asarray(tissue.obsm["spatial"]) + np.array([shift, 0])
    np.testing.assert_allclose(found.obsm["spatial"], places)


@pytest.mark.parametrize("given", ["..", ".", "segmented_outputs", "spatial"])
def test_cells_lie_at_the_centres_of_their_outlines(tmp_path, tissue, given):
    outs = tmp_path / "S1" / "outs"
    folder = write_segmented(outs, tissue)
    place = {"spatial": folder / "spatial"}.get(given, outs / given)
    assert detect_format(place).name == "visium_hd"
    found = read(place)
    assert_cells(found, tissue)
    entry = found.uns["spatial"]["V1_Section"]
    factors = entry["scalefactors"]
    assert factors["spot_diameter_fullres"] == pytest.approx(18 * np.sqrt(4 / np.pi))
    assert factors["microns_per_pixel"] == 0.27
    assert entry["images"]["hires"].shape == (750, 850, 3)
    assert share_inside(found) == 1.0
    assert input_warnings(found) == []
    seen = preview(place)
    assert (seen.n_spots, seen.n_genes, seen.part) == (*tissue.shape, "cells")
    assert seen.image == (750, 850)


def test_nuclei_have_places_of_their_own(tmp_path, tissue):
    outs = tmp_path / "outs"
    write_segmented(outs, tissue)
    found = read(outs, part="nuclei")
    assert_cells(found, tissue, shift=2)
    diameter = found.uns["spatial"]["V1_Section"]["scalefactors"]
    assert diameter["spot_diameter_fullres"] == pytest.approx(8 * np.sqrt(4 / np.pi))
    (outs / "segmented_outputs" / "nucleus_segmentations.geojson").unlink()
    with pytest.raises(InputError, match=r"nucleus_segmentations.*found cell_segm"):
        read(outs, part="nuclei")


def test_bins_of_8_go_first_and_cells_are_told(tmp_path, tissue):
    outs = run_of(tmp_path / "outs", tissue, 2, 8)
    write_segmented(outs, tissue, image="")
    found = read(outs)
    assert found.n_obs == 160
    seen = preview(outs)
    assert seen.part == "bins of 8 micrometres"
    assert seen.parts[1:] == ("bins of 8 micrometres", "cells", "nuclei")
    for part in ("cells", "segmented", "segmented_outputs", part_called(seen.parts[2])):
        cells = read(outs, part=part)
        assert_cells(cells, tissue)
        # The image of the slide, but no size of bins.
        section = cells.uns["spatial"]["V1_Section"]
        assert section["scalefactors"]["spot_diameter_fullres"] != 55.5
        assert share_inside(cells) == 1.0
        assert cells.uns["semst_input"]["other_bin_sizes"] == [2, 8]
    with pytest.raises(
        InputError, match="bins of 2, 8 micrometres and cells and nuclei"
    ):
        read(outs, part=4)


def test_a_run_without_cells_says_so(tmp_path, tissue):
    outs = run_of(tmp_path / "outs", tissue, 8)
    with pytest.raises(InputError, match=r"segmented cells.*found bins of 8 micro"):
        read(outs, part="cells")


def test_prefixed_and_packed_outlines(tmp_path, tissue):
    folder = write_segmented(tmp_path / "outs", tissue, parts=("cell",))
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in [p for p in folder.rglob("*") if p.is_file()]:
        held = gzip.compress(file.read_bytes())
        (flat / f"GSM9_A_{file.name}.gz").write_bytes(held)
    found = read(flat)
    assert_cells(found, tissue)
    assert share_inside(found) == 1.0


def test_the_copy_with_clusters_will_do(tmp_path, tissue):
    folder = write_segmented(tmp_path / "outs", tissue, parts=("cell",))
    file = folder / "cell_segmentations.geojson"
    file.rename(folder / f"graphclust_annotated_{file.name}")
    assert_cells(read(folder), tissue)


def test_cells_without_an_outline_are_left_out_and_said(tmp_path, tissue):
    folder = write_segmented(tmp_path / "outs", tissue)
    file = folder / "cell_segmentations.geojson"
    held = json.loads(file.read_text())
    held["features"] = held["features"][:-10]
    file.write_text(json.dumps(held))
    found = read(folder)
    assert found.obs_names[0] == "cellid_000000011-1"
    assert found.n_obs == tissue.n_obs - 10
    assert "10 of" in input_warnings(found)[0]
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"][10:])


def test_outlines_of_another_run_are_refused(tmp_path, tissue):
    folder = write_segmented(tmp_path / "outs", tissue)
    file = folder / "cell_segmentations.geojson"
    held = json.loads(file.read_text())
    for feature in held["features"]:
        feature["properties"]["cell_id"] += 10**6
    file.write_text(json.dumps(held))
    with pytest.raises(InputError, match=r"share none.*cellid_000000001-1"):
        read(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "Topology"}', "as a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "found no Polygon"),
        ("[1, 2]", "features with a cell_id"),
        ("", "file is empty"),
        ("no json", "as a GeoJSON FeatureCollection"),
        ('{"features": [{"geometry": {"type": "Polygon", "coor', "cut short"),
    ],
)
def test_other_files_are_refused_in_plain_words(tmp_path, tissue, text, message):
    folder = write_segmented(tmp_path / "outs", tissue)
    (folder / "cell_segmentations.geojson").write_text(text)
    with pytest.raises(InputError, match=message):
        read(folder)


def test_the_matrix_alone_says_what_is_missing(tmp_path, tissue):
    folder = write_segmented(tmp_path / "outs", tissue, image="")
    for file in folder.glob("*.geojson"):
        file.unlink()
    for place in (folder, folder.parent):
        with pytest.raises(InputError, match=r"cell_segmentations.*outlines none"):
            read(place)
