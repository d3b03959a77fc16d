"""What files declare is compared with what they hold before memory is taken for it.

No file here is large, nor declares what would harm other programs: limits are lowered.
"""

from __future__ import annotations

import gzip
import json
import os
import threading
import warnings

import numpy as np
import pandas as pd
import pytest

from napari_semst.core import json_text, memory
from napari_semst.core.json_text import parse_json, read_json
from napari_semst.core.memory import check_fits, memory_allowed, memory_limited
from napari_semst.errors import InputError, SemanticsError, SemstError
from napari_semst.io import checks
from napari_semst.io.formats import gzipped, zarr_arrays
from napari_semst.io.formats.numeric_tables import read_numbers
from napari_semst.io.formats.parquet_tables import check_parquet
from napari_semst.io.formats.tenx import read_market
from napari_semst.io.formats.text_tables import n_lines, read_columns
from napari_semst.io.formats.tiff import read_section_image, tiff_size
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from tests.io.outs import write_outs

HOLDS = "to hold what it declares"


@pytest.fixture
def little(monkeypatch):
    """Let 4 KB be what is harmless."""
    for module in (memory, zarr_arrays):
        monkeypatch.setattr(module, "HARMLESS", 4096)


@pytest.fixture(params=[2, 3])
def store(request, tmp_path, tissue):
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with anndata.settings.override(zarr_write_format=request.param):
            tissue.write_zarr(tmp_path / "section.zarr")
    return tmp_path / "section.zarr"


def change(store, array, **told):
    """Change the metadata of an array, its own and those at the top of the store."""
    for path in [*(store / array).glob("*"), *store.glob("*")]:
        if path.name not in zarr_arrays.METADATA:
            continue
        held = json.loads(path.read_text())
        together = held.get("consolidated_metadata", held).get("metadata", {})
        for one in (held, *(together.get(f"{array}{end}") for end in ("", "/.zarray"))):
            if one is None or "shape" not in one:
                continue
            one["shape"] = told.get("shape", one["shape"])
            if "chunks" in told and "chunks" in one:
                one["chunks"] = told["chunks"]
            elif "chunks" in told:
                one["chunk_grid"]["configuration"]["chunk_shape"] = told["chunks"]
        path.write_text(json.dumps(held))


@pytest.mark.parametrize(
    ("array", "told"),
    [
        ("obsm/spatial", {"shape": [10**9, 2]}),
        ("X/data", {"shape": [10**9]}),
        ("X/data", {"chunks": [10**9]}),
    ],
)
def test_arrays_of_stores_that_were_never_filled_are_refused(
    store, little, array, told
):
    assert read(store).n_obs
    change(store, array, **told)
    with pytest.raises(InputError, match=f"{HOLDS}; (a chunk of )?{array} declares"):
        read(store)
    with pytest.raises(InputError, match=HOLDS):
        preview(store)


def test_what_a_store_says_at_its_top_alone_counts_too(tmp_path, tissue, little):
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tissue.write_zarr(tmp_path / "section.zarr")
        zarr.consolidate_metadata(tmp_path / "section.zarr")
    path = next(
        place
        for name in (".zmetadata", "zarr.json")
        if (place := tmp_path / "section.zarr" / name).exists()
    )
    held = json.loads(path.read_text())
    together = held.get("consolidated_metadata", held)["metadata"]
    name = "X/data" if "X/data" in together else "X/data/.zarray"
    together[name]["shape"] = [10**9]
    path.write_text(json.dumps(held))
    with pytest.raises(InputError, match=HOLDS):
        read(tmp_path / "section.zarr")


