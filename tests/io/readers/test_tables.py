from __future__ import annotations

import contextlib
import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_semst.errors import InputError
from napari_semst.io.coordinates import find_coordinates
from napari_semst.io.formats.text_tables import peek, row_names
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from napari_semst.wording import for_shell
from tests.io.folders import save, table_of
from tests.io.readers.test_xenium_merscope_cosmx import assert_same


def places_table(tissue, columns=("x", "y"), index="barcode"):
    places = np.asarray(tissue.obsm["spatial"])
    names = pd.Index(tissue.obs_names, name=index)
    table = pd.DataFrame(places, names, list(columns))
    return table.sample(frac=1, random_state=3)


@pytest.fixture
def pair(tmp_path, tissue):
    """Counts as cells x genes beside their places."""
    save(places_table(tissue), tmp_path / "places.csv")
    return save(table_of(tissue), tmp_path / "counts.csv")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("end", "sep"), [("csv", ","), ("tsv.gz", "\t"), ("txt", "\t"), ("csv.gz", ";")]
)
def test_either_way_round_and_any_separator(tmp_path, tissue, turned, end, sep):
    save(places_table(tissue), tmp_path / f"a.{end}", sep=sep)
    table = table_of(tissue).T if turned else table_of(tissue)
    path = save(table, tmp_path / f"b.{end}", sep=sep)
    assert detect_format(path).name == "plain"
    for place in (path, tmp_path):
        found = read(place)
        assert_same(found, tissue)
        assert list(found.obs_names) == list(tissue.obs_names)
        assert found.uns["semst_input"]["turned"] is turned
        assert input_warnings(found) == []


@pytest.mark.parametrize(
    ("columns", "index"),
    [
        (("X", "Y"), "Cell_ID"),
        (("imagecol", "imagerow"), None),
        (("CenterX_global_px", "CenterY_global_px"), "my names"),
        (("sdimx", "sdimy"), "spot"),
    ],
)
def test_usual_names_of_columns(tmp_path, tissue, columns, index):
    save(places_table(tissue, columns, index).assign(layer="L1"), tmp_path / "meta.csv")
    found = read(save(table_of(tissue), tmp_path / "counts.csv"))
    assert_same(found, tissue)
    assert list(found.obs.columns) == [*columns, "layer"]


def test_places_without_a_header_and_counts_as_r_writes_them(tmp_path, tissue):
    save(places_table(tissue), tmp_path / "coordinates.csv", header=False)
    text = table_of(tissue).to_csv(sep="\t").split("\t", 1)[1]
    (tmp_path / "counts.tsv").write_text(text)
    assert_same(read(tmp_path / "counts.tsv"), tissue)


def test_places_can_be_named(tmp_path, pair, tissue):
    other = tmp_path / "elsewhere"
    other.mkdir()
    wrong = places_table(tissue) * 2
    save(wrong, other / "moved.csv")
    save(wrong, tmp_path / "more places.csv")
    with pytest.raises(InputError, match=r"several with x and y: more places.csv, pla"):
        read(pair)
    assert_same(read(pair, positions="places.csv"), tissue)
    doubled = read(pair, positions=other / "moved.csv")
    np.testing.assert_allclose(doubled.obsm["spatial"], 2 * tissue.obsm["spatial"])
    with pytest.raises(InputError, match="there is none"):
        read(pair, positions="nowhere.csv")
    with pytest.raises(InputError, match="named x and y"):
        read(pair, positions=pair)


def test_what_is_missing_is_said(tmp_path, pair, tissue):
    (tmp_path / "places.csv").unlink()
    with pytest.raises(InputError, match="no table with x and y beside it, only: none"):
        read(pair)
    save(
        places_table(tissue).add_prefix("", axis=1).rename(lambda n: f"S1_{n}"),
        tmp_path / "places.csv",
    )
    with pytest.raises(InputError, match="no spot in common"):
        read(pair)


def _spoil(path, old, new):
    lines = path.read_text().split("\n")
    assert old in lines[60]
    lines[60] = lines[60].replace(old, new, 1)
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (",many,", "nothing but numbers"),
        (",,", "nothing but numbers|number in every field"),
        (",nan,", "nothing but numbers|number in every field"),
        (",1,1,", "could not be read"),
    ],
)
def test_fields_that_hold_no_count_are_refused(pair, new, message):
    line = pair.read_text().split("\n")[60]
    field = "," + line.split(",")[2] + ","
    _spoil(pair, field, new)
    with pytest.raises(InputError, match=message):
        read(pair)


