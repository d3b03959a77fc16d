"""Any input becomes AnnData or SpatialData: nothing lost, nothing moved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from napari_semst import keys
from napari_semst.cli.main import app
from napari_semst.errors import ConfigError, CountsError, SaveError
from napari_semst.io.alignment import image_placement
from napari_semst.io.export.spatialdata_store import write_spatialdata
from napari_semst.io.manual_alignment import Adjustment, adjust
from napari_semst.io.matrices import named_layers
from napari_semst.io.places.landmarks import (
    landmarks_of,
    register_image,
    write_landmarks,
)
from napari_semst.io.read import read
from napari_semst.pipeline.convert import convert
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.wording import for_shell
from tests.io.folders import write_xenium
from tests.io.outs import write_outs
from tests.io.places.test_added_image import stained, write_tiff
from tests.io.test_preview import WRITERS
from tests.widgets.stand_in import small_tissue

if TYPE_CHECKING:
    from anndata import AnnData


def assert_same(back: AnnData, tissue: AnnData) -> None:
    """Compare counts, names, places, columns and layers of two tissues."""
    assert list(back.obs_names) == list(tissue.obs_names)
    assert list(back.var_names) == list(tissue.var_names)
    assert back.X.dtype == tissue.X.dtype
    assert abs(back.X - tissue.X).max() == 0
    np.testing.assert_array_equal(back.obsm["spatial"], tissue.obsm["spatial"])
    for column in tissue.obs:
        one, other = back.obs[column], tissue.obs[column]
        assert list(one.dropna()) == list(other.dropna())
    assert list(back.var) == list(tissue.var)
    assert set(named_layers(back)) == set(named_layers(tissue))


def pictures(tissue: AnnData) -> dict[str, Any]:
    """Return the images and scale factors of a tissue by name."""
    return {
        f"{library} {name}": value
        for library, entry in tissue.uns.get("spatial", {}).items()
        for name, value in {**entry["images"], **entry["scalefactors"]}.items()
    }


@pytest.mark.parametrize("write", WRITERS)
def test_every_input_becomes_a_file_that_reads_the_same(tmp_path, tissue, write):
    source = write(tmp_path, tissue)
    made = convert(source, tmp_path / "out.h5ad")
    wanted, back = read(source), read(made.path)
    assert_same(back, wanted)
    held, asked = pictures(back), pictures(wanted)
    assert sorted(held) == sorted(asked)
    for name, value in asked.items():
        np.testing.assert_array_equal(held[name], value)
    facts = back.uns["semst_conversion"]
    assert facts["source"] == source.name
    assert facts["format"] == wanted.uns["semst_input"]["kind"]
    assert list(facts["warnings"]) == list(made.warnings)
    assert facts["versions"]["napari-semst"]


def test_a_store_holds_the_same(tmp_path, tissue):
    source = write_outs(tmp_path / "outs", tissue)
    back = anndata.read_zarr(convert(source, tmp_path / "out.zarr").path)
    wanted = read(source)
    assert_same(back, wanted)
    np.testing.assert_array_equal(
        back.uns["spatial"]["V1_Section"]["images"]["hires"],
        wanted.uns["spatial"]["V1_Section"]["images"]["hires"],
    )


@pytest.fixture(scope="module")
def spatialdata():
    return pytest.importorskip("spatialdata", reason="spatialdata is an extra")


def test_spatialdata_has_spots_and_images_where_they_were(
    tmp_path, tissue, spatialdata
):
    source = write_outs(tmp_path / "outs", tissue)
    made = convert(source, tmp_path / "out.zarr", output_format="spatialdata")
    wanted, whole = read(source), spatialdata.read_zarr(made.path)
    table, shapes = whole.tables["table"], whole.shapes["V1_Section"]
    assert_same(table, wanted)
    assert list(shapes.index) == list(wanted.obs_names)
    assert list(table.obs["instance_id"]) == list(wanted.obs_names)
    places = np.column_stack([shapes.geometry.x, shapes.geometry.y])
    np.testing.assert_array_equal(places, wanted.obsm["spatial"])
    assert set(shapes["radius"]) == {55.5 / 2}
    assert set(whole.images) == {"V1_Section_hires_image", "V1_Section_lowres_image"}
    held = wanted.uns["spatial"]["V1_Section"]["images"]
    for name in ("hires", "lowres"):
        pixels = whole.images[f"V1_Section_{name}_image"]
        np.testing.assert_array_equal(np.moveaxis(pixels.data, 0, 2), held[name])
    # The outer edges of the image, in pixels whose centres are whole numbers.
    extent = spatialdata.get_extent(whole.images["V1_Section_hires_image"])
    assert extent["x"] == (-0.5, 1699.5)
    assert extent["y"] == (-0.5, 1499.5)
    assert_same(read(made.path), table)


@pytest.mark.parametrize("by", ["hand", "landmarks"])
def test_an_image_that_was_moved_is_not_moved_twice(tmp_path, spatialdata, by):
    tissue = small_tissue()
    if by == "hand":
        adjust(tissue, "one", Adjustment(flip_x=True, shift_x=50.0))
    else:
        places = np.array([[0.0, 0.0], [900.0, 100.0], [100.0, 800.0]])
        register_image(tissue, "one", landmarks_from(places, places[:, ::-1] + 50.0))
    wanted = image_placement(tissue)
    back = read(write_spatialdata(tissue, tmp_path / "moved.zarr"))
    found = image_placement(back)
    np.testing.assert_allclose(found.bounds(), wanted.bounds())
    assert np.array_equal(found.image, wanted.image)
    assert {keys.ALIGNMENT, keys.LANDMARKS} & {*tissue.uns}


def test_sections_and_odd_names_go_into_spatialdata(tmp_path, tissue, spatialdata):
    tissue.obs["semst_section"] = np.where(np.arange(196) < 90, "a 1", "b 2")
    tissue.obs["Ground Truth"] = tissue.obs["ground_truth"]
    tissue.obs["region"] = "theirs"
    tissue.uns["spatial"] = {
        "a 1": {
            "images": {"hires": np.arange(3000).reshape(50, 60).astype(np.uint16)},
            "scalefactors": {"tissue_hires_scalef": 0.5},
        }
    }
    made = convert(
        _saved(tissue, tmp_path), tmp_path / "s.zarr", output_format="spatialdata"
    )
    assert "obs['Ground Truth'] as 'Ground_Truth-1'" in " ".join(made.warnings)
    whole = spatialdata.read_zarr(made.path)
    assert {name: len(held) for name, held in whole.shapes.items()} == {
        "a_1": 90,
        "b_2": 106,
    }
    table = whole.tables["table"]
    assert set(table.obs["region"]) == {"theirs"}
    attrs = table.uns["spatialdata_attrs"]
    assert (attrs["region"], attrs["region_key"]) == (["a_1", "b_2"], "region-1")
    (image,) = whole.images.values()
    assert image.dtype == np.uint16
    assert set(whole.coordinate_systems) == {"global", "a_1", "b_2"}


def _saved(tissue, folder):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of slashes, which the next release refuses
        tissue.write_h5ad(folder / "in.h5ad")
    return folder / "in.h5ad"


def test_a_layer_of_counts_becomes_x_and_nothing_is_lost(tmp_path, tissue):
    counts = tissue.X.astype(np.int32)
    tissue.layers["counts"] = counts
    tissue.X = np.log1p(tissue.X)
    tissue.raw = tissue.copy()
    logs = tissue.X.copy()
    source = _saved(tissue, tmp_path)
    plain = read(convert(source, tmp_path / "plain.h5ad").path)
    assert abs(plain.X - logs).max() == 0
    assert plain.layers["counts"].dtype == np.int32
    made = convert(source, tmp_path / "counts.h5ad", counts_layer="counts")
    back = read(made.path)
    assert back.X.dtype == np.int32
    assert abs(back.X - counts).max() == 0
    assert abs(back.layers["before_conversion"] - logs).max() == 0
    assert abs(back.raw.X - logs).max() == 0
    assert any("before_conversion" in text for text in made.warnings)
    with pytest.raises(CountsError):
        convert(source, tmp_path / "no.h5ad", counts_layer="raw")
    assert not (tmp_path / "no.h5ad").exists()


def test_the_parts_of_an_input_can_be_named(tmp_path, tissue):
    tissue.obs["left"], tissue.obs["down"] = tissue.obsm["spatial"].T * 2
    source = _saved(tissue, tmp_path)
    made = convert(source, tmp_path / "out.h5ad", positions="left,down")
    np.testing.assert_array_equal(
        read(made.path).obsm["spatial"], 2 * np.asarray(tissue.obsm["spatial"])
    )
    assert made.facts["asked_for"] == {"positions": "left,down"}


def test_a_conversion_remembers_the_one_before(tmp_path, tissue):
    source = _saved(tissue, tmp_path)
    first = convert(source, tmp_path / "one.h5ad")
    second = convert(first.path, tmp_path / "two.h5ad")
    facts = read(second.path).uns["semst_conversion"]
    assert (facts["source"], facts["earlier"]["source"]) == ("one.h5ad", "in.h5ad")


def test_the_input_is_never_written_over(tmp_path, tissue):
    source = _saved(tissue, tmp_path)
    before = source.read_bytes()
    os.link(source, tmp_path / "same.h5ad")
    (tmp_path / "link.h5ad").symlink_to(source)
    store = convert(source, tmp_path / "a.zarr").path
    for origin, place in (
        (source, source),
        (source, tmp_path / "same.h5ad"),
        (source, tmp_path / "link.h5ad"),
        (store, store),
        (store, store / "inner.zarr"),
        (source, store / "inner.h5ad"),
    ):
        with pytest.raises(SaveError):
            convert(origin, place, overwrite=True)
    assert source.read_bytes() == before
    assert read(store).n_obs == 196


def test_a_store_around_the_input_is_kept(tmp_path, tissue):
    source = tmp_path / "whole.zarr" / "tables" / "in.h5ad"
    source.parent.mkdir(parents=True)
    (tmp_path / "whole.zarr" / ".zgroup").write_text("{}")
    tissue.write_h5ad(source)
    with pytest.raises(SaveError, match="lies in"):
        convert(source, tmp_path / "whole.zarr", overwrite=True)
    assert source.is_file()


def test_what_is_there_is_replaced_only_when_asked(tmp_path, tissue):
    source, store = _saved(tissue, tmp_path), tmp_path / "a.zarr"
    store.mkdir()
    (store / "precious").write_text("kept")
    for overwrite in (False, True):  # nor is what is no store
        with pytest.raises(SaveError):
            convert(source, store, overwrite=overwrite)
    assert (store / "precious").read_text() == "kept"
    (store / "precious").unlink()
    store.rmdir()
    convert(source, store)
    with pytest.raises(SaveError, match="does"):
        convert(source, store)
    convert(source, store, overwrite=True)
    assert read(store).n_obs == 196
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "in.h5ad"]


@pytest.mark.parametrize(
    ("name", "kind", "error"),
    [
        ("a.csv", "anndata", SaveError),
        ("a.h5ad", "spatialdata", SaveError),
        ("a.zarr", "loom", ConfigError),
        ("none/a.h5ad", "anndata", SaveError),
    ],
)
def test_what_cannot_be_written_is_refused_first(
    tmp_path, tissue, name, kind, error, monkeypatch
):
    monkeypatch.setattr("napari_semst.io.read.read", lambda *_, **__: 1 / 0)
    with pytest.raises(error):
        convert(_saved(tissue, tmp_path), tmp_path / name, output_format=kind)


def test_a_failure_leaves_the_old_store_and_nothing_else(tmp_path, tissue, monkeypatch):
    source = _saved(tissue, tmp_path)
    store = convert(source, tmp_path / "a.zarr").path

    def fail(*_, **__):
        raise OSError("odd")

    monkeypatch.setattr("napari_semst.io.export.h5ad.check_readback", fail)
    with pytest.raises(SaveError, match="odd"):
        convert(source, store, overwrite=True)
    assert read(store).n_obs == 196
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "in.h5ad"]


def test_the_command(tmp_path, tissue, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = write_outs(tmp_path / "outs", tissue)
    words = ["convert", str(source), "-o", "out.h5ad"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.exception
    assert "196 spots x 60 genes" in result.output
    account = json.loads(
        CliRunner().invoke(app, [*words, "--overwrite", "--json", "-q"]).stdout
    )
    assert account["schema"] == 1
    assert account["format"] == "visium"
    assert account["images"] == ["V1_Section hires", "V1_Section lowres"]
    assert (account["n_spots"], account["n_genes"]) == (196, 60)
    assert pd.Series(account["warnings"]).is_unique


def test_the_command_adds_an_image_and_registers_it(tmp_path, tissue, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = write_xenium(tmp_path / "run", tissue)
    write_tiff(Path("he.ome.tif"), stained(), 5.0)
    image = np.array([[50, 50], [900, 80], [100, 500], [800, 550]], float)
    known = landmarks_from(image, image * 1.2 + 30.0)
    write_landmarks(known, "pairs.csv")
    words = ["convert", str(source), "-o", "out.h5ad", "-q", "--json"]
    given = ["--image", "he.ome.tif", "--landmarks", "pairs.csv"]
    result = CliRunner().invoke(app, [*words, *given])
    assert result.exit_code == 0, result.exception
    assert "he hires" in json.loads(result.stdout)["images"]
    made = read("out.h5ad")
    assert landmarks_of(made, "he") == known
    facts = made.uns["semst_conversion"]["asked_for"]
    assert (facts["image"], facts["landmarks"]) == ("he.ome.tif", "pairs.csv")
    refused = CliRunner().invoke(app, [*words, "--overwrite", *given[2:]])
    assert isinstance(refused.exception, ConfigError)
    assert "--image FILE" in for_shell(refused.exception)