def test_a_store_with_chunks_of_nothing_left_out_is_read(tmp_path, tissue, little):
    tissue.obsm["nothing"] = np.zeros((tissue.n_obs, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tissue.write_zarr(tmp_path / "section.zarr")
    assert not read(tmp_path / "section.zarr").obsm["nothing"].any()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("first", [0, 1])
def test_layers_of_zeros_are_read_as_they_are_written(
    tmp_path, tissue, little, zarr_format, first
):
    import anndata
    from scipy import sparse

    # Chunks of nothing are left out: next to no byte is there of what it declares.
    tissue = anndata.AnnData(
        sparse.hstack([tissue.X] * 50).tocsr(), tissue.obs, obsm=dict(tissue.obsm)
    )
    tissue.var_names = [f"GENE{i}" for i in range(tissue.n_vars)]
    tissue.layers["new"] = np.zeros(tissue.shape, np.float32)
    tissue.layers["new"][0, 0] = first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with anndata.settings.override(zarr_write_format=zarr_format):
            tissue.write_zarr(tmp_path / "section.zarr", chunks=(20, 3000))
    layer = read(tmp_path / "section.zarr").layers["new"]
    assert np.asarray(layer).sum() == first
    change(tmp_path / "section.zarr", "layers/new", shape=[tissue.n_obs, 10**8])
    with pytest.raises(InputError, match=f"{HOLDS}; (a chunk of )?layers/new"):
        read(tmp_path / "section.zarr")


def test_white_slides_of_packings_that_shrink_more_are_no_damage(tmp_path, little):
    from types import SimpleNamespace

    from napari_semst.io.formats.tiff_pages import check_page

    path = tmp_path / "slide.tif"
    path.write_bytes(bytes(40_000))
    page = SimpleNamespace(
        databytecounts=[40] * 1000, shape=(8000, 8000, 3), dtype=np.dtype("u1"),
        chunks=(256, 256, 3), imagewidth=8000, imagelength=8000, is_memmappable=False,
    )  # fmt: skip
    for packing, fits in ((50_001, True), (34_712, True), (50_000, True), (8, False)):
        page.compression = packing
        if fits:
            check_page(page, path)
            continue
        with pytest.raises(InputError, match=f"{HOLDS}|one by one"):
            check_page(page, path)


@pytest.mark.parametrize("kind", ["h5ad", "10x", "zarr", "mtx"])
def test_sections_that_no_memory_holds_are_refused_before(
    tmp_path, tissue, kind, monkeypatch
):
    path = tmp_path / ("section.zarr" if kind == "zarr" else "section.h5ad")
    if kind == "h5ad":
        tissue.write_h5ad(path)
    elif kind == "zarr":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tissue.write_zarr(path)
    else:
        matrix = "h5" if kind == "10x" else "mtx"
        path = write_outs(tmp_path / "outs", tissue, matrix=matrix)
    assert read(path).n_obs
    monkeypatch.setattr(memory, "_total", lambda: 10_000.0)
    with pytest.raises(InputError, match="to fit into memory; it declares"):
        read(path)


def test_a_limit_counts_inside_its_block_alone(tmp_path):
    whole = memory_allowed()
    with memory_limited(0.5):
        assert memory_allowed() == 2**29
        with pytest.raises(InputError, match=r"1\.0 GiB, and 0\.5 GiB are allowed"):
            check_fits(2**30, tmp_path, "the file")
    assert memory_allowed() == whole
    with memory_limited(0):
        assert memory_allowed() == whole


def tiff(path, **told):
    import tifffile

    pixels = np.zeros((64, 64), np.uint8)
    tile = None if "RowsPerStrip" in told else (32, 32)
    tifffile.imwrite(path, pixels, compression="zlib", tile=tile)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name, value in told.items():
            file.pages[0].tags[name].overwrite(value)
    return path


@pytest.mark.parametrize(
    "told",
    [
        {"ImageWidth": 100_000, "ImageLength": 100_000},
        {"TileWidth": 65_520, "TileLength": 65_520},
        {"ImageLength": 30_000, "RowsPerStrip": 30_000},
        {"TileByteCounts": [60_000] * 4},
    ],
)
def test_pictures_that_declare_what_they_do_not_hold(tmp_path, little, told):
    assert read_section_image(tiff(tmp_path / "good.tif"), 1.0)[0] is not None
    path = tiff(tmp_path / "image.tif", **told)
    with pytest.raises(InputError, match=f"{HOLDS}|one by one|cut short"):
        tiff_size(path)
    image, doubts = read_section_image(path, 1.0)
    assert image is None
    assert "shown without its image" in doubts[0]


def test_pictures_that_no_memory_holds_are_not_read(tmp_path, monkeypatch):
    path = tiff(tmp_path / "image.tif")
    monkeypatch.setattr(memory, "_total", lambda: 4000.0)
    image, doubts = read_section_image(path, 1.0)
    assert image is None
    assert "to fit into memory" in doubts[0]


def test_tables_of_equal_rows_without_end_are_refused(tmp_path, little):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "cells.parquet"
    parquet.write_table(pyarrow.table({"x": np.zeros(2_000_000)}), path)
    with pytest.raises(InputError, match="2,000,000 rows"):
        check_parquet(path, "the cells")
    parquet.write_table(pyarrow.table({"x": np.arange(2000.0)}), path)
    check_parquet(path, "the cells")


def test_matrices_that_declare_more_entries_than_letters(tmp_path):
    path = tmp_path / "matrix.mtx"
    head = "%%MatrixMarket matrix coordinate integer general\n"
    path.write_text(f"{head}9000 9000 5000\n1 1 1\n")
    with pytest.raises(InputError, match="5,000 entries"):
        read_market(path)
    path.write_text(f"{head}9 9 1\n1 1 1\n")
    assert read_market(path).nnz == 1


def test_packed_text_without_end_and_lines_without_end(tmp_path, monkeypatch):
    path = tmp_path / "places.csv.gz"
    path.write_bytes(gzip.compress(b"x,y\n" + b"0,0\n" * 1_000_000))
    assert n_lines(path) == 1_000_001
    monkeypatch.setattr(gzipped, "_HARMLESS_TEXT", 1000)
    for use in (n_lines, lambda place: read_columns(place, "the places", ())):
        with pytest.raises(InputError, match="once it is unpacked; it holds more"):
            use(path)
    monkeypatch.setattr(gzipped, "LONGEST_LINE", 2 * 2**20)
    path = tmp_path / "places.csv"
    path.write_bytes(b"x,y\n0,0\n" + b"0" * (4 * 2**20))
    with pytest.raises(InputError, match="one of them holds more than 2 MB"):
        n_lines(path)


def test_tables_of_too_many_columns_are_refused(tmp_path, tissue, store, monkeypatch):
    wide = pd.DataFrame(np.ones((3, 9)), index=["a", "b", "c"])
    wide.to_csv(tmp_path / "wide.csv", index_label="symbol")
    tissue.obs = tissue.obs.assign(**{f"column {i}": 1 for i in range(9)})
    tissue.write_h5ad(tmp_path / "section.h5ad")
    assert read_numbers(tmp_path / "wide.csv")[1].shape == (3, 9)
    monkeypatch.setattr(checks, "MOST_COLUMNS", 3)
    with pytest.raises(SemanticsError, match="at most 3 columns"):
        read_numbers(tmp_path / "wide.csv")
    with pytest.raises(InputError, match=r"found 10\."):
        read_columns(tmp_path / "wide.csv", "the places", ())
    for path in (tmp_path / "section.h5ad", store):
        with pytest.raises(InputError, match="at most 3 columns in obs of"):
            read(path)


def test_json_that_no_memory_holds_is_refused_before(tmp_path, monkeypatch):
    text = json.dumps([[] for _ in range(20_000)])
    assert len(parse_json(text)) == 20_000
    monkeypatch.setattr(json_text, "HARMLESS", 8000)
    monkeypatch.setattr(memory, "_total", lambda: 1e6)
    for one in (text, text.encode()):
        with pytest.raises(ValueError, match="of memory"):
            parse_json(one)
    monkeypatch.setattr(json_text, "_LARGEST_FILE", 1000)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match="more than"):
        read_json(tmp_path / "a.json")


def _readers():
    """Yield, by name, everything that opens a path which users give."""
    from napari_semst.config import Request
    from napari_semst.embedding.import_vectors import join_vectors
    from napari_semst.io.geojson.parse import read_geojson
    from napari_semst.morphology.slide_files import open_image_levels
    from napari_semst.pipeline.model import load_model
    from napari_semst.semantics.gene_table.user_table import UserTable
    from napari_semst.semantics.language_model.gene_texts import read_summaries
    from napari_semst.semantics.precomputed.source import Precomputed

    for end in ("h5ad", "csv", "mtx", "gem", "h5"):
        yield f"section.{end}", read
    yield "settings.toml", Request.from_file
    yield "settings.json", Request.from_file
    yield "regions.geojson", read_geojson
    for end in ("png", "tif"):
        yield f"image.{end}", open_image_levels
    yield "model.safetensors", load_model
    for end in ("csv", "npz"):
        yield f"genes.{end}", UserTable
    yield "texts.csv", lambda path: read_summaries(str(path))
    for end in ("npy", "npz", "csv", "safetensors"):
        yield f"vectors.{end}", lambda path: Precomputed(path, spots=["a"])
    yield "prompts", join_vectors


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX")
@pytest.mark.parametrize(("name", "use"), [*_readers()])
def test_pipes_behind_links_are_not_waited_for(tmp_path, name, use):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / name).symlink_to(tmp_path / "pipe")
    ended: list[BaseException | None] = []

    def attempt():
        try:
            use(tmp_path / name)
        except BaseException as error:  # noqa: BLE001  judged below
            ended.append(error)

    reader = threading.Thread(target=attempt, daemon=True)
    reader.start()
    reader.join(60)
    if reader.is_alive():
        # Whoever waits for the pipe is let go.
        os.close(os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK))
        reader.join()
        pytest.fail("the pipe was waited for")
    assert isinstance(ended[0], SemstError), ended


def test_a_damaged_chunk_of_a_picture_is_told_when_it_is_read(tmp_path):
    from napari_semst.morphology.slide_files import open_image_levels
    from tests.io.stores import write_image

    write_image(tmp_path / "store.zarr", 3)
    group = tmp_path / "store.zarr/images/he"
    for chunk in (group / "0/c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[:-5])
    level = open_image_levels(group).levels[0]
    with pytest.raises(InputError, match=r"Expected the image at .*could not be read"):
        level[:8, :8].compute(scheduler="synchronous")
