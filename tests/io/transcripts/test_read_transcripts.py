"""Single molecules from the tables of instruments, row for row."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pandas as pd
import pytest

import napari_semst
from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled, InputError
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.export.h5ad import write as write_h5ad
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read
from napari_semst.io.transcripts.read import read_transcripts
from napari_semst.io.transcripts.reader import MoleculeReader
from napari_semst.io.transcripts.sources import transcript_sources
from tests.io import transcript_files as files
from tests.io.folders import write_cosmx, write_merscope, write_xenium
from tests.io.stores import MOVED, point, transforms, write_shapes, write_table

GENES = ["GENE7", "GENE0"]


@pytest.fixture
def found(tissue):
    return files.molecules(tissue)


@pytest.fixture
def xenium(tmp_path, tissue, found):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    files.write_xenium_molecules(folder, found)
    return folder


def wanted(found, genes=GENES, least=None):
    """Return the rows that should be read, in a fixed order."""
    rows = found[found["gene"].isin(genes)]
    rows = rows if least is None else rows[rows["qv"] >= least]
    return _ordered(rows)


def _ordered(rows):
    table = pd.DataFrame(
        {
            "gene": rows["gene"].astype(str),
            "x": rows["x"].astype(float),
            "y": rows["y"].astype(float),
        }
    )
    return table.sort_values(["x", "y", "gene"], ignore_index=True)


def assert_same(table, expected, atol=1e-3):
    got = _ordered(table)
    assert len(got) == len(expected) > 0
    # Of places that are rounded two may change places in the order.
    assert (got["gene"].value_counts() == expected["gene"].value_counts()).all()
    np.testing.assert_allclose(got[["x", "y"]], expected[["x", "y"]], atol=atol)


@pytest.mark.parametrize("end", ["parquet", "csv.gz", "csv"])
def test_xenium_leaves_low_quality_out_and_counts_it(tmp_path, tissue, found, end):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    files.write_xenium_molecules(folder, found, f"transcripts.{end}")
    section = read(folder)
    table = read_transcripts(section, GENES)
    assert_same(table, wanted(found, least=20))
    assert table["x"].dtype == np.float32
    assert list(table["gene"].cat.categories) == GENES
    low = found[(found["qv"] < 20)]["gene"].value_counts()
    assert table.attrs["low_quality"] == {gene: low[gene] for gene in GENES}
    assert_same(read_transcripts(section, GENES, min_quality=0), wanted(found))
    assert_same(read_transcripts(folder, GENES), wanted(found, least=20))


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("", "detected_transcripts.csv"),
        ("HuBreast_", "HuBreast_detected_transcripts.csv.gz"),
        ("", "detected_transcripts.parquet"),
    ],
)
def test_merscope(tmp_path, tissue, found, prefix, name):
    folder = write_merscope(tmp_path / "run", tissue, prefix=prefix, image=False)
    files.write_merscope_molecules(folder, found, name)
    assert_same(read_transcripts(read(folder), GENES), wanted(found))
    assert_same(read_transcripts(folder / name, GENES), wanted(found))


@pytest.mark.parametrize("places", ["global", "local"])
@pytest.mark.parametrize("name", ["S1_tx_file.csv.gz", "S1_tx_file.parquet"])
def test_cosmx_on_the_slide_and_in_its_fields(tmp_path, tissue, found, places, name):
    folder = write_cosmx(tmp_path / "slide", tissue, places=places)
    files.write_cosmx_molecules(folder, found, tissue.n_obs, name, places)
    assert_same(read_transcripts(read(folder), GENES), wanted(found))


@pytest.mark.parametrize("saved", [False, True])
def test_cosmx_molecules_lie_where_the_reader_put_the_fields(
    tmp_path, tissue, found, saved
):
    """Their places on the slide have another origin than fields in millimetres."""
    folder = write_cosmx(tmp_path / "slide", tissue, places="local", packed=False)
    fields = {"FOV": [1, 2], "X_mm": [7.0, 7.12], "Y_mm": [2.0, 2.0]}
    pd.DataFrame(fields).to_csv(folder / "S1_fov_positions_file.csv", index=False)
    name = "S1_tx_file.csv"
    file = files.write_cosmx_molecules(folder, found, tissue.n_obs, name, "local")
    table = pd.read_csv(file)
    table.assign(x_global_px=found["x"], y_global_px=found["y"]).to_csv(
        file, index=False
    )
    section = read(folder)
    if saved:
        section = read(write_h5ad(section, folder / "saved.h5ad"))
    shift = section.obsm["spatial"] - np.asarray(tissue.obsm["spatial"])
    n = tissue.n_obs // 2
    assert (np.abs(shift) > 10_000).all()
    of = np.where(found["cell"] < n, 0, tissue.n_obs - 1)
    places = (found[["x", "y"]] + shift[of]).astype(np.float32)
    moved = found.assign(x=places["x"], y=places["y"])
    assert_same(read_transcripts(section, GENES), wanted(moved), atol=0.01)


def test_another_sections_molecules_are_not_taken(tmp_path, tissue, found):
    folder = write_merscope(tmp_path / "run", tissue, prefix="S1_", image=False)
    other = write_merscope(tmp_path / "other", tissue, prefix="S2_", image=False)
    for file in other.iterdir():
        shutil.copy(file, folder)
    files.write_merscope_molecules(folder, found, "S2_detected_transcripts.csv")
    assert not transcript_sources(read(folder / "S1_cell_by_gene.csv"))
    second = read(folder / "S2_cell_by_gene.csv")
    assert_same(read_transcripts(second, GENES), wanted(found))


def write_store(path, tissue, zarr_format=3):
    """Write circles that lie as the cells do."""
    files.group(path, {"spatialdata_attrs": {"version": "0.2"}}, zarr_format)
    places = np.asarray(tissue.obsm["spatial"]) / 10 + [3, 4]
    circles = [point(*xy) for xy in places]
    write_shapes(path, "cells", circles, zarr_format, radius=0.5)
    write_table(path, "table", tissue, "cells", zarr_format)
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("key", ["feature_name", "symbol"])
def test_points_of_a_store_lie_where_its_shapes_lie(
    tmp_path, tissue, found, zarr_format, key
):
    store = write_store(tmp_path / "data.zarr", tissue, zarr_format)
    files.write_points(store, found, zarr_format, key=key)
    # Other points are none of molecules.
    other = files.write_points(store, found, zarr_format, "landmarks", key="feature")
    for part in (other / "points.parquet").iterdir():
        pd.read_parquet(part)[["x", "y"]].to_parquet(part)
    section = read(store)
    np.testing.assert_allclose(section.obsm["spatial"], tissue.obsm["spatial"])
    assert_same(read_transcripts(section, GENES), wanted(found, least=20))
    assert_same(read_transcripts(store, GENES), wanted(found, least=20))


def write_regions(path, tissue, systems):
    """Write cells as two regions on the same ground, in systems of their own."""
    files.group(path, {"spatialdata_attrs": {"version": "0.2"}}, 3)
    half = tissue.n_obs // 2
    places = np.asarray(tissue.obsm["spatial"])[:half] / 10 + [3, 4]
    circles = [point(*xy) for xy in places]
    for name, to in systems.items():
        write_shapes(path, name, circles, 3, radius=0.5, to=to)
    pair = tissue[: 2 * half].copy()
    of = np.repeat(list(systems), half)
    numbers = np.tile(np.arange(half), 2) + 100
    write_table(path, "table", pair, of, 3, numbers=numbers)
    return path


def put_points(store, found, name, to):
    """Write points that are in some coordinate systems."""
    place = files.write_points(store, found, 3, name)
    about = {
        "coordinateTransformations": transforms(*MOVED, to=to),
        "spatialdata_attrs": {"feature_key": "feature_name", "version": "0.2"},
    }
    files.group(place, about, 3)
    return place


def test_sections_of_a_store_have_the_points_that_only_they_have(
    tmp_path, tissue, found
):
    systems = {"a": ["a_own", "global"], "b": ["b_own", "global"]}
    store = write_regions(tmp_path / "data.zarr", tissue, systems)
    first, second = found.iloc[:1000], found.iloc[1000:]
    put_points(store, first, "of_a", systems["a"])
    section = read(store)
    # Those of a are not those of b as well, for want of others.
    assert [one.section for one in transcript_sources(section)] == ["a"]
    put_points(store, second, "of_b", systems["b"])
    table = read_transcripts(read(store), GENES)
    for name, own in (("a", first), ("b", second)):
        assert_same(table[table["section"] == name], wanted(own, least=20))


def test_points_of_several_fields_are_put_together(tmp_path, tissue, found):
    store = write_store(tmp_path / "data.zarr", tissue)
    # As spatialdata-io has CosMx: points for each field, which border on one another.
    middle = found["x"].median()
    left, right = found[found["x"] < middle], found[found["x"] >= middle]
    files.write_points(store, left, 3, "1_points")
    files.write_points(store, right, 3, "2_points")
    # Some of them again are no others.
    files.write_points(store, left.iloc[::10], 3, "chosen")
    section = read(store)
    assert len(transcript_sources(section)) == 2
    assert_same(read_transcripts(section, GENES), wanted(found, least=20))
    assert_same(read_transcripts(store, GENES), wanted(found, least=20))
    joined = join_sections({"a": section, "b": read(store)})
    table = read_transcripts(joined, GENES)
    assert list(table["section"].cat.categories) == ["a", "b"]
    assert_same(table[table["section"] == "b"], wanted(found, least=20))


def test_all_tables_together_keep_no_more_than_asked(tmp_path, tissue, found):
    store = write_store(tmp_path / "data.zarr", tissue)
    middle = found["x"].median()
    for name, own in (
        ("1_points", found[found["x"] < middle]),
        ("2_points", found[found["x"] >= middle]),
    ):
        files.write_points(store, own, 3, name)
    reader = MoleculeReader(transcript_sources(read(store)), GENES, most=400)
    for _ in reader.steps(RunControl()):
        assert sum(map(len, reader.molecules())) <= 400
    parts = reader.molecules()
    assert len({one.share for one in parts}) == 1
    assert sum(int(one.n_found.sum()) for one in parts) == len(wanted(found, least=20))


@pytest.mark.parametrize("damage", ["schema", "transform", "outside"])
def test_damaged_points_are_no_reason_to_refuse_a_section(
    tmp_path, tissue, found, damage
):
    store = write_store(tmp_path / "data.zarr", tissue)
    place = files.write_points(store, found)
    if damage == "schema":
        (place / "points.parquet" / "part.0.parquet").write_bytes(b"PAR1 none PAR1")
    elif damage == "transform":
        text = (place / "zarr.json").read_text()
        (place / "zarr.json").write_text(text.replace('"translation"', '"bent"'))
    else:
        shutil.move(place / "points.parquet", tmp_path / "elsewhere")
        (place / "points.parquet").symlink_to(tmp_path / "elsewhere")
    section = read(store)
    assert section.n_obs == tissue.n_obs
    assert not transcript_sources(section)
    told = any("Transcripts cannot" in text for text in input_warnings(section))
    # Of what a link leads to nothing is known.
    assert told == (damage != "outside")


def test_only_a_region_and_row_groups_that_touch_it(tmp_path, tissue, found):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    ordered = found.sort_values("x", ignore_index=True)
    files.write_xenium_molecules(folder, ordered, row_group_size=100)
    region = (300.0, 250.0, 500.0, 700.0)
    inside = found["x"].between(300, 500) & found["y"].between(250, 700)
    table = read_transcripts(read(folder), GENES, region)
    assert_same(table, wanted(found[inside], least=20))
    told = []
    read_transcripts(folder, "GENE0", region, progress=told.append)
    # What lies elsewhere by what the file says of it is counted, and not read.
    assert told[0].message.startswith(f"{told[0].step:,} of 4,000 rows")
    assert told[-1].step == told[-1].steps == 4000


def test_row_groups_without_the_gene_are_left_out(tmp_path, tissue, found, monkeypatch):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    ordered = found.sort_values("gene", ignore_index=True)
    file = files.write_xenium_molecules(folder, ordered, row_group_size=200)
    from pyarrow import parquet

    read_groups = []
    whole = parquet.ParquetFile.iter_batches

    def noted(self, size, groups, columns):
        read_groups.extend(groups)
        return whole(self, size, groups, columns)

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", noted)
    assert_same(read_transcripts(file, "GENE7"), wanted(found, ["GENE7"], 20))
    assert 0 < len(read_groups) < parquet.read_metadata(file).num_row_groups


def test_a_saved_section_finds_them_beside_its_file_and_nowhere_else(
    tmp_path, xenium, found
):
    beside = write_h5ad(read(xenium), tmp_path / "saved.h5ad")
    assert_same(read_transcripts(read(beside), GENES), wanted(found, least=20))
    inside = write_h5ad(read(xenium), xenium / "saved.h5ad")
    assert_same(read_transcripts(read(inside), GENES), wanted(found, least=20))
    (tmp_path / "away").mkdir()
    away = tmp_path / "away" / "saved.h5ad"
    shutil.copy(beside, away)
    assert not transcript_sources(read(away))
    with pytest.raises(InputError, match="keep the saved section beside it"):
        read_transcripts(read(away), GENES)
    section = read(xenium)
    section.uns["semst_input"]["transcripts"]["file"] = "../run/transcripts.parquet"
    assert not transcript_sources(read(write_h5ad(section, tmp_path / "odd.h5ad")))


def test_joined_sections_keep_theirs_apart(tmp_path, xenium, found, tissue):
    other = write_merscope(tmp_path / "other", tissue, image=False)
    files.write_merscope_molecules(other, found.iloc[:500])
    joined = join_sections({"a": read(xenium), "b": read(other)})
    table = read_transcripts(joined, GENES)
    first, second = (table[table["section"] == name] for name in "ab")
    assert_same(first, wanted(found, least=20))
    assert_same(second, wanted(found.iloc[:500]))


def test_no_total_is_told_where_one_table_does_not_tell_its_own(
    tmp_path, xenium, found, tissue
):
    other = write_merscope(tmp_path / "other", tissue, image=False)
    files.write_merscope_molecules(other, found)
    told = []
    joined = join_sections({"a": read(xenium), "b": read(other)})
    read_transcripts(joined, GENES, progress=told.append)
    assert told[-1].message == "8,000 rows of transcripts read"
    assert {one.steps for one in told} == {0}
    read_transcripts(xenium, GENES, progress=told.append)
    assert told[-1].message == "4,000 of 4,000 rows of transcripts read"


def test_controls_are_read_by_name_only(xenium, found):
    section = read(xenium)
    control = "NegControlProbe_00004"
    assert control not in section.var_names
    assert_same(read_transcripts(section, control), wanted(found, [control], 20))


def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path, xenium, tissue):
    section = read(xenium)
    with pytest.raises(InputError, match="found none of nothing"):
        read_transcripts(section, "nothing")
    # A gene of the panel may have no molecule.
    assert len(read_transcripts(section, "GENE30")) == 0
    with pytest.raises(InputError, match="one gene or several"):
        read_transcripts(section, [])
    for region in ((0, 0, 1), (5, 0, 1, 1), (0, 0, np.inf, 1), "here"):
        with pytest.raises(InputError, match="x_min, y_min, x_max, y_max"):
            read_transcripts(section, GENES, region)
    with pytest.raises(InputError, match="table of single molecules"):
        read_transcripts(tissue, GENES)
    with pytest.raises(InputError, match="table of single molecules"):
        read_transcripts(tmp_path, GENES)
    file = xenium / "transcripts.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="the table of transcripts"):
        read_transcripts(section, GENES)
    pd.DataFrame({"feature_name": ["a"], "x_location": [1.0]}).to_parquet(file)
    with pytest.raises(InputError, match="missing: y_location"):
        read_transcripts(section, GENES)
    file.unlink()
    with pytest.raises(InputError, match="the table of transcripts"):
        read_transcripts(section, GENES)


def test_damaged_text_is_refused(tmp_path, found):
    path = tmp_path / "transcripts.csv.gz"
    files.write_xenium_molecules(tmp_path, found, path.name)
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace("31.0", "good", 1).encode()))
    with pytest.raises(InputError, match="the table of transcripts"):
        read_transcripts(path, GENES)


def test_reading_can_be_cancelled(tmp_path, tissue, found):
    xenium = write_xenium(tmp_path / "run", tissue, image="")
    files.write_xenium_molecules(xenium, found.sort_values("x"), row_group_size=100)
    control = RunControl()
    with pytest.raises(Cancelled):
        read_transcripts(
            read(xenium),
            GENES,
            (150.0, 0.0, 5000.0, 5000.0),
            control=control,
            progress=lambda _: control.cancel(),
        )


def test_no_place_is_made_up_where_a_field_has_no_cells(tmp_path, tissue, found):
    folder = write_cosmx(tmp_path / "slide", tissue, places="local")
    files.write_cosmx_molecules(folder, found, tissue.n_obs, places="local")
    file = folder / "S1_tx_file.csv.gz"
    table = pd.read_csv(file)
    table.loc[table.index[:100], "fov"] = 77
    table.to_csv(file, index=False)
    expected = wanted(found.iloc[100:])
    assert_same(read_transcripts(read(folder), GENES), expected)


@pytest.mark.parametrize("name", ["transcripts.parquet", "transcripts.csv.gz"])
def test_real_xenium(instruments, name):
    folder = instruments / "xenium_sfe"
    rows = (
        pd.read_parquet(folder / name)
        if name.endswith("parquet")
        else pd.read_csv(folder / name)
    )
    rows = rows.rename(
        columns={"feature_name": "gene", "x_location": "x", "y_location": "y"}
    )
    genes = ["LEF1", "CD3D"]
    section = napari_semst.read(folder)
    assert_same(
        napari_semst.read_transcripts(folder / name, genes), wanted(rows, genes, 20)
    )
    table = napari_semst.read_transcripts(section, genes)
    assert_same(table, wanted(rows, genes, 20))
    # In the places of the cells: each in the box around them.
    places = np.asarray(section.obsm["spatial"])
    inside = (table[["x", "y"]] >= places.min(0) - 20) & (
        table[["x", "y"]] <= places.max(0) + 20
    )
    assert inside.all(axis=None)


@pytest.mark.parametrize(
    ("column", "value"),
    [("feature_name", b"\xff\xfe"), ("x_location", "left"), ("qv", "good")],
)
def test_damaged_values_of_parquet_are_refused(tmp_path, found, column, value):
    path = files.write_xenium_molecules(tmp_path, found)
    table = pd.read_parquet(path)
    values = table[column].astype(object)
    if column != "feature_name":
        values = values.astype(str)
    values.iloc[5] = value
    table.assign(**{column: values}).to_parquet(path)
    with pytest.raises(InputError, match="the table of transcripts"):
        read_transcripts(path, [*GENES, "GENE12", "NegControlProbe_00004"])


def test_genes_that_are_numbers_are_found_in_every_row_group(tmp_path, found):
    path = files.write_xenium_molecules(tmp_path, found)
    numbers = np.r_[np.full(100, 9), np.full(len(found) - 100, 10)]
    table = pd.read_parquet(path).assign(feature_name=numbers, qv=30.0)
    table.to_parquet(path)
    assert len(read_transcripts(path, "9")) == 100
    assert len(read_transcripts(path, "10")) == len(found) - 100


def test_genes_are_found_by_the_names_that_the_reader_took_off(tmp_path, tissue, found):
    """Of a store whose table and points have Ensembl ids, genes are symbols here."""
    ids = {"GENE0": "ENSG00000010610", "GENE7": "ENSG00000177455"}
    plain = [f"ENSG00000{at:06d}" for at in range(tissue.n_vars)]
    tissue.var["gene_symbols"] = ["CD4", "CD19", *tissue.var_names[2:]]
    tissue.var = tissue.var[["gene_symbols"]]
    tissue.var_names = [*ids.values(), *plain[2:]]
    store = write_store(tmp_path / "data.zarr", tissue)
    files.write_points(store, found.replace({"gene": ids}))
    section = read(store)
    assert section.var_names[0] == "CD4"
    table = read_transcripts(section, ["CD4", "CD19"])
    expected = wanted(found, least=20).replace({"GENE0": "CD4", "GENE7": "CD19"})
    assert_same(table, expected)
    assert_same(
        read_transcripts(section, "ENSG00000010610"),
        wanted(found, ["GENE0"], 20).replace({"GENE0": "ENSG00000010610"}),
    )


def test_a_cell_without_a_place_in_its_field_does_no_harm(tmp_path, tissue, found):
    folder = write_cosmx(tmp_path / "slide", tissue, places="local")
    files.write_cosmx_molecules(folder, found, tissue.n_obs, places="local")
    section = read(folder)
    section.obs.iloc[3, list(section.obs).index("CenterX_local_px")] = np.nan
    again = read(write_h5ad(section, folder / "saved.h5ad"))
    assert_same(read_transcripts(again, GENES), wanted(found))