def test_a_row_cut_short_is_refused(pair):
    text = pair.read_text()
    pair.write_text(text[: len(text) * 2 // 3].rsplit(",", 3)[0])
    with pytest.raises(InputError, match=r"number in every field|nothing but numbers"):
        read(pair)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_tables_of_many_columns(tmp_path, tissue, monkeypatch, turned, quoting):
    monkeypatch.setattr("napari_semst.io.formats.wide_tables._WIDE", 10)
    monkeypatch.setattr("napari_semst.io.formats.wide_tables.CHUNK", 1500)
    save(places_table(tissue), tmp_path / "places.csv")
    table = table_of(tissue).T if turned else table_of(tissue)
    path = save(table, tmp_path / "counts.csv.gz", quoting=quoting)
    assert_same(read(path), tissue)
    for bad in ("many", "", "nan", "1 1"):
        spoiled = table.astype(object)
        spoiled.iloc[30, 4] = bad
        save(spoiled, path, quoting=quoting)
        with pytest.raises(InputError, match=r"but numbers|number in every field"):
            read(path)


def test_other_tables_are_declined_at_once(tmp_path, pair, tissue):
    points = pd.DataFrame({"index": [0, 1], "axis-0": [3.0, 4], "axis-1": [1.0, 2]})
    save(points, tmp_path / "points.csv", index=False)
    results = pd.DataFrame(
        {"label": [1, 2], "area": [5.0, 6], "mean": [1.0, 3], "s": 1}
    )
    save(results, tmp_path / "measured.csv", index=False)
    (tmp_path / "prose.txt").write_text("a b c\nno, numbers here\n")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 100)
    names = ("places", "points", "measured", "empty", "binary")
    for path in [tmp_path / f"{name}.csv" for name in names]:
        assert detect_format(path) is None
    assert detect_format(tmp_path / "prose.txt") is None
    assert detect_format(pair).name == "plain"


def test_a_large_table_is_not_read_to_be_known(tmp_path, pair, monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr("napari_semst.io.readers.tables.read_wide", refuse)
    assert detect_format(pair).name == "plain"


_COUNTS = st.integers(0, 1000)
_NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1),
    min_size=4,
    max_size=8,
    unique=True,
).filter(lambda names: not any(name.startswith("#") for name in names))


@settings(max_examples=25, deadline=None)
@given(_NAMES, _NAMES, st.booleans(), st.sampled_from(",;\t"), st.data())
def test_any_names_and_counts_come_back(
    tmp_path_factory, spots, genes, turned, sep, data
):
    spots = [f"spot {name}" for name in spots]
    genes = [f"gene {name}" for name in genes]
    counts = data.draw(arrays(np.int64, (len(spots), len(genes)), elements=_COUNTS))
    table = pd.DataFrame(counts, spots, genes)
    places = pd.DataFrame({"x": np.arange(len(spots)), "y": 2.5}, spots[::-1])
    folder = tmp_path_factory.mktemp("pair")
    save(places, folder / "p.tsv.gz", sep=sep)
    save(table.T if turned else table, folder / "c.csv", sep=sep)
    found = read(folder)
    assert list(found.obs_names) == spots
    assert list(found.var_names) == genes
    np.testing.assert_array_equal(found.X.toarray(), counts)
    want = np.arange(len(spots))[::-1]
    np.testing.assert_array_equal(found.obsm["spatial"][:, 0], want)


@pytest.mark.parametrize("turned", [False, True])
def test_a_name_that_ends_in_the_delimiter_costs_no_row(tmp_path, turned):
    """Of a header that begins with an empty field: pandas took rows with it."""
    spots, genes = ["s,", "s1", ",s2", "s3"], ["g,", "g1", "g2", ",g3"]
    counts = pd.DataFrame(np.arange(16).reshape(4, 4), spots, genes)
    save(counts.T if turned else counts, tmp_path / "c.csv")
    save(pd.DataFrame({"x": range(4), "y": 2.5}, spots), tmp_path / "p.csv")
    found = read(tmp_path)
    assert list(found.obs_names) == spots
    assert list(found.var_names) == genes
    np.testing.assert_array_equal(found.X.toarray(), counts)
    head = peek(tmp_path / "c.csv")
    assert row_names(tmp_path / "c.csv", head) == (genes if turned else spots)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_is_wrong_is_told_as_such(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("spoiled")
    spots = [f"s{i}" for i in range(12)]
    counts = pd.DataFrame(np.arange(60).reshape(12, 5), spots, list("abcde"))
    save(counts, folder / "c.csv.gz")
    save(pd.DataFrame({"x": range(12), "y": range(12)}, spots), folder / "p.csv")
    path = folder / data.draw(st.sampled_from(["c.csv.gz", "p.csv"]))
    held = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        held[data.draw(st.integers(0, len(held) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(held[: data.draw(st.integers(0, len(held)))])
    detect_format(folder)
    # Any other error fails the test.
    with contextlib.suppress(InputError):
        found = read(folder / "c.csv.gz")
        assert np.isfinite(found.obsm["spatial"]).all()
        assert np.isfinite(found.X.data).all()


def numbered(table, name):
    """Return a table as R writes a frame that has its names in a column."""
    named = table.rename_axis(name).reset_index()
    return named.set_axis([str(i + 1) for i in range(len(named))])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("label", ["", "X", "Unnamed: 0"])
@pytest.mark.parametrize("name", ["barcode", "my names"])
def test_numbers_of_rows_before_the_names(tmp_path, tissue, turned, label, name):
    places = numbered(places_table(tissue), name).assign(cluster=7)
    save(places, tmp_path / "places.csv", index_label=label)
    counts = numbered(table_of(tissue).T if turned else table_of(tissue), name)
    path = save(counts, tmp_path / "counts.csv", index_label=label)
    found = read(path)
    assert_same(found, tissue)
    assert list(found.obs_names) == list(tissue.obs_names)
    assert preview(tmp_path).n_genes == tissue.n_vars
    found.write_h5ad(tmp_path / "found.h5ad")
    again = read(tmp_path / "found.h5ad")
    assert list(again.obs_names) == list(tissue.obs_names)


def test_spots_named_by_number_are_matched_by_the_right_column(tmp_path, tissue):
    named = tissue.copy()
    named.obs_names = [str(n + 1) for n in range(tissue.n_obs)]
    places = places_table(named, index="").assign(cluster=np.arange(tissue.n_obs) % 5)
    save(places, tmp_path / "places.csv")
    found = read(save(table_of(named), tmp_path / "counts.csv"))
    assert list(found.obs_names) == list(named.obs_names)
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])


def test_columns_without_a_name_are_left_out_and_said(tmp_path, tissue):
    save(places_table(tissue), tmp_path / "places.csv")
    counts = table_of(tissue)
    counts[""] = 3
    found = read(save(counts, tmp_path / "counts.csv"))
    assert_same(found, tissue)
    assert "1 columns of counts.csv have no name" in input_warnings(found)[0]


def two_places(folder, tissue):
    save(places_table(tissue, ("sdimx", "sdimy"), "cell_ID"), folder / "locs.txt")
    meta = places_table(tissue, ("array_col", "array_row"), "cell_ID") // 10
    save(meta, folder / "meta.txt")
    return save(table_of(tissue).T, folder / "expr.txt", sep=" ")


def test_a_folder_says_what_its_table_says(tmp_path, tissue):
    path = two_places(tmp_path, tissue)
    told = []
    for place in (path, tmp_path):
        with pytest.raises(InputError, match=r"several with x and y: locs") as refused:
            read(place)
        assert "--positions locs.txt" in for_shell(refused.value)
        told.append(str(refused.value).split("; found")[1])
        assert_same(read(place, positions="locs.txt"), tissue)
        assert preview(place, positions="locs.txt").coordinates == "locs.txt"
    assert told[0] == told[1]


def test_several_tables_of_counts_are_told(tmp_path, pair, tissue):
    save(table_of(tissue) * 2, tmp_path / "more.csv")
    with pytest.raises(InputError, match=r"several of counts: counts.csv, more.csv"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"one table of counts.*counts.csv, more.csv"):
        read(tmp_path, positions="places.csv")
    assert_same(read(pair), tissue)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c,d,e\ns1,1,2,3,tumour\ns2,1,2,3,tumour\n", r"column 'e' holds other"),
        ("a,b\ns1,1\ns2,1\n", "it has 2 columns only"),
        ("", "no table, or empty"),
        ("no table", "no table, or empty"),
        ("spot,x,y,z,w\ns1,1,2,here,1\n", "is a table of places"),
    ],
)
def test_a_file_that_is_no_table_of_counts_says_why(tmp_path, pair, text, message):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=f"{path}.*{message}|file is empty"):
        read(path)
    with pytest.raises(InputError, match="Expected"):
        read(path, positions="places.csv")


def test_positions_that_do_not_go_with_the_counts(tmp_path, pair, tissue):
    other = places_table(tissue).rename(lambda name: f"S2_{name}")
    save(other, tmp_path / "other.csv")
    for place in (pair, tmp_path):
        with pytest.raises(InputError, match=r"other\.csv; they share no names"):
            read(place, positions="other.csv")


def test_places_on_an_array_lie_as_in_an_h5ad(tmp_path, tissue):
    places = tissue.obs[["array_row", "array_col"]].rename_axis("barcode")
    save(places, tmp_path / "places.csv")
    save(table_of(tissue), tmp_path / "counts.csv")
    found = read(tmp_path)
    del tissue.obsm["spatial"]
    np.testing.assert_allclose(found.obsm["spatial"], find_coordinates(tissue))
    assert "places on the array" in input_warnings(found)[0]
