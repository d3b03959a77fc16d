"""What is to be written is tried before any work; what can be mended is told."""

from __future__ import annotations

import datetime
import re
import warnings
from decimal import Decimal
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.config import Config
from napari_semst.errors import SaveError
from napari_semst.io.export.h5ad import write
from napari_semst.io.export.names import storable_names
from napari_semst.io.export.trial import try_writing
from napari_semst.io.matrices import named_layers
from napari_semst.io.notes import input_warnings
from napari_semst.pipeline.job import RunOutputs
from napari_semst.wording import for_shell
from tests.small import fingerprint

FORMATS = (".h5ad", ".zarr")
N = 196
DAYS = pd.date_range("2020-01-01", periods=N)


def two(first, second):
    """Return a column of two values by turns."""
    return [first, second] * (N // 2)


# What a column holds, and what it is to hold once it was written.
COLUMNS = {
    "numbers and texts": (two(1, "a"), two("1", "a")),
    "texts with half a character": (
        pd.Series(two("a\udc80", "b"), dtype=object),
        two("a?", "b"),
    ),
    "texts with NUL": (two("a\0b", "c"), two("ab", "c")),
    "whole numbers as objects": (pd.Series(two(1, 2), dtype=object), two(1, 2)),
    "flags as objects": (pd.Series(two(True, None), dtype=object), two(True, pd.NA)),
    "numbers larger than any": (two(2**70, 1), two(str(2**70), "1")),
    "durations": (pd.to_timedelta(two(1, 2), "s"), two(1.0, 2.0)),
    "days": (DAYS, [str(day.date()) for day in DAYS]),
    "days of one zone": (DAYS.tz_localize("UTC"), None),
    "dates": (two(datetime.date(2020, 1, 2), None), two("2020-01-02", np.nan)),
    "decimals": (two(Decimal("1.50"), Decimal(2)), two("1.50", "2")),
    "bytes": (two(b"a", b"b"), two("a", "b")),
    "months": (DAYS.to_period("M"), None),
    "intervals": (pd.cut(two(0.0, 3.0), [-1, 1, 4]), two("(-1, 1]", "(1, 4]")),
    "categories of two types": (pd.Categorical(two(1, "a")), two("1", "a")),
    "categories of one text": (
        pd.Categorical(two(1, "1")),
        two("1 (int)", "1 (str)"),
    ),
    "tuples as categories": (pd.Categorical(pd.Series(two((1, 2), (3, 4)))), None),
    "sparse": (pd.arrays.SparseArray(two(0, 1)), two(0, 1)),
    "floats with gaps": (pd.array(two(1.5, None), "Float64"), two(1.5, np.nan)),
    "Arrow's numbers": (pd.array(two(1, None), "int64[pyarrow]"), two(1, pd.NA)),
    "Arrow's flags": (pd.array(two(True, None), "bool[pyarrow]"), two(True, pd.NA)),
    "lists": (two([1, 2], [3]), two("[1, 2]", "[3]")),
    "long floats": (np.arange(N, dtype=np.longdouble), np.arange(N)),
}
SILENT = {
    "whole numbers as objects",
    "flags as objects",
    "floats with gaps",
    "sparse",
    "bytes",
    "long floats",
    "Arrow's numbers",
    "Arrow's flags",
    "texts with half a character",
    "texts with NUL",
}


@pytest.mark.parametrize(("suffix", "step"), [(".h5ad", 1), (".zarr", 6)])
def test_every_column_is_written_and_reads_back(tmp_path, tissue, suffix, step):
    columns = dict(list(COLUMNS.items())[::step])
    for name, (values, _) in columns.items():
        tissue.obs[name] = pd.Series(values).set_axis(tissue.obs_names)
    before = fingerprint(tissue)
    told = " ".join(try_writing(tissue, suffix))
    path = write(tissue, tmp_path / f"a{suffix}")
    assert fingerprint(tissue) == before
    back = (anndata.read_zarr if suffix == ".zarr" else anndata.read_h5ad)(path)
    assert list(back.obs) == list(tissue.obs)
    for name, (_, wanted) in columns.items():
        found = back.obs[name]
        if wanted is not None:
            there = ~pd.isna(np.asarray(wanted, dtype=object))
            assert list(found.notna()) == list(there), name
            assert list(found[there]) == list(np.asarray(wanted, object)[there]), name
        assert found.nunique(dropna=False) > 1
    loud = [name for name in columns if name not in SILENT]
    assert [name for name in columns if f"obs[{name!r}]" in told] == loud[:8]
    # The first few are named, the others counted.
    assert (f"and {len(loud) - 8} more" in told) == (len(loud) > 8)


@pytest.mark.parametrize("suffix", FORMATS)
def test_names_that_no_file_holds_are_others(tmp_path, tissue, suffix):
    for name in (None, "", "a/b", 3, ("x", "y"), "_index", "..", "nul\0"):
        tissue.obs[name] = 1.0
    tissue.obs["unnamed"] = 2.0
    tissue.obs = pd.concat([tissue.obs, tissue.obs[["array_row"]]], axis=1)
    tissue.obs.index.name = "array_col"
    tissue.var["m/m"] = 1
    tissue.raw = tissue.copy()
    tissue.obsm["turned/left"] = np.ones((N, 2))
    tissue.obsm["table"] = pd.DataFrame(np.ones((N, 2)), index=tissue.obs_names)
    tissue.layers["a/b"] = tissue.X.copy()
    tissue.uns["x/y"] = {1: {"": 2, "p/q": 3}}
    told = try_writing(tissue, suffix)
    assert len(told) == 1
    assert re.search(r"obs\[(None|nan)\] as 'unnamed-1'", told[0])
    path = write(tissue, tmp_path / f"a{suffix}")
    back = (anndata.read_zarr if suffix == ".zarr" else anndata.read_h5ad)(path)
    assert list(back.obs)[3:] == [
        *("unnamed-1", "unnamed-2", "a_b", "3", "x_y", "_index_", "unnamed-3", "nul"),
        *("unnamed", "array_row-1"),
    ]
    assert back.obs["unnamed"].tolist() == [2.0] * N
    assert list(back.obs_names) == list(tissue.obs_names)
    assert (list(back.var)[-1], list(back.raw.var)[-1]) == ("m_m", "m_m")
    assert set(back.obsm) == {"spatial", "turned_left", "table"}
    assert list(back.obsm["table"]) == ["0", "1"]
    assert set(named_layers(back)) == {"a_b"}
    assert back.uns["x_y"] == {"1": {"unnamed": 2, "p_q": 3}}
    assert input_warnings(back) == list(told)


def test_names_that_differ_by_capitals_alone_are_told_apart_in_a_store(
    tmp_path, tissue
):
    for name in ("cell_ID", "cell_id"):
        tissue.obs[name] = pd.Categorical([f"{name}{i}" for i in range(tissue.n_obs)])
    back = anndata.read_zarr(write(tissue, tmp_path / "section.zarr"))
    assert list(back.obs["cell_ID"]) == list(tissue.obs["cell_ID"])
    assert list(back.obs["cell_id-1"]) == list(tissue.obs["cell_id"])
    kept = anndata.read_h5ad(write(tissue, tmp_path / "section.h5ad"))
    assert list(kept.obs["cell_id"]) == list(tissue.obs["cell_id"])


def test_a_name_is_changed_only_where_it_must_be():
    names = ["a b", "ü", "a.b", "a-1", "%", "x" * 90, "a", "a"]
    assert storable_names(names) == [*names[:-1], "a-2"]
    assert storable_names(["a_b", "a/b", "a/b"]) == ["a_b", "a_b-1", "a_b-2"]


MADE = {
    "tuple": ((1, 2), [1, 2]),
    "mixed": ((1, None), ["1", ""]),
    "ragged": ([[1], [1, 2]], None),
    "set": ({"b", "a"}, ["a", "b"]),
    "dicts": ([{"a": 1}, {"a": 2}], {"0": {"a": 1}, "1": {"a": 2}}),
    "day": (datetime.datetime(2020, 1, 2), "2020-01-02T00:00:00"),
    "days": (np.array(["2020-01-02"], "M8[D]"), ["2020-01-02"]),
    "large": (2**70, str(2**70)),
    "complex": (1j, 1j),
    "index": (pd.Index(["a", "b"]), ["a", "b"]),
    "coo": (sparse.coo_matrix(np.eye(3)), None),
    "series": (pd.Series([1, 2], name="s"), None),
    "levels": (
        pd.DataFrame({"x": [1]}, pd.MultiIndex.from_tuples([(1, "b")])),
        None,
    ),
    "objects": (np.array([1, "a", None], dtype=object), ["1", "a", ""]),
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_programs_leave_in_uns_is_written(tmp_path, tissue, suffix):
    tissue.uns["made"] = {key: value for key, (value, _) in MADE.items()}
    try_writing(tissue, suffix)
    path = write(tissue, tmp_path / f"a{suffix}")
    back = (anndata.read_zarr if suffix == ".zarr" else anndata.read_h5ad)(path)
    found = back.uns["made"]
    assert set(found) == set(MADE)
    for key, (_, wanted) in MADE.items():
        if wanted is not None:
            held = found[key]
            held = held.tolist() if hasattr(held, "tolist") else held
            assert held == wanted, key
    assert list(found["series"]["s"]) == [1, 2]
    assert list(found["ragged"]["1"]) == [1, 2]
    assert (found["coo"].toarray() == np.eye(3)).all()
    assert list(found["levels"]) == ["level_0", "level_1", "x"]


def test_what_no_file_holds_is_named_all_at_once(tissue):
    tissue.uns["strange"] = {"deep": {"thing": object()}, "fine": 1}
    tissue.uns["call"] = len
    tissue.obs["held"] = [object()] * N
    tissue.obsm["odd"] = np.full((N, 2), object())
    with pytest.raises(SaveError) as caught:
        try_writing(tissue)
    text = str(caught.value)
    for name in (
        "uns['strange']['deep']['thing'] (object)",
        "uns['call']",
        "obs['held']",
        "obsm['odd']",
    ):
        assert name in text
    assert "fine" not in text
    assert "Remove it from the file" in for_shell(caught.value)


def test_objects_do_not_become_text_in_a_store(tmp_path, tissue):
    # zarr would write how Python prints them.
    tissue.obs["held"] = [object()] * N
    for writes in (
        lambda: try_writing(tissue, ".zarr"),
        lambda: write(tissue, tmp_path / "a.zarr"),
    ):
        with pytest.raises(SaveError, match="held"):
            writes()
    assert list(tmp_path.iterdir()) == []


def test_a_value_in_the_last_row_counts(tissue):
    tissue.obs["late"] = ["a"] * (N - 1) + [1]
    assert "obs['late'] as text" in try_writing(tissue)[0]


@pytest.mark.parametrize("form", ["view", "backed", "empty", "csc", "dense"])
def test_every_form_is_tried(tmp_path, tissue, form):
    tissue.uns["spatial"] = {"a": {"images": {"hires": np.zeros((900, 900, 3), "u1")}}}
    tissue.obsm["table"] = pd.DataFrame({"x": range(N)}, index=tissue.obs_names)
    if form == "view":
        tissue = tissue[5:]
    elif form == "backed":
        tissue.write_h5ad(tmp_path / "a.h5ad")
        tissue = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    elif form == "empty":
        del tissue.X
    else:
        tissue.X = tissue.X.tocsc() if form == "csc" else tissue.X.toarray()
    assert try_writing(tissue) == ()
    if form == "backed":
        tissue.file.close()


@pytest.mark.parametrize("command", ["run", "cohort", "apply", "import"])
def test_commands_refuse_before_the_work(tmp_path, tissue, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        tissue.write_h5ad(f"{name}.h5ad")
    (tmp_path / "labels.csv").write_text("barcode,label\nx,1\n")

    def spoilt(*_, **__):
        held = tissue.copy()
        held.uns["strange"] = object()
        return held

    def worked(*_, **__):
        raise AssertionError("the work had begun")

    of_model = SimpleNamespace(config=Config())
    monkeypatch.setattr("napari_semst.io.read.read", spoilt)
    monkeypatch.setattr("napari_semst.pipeline.run.find_domains", worked)
    monkeypatch.setattr("napari_semst.pipeline.apply_model.label_section", worked)
    monkeypatch.setattr("napari_semst.pipeline.model.load_model", lambda _: of_model)
    monkeypatch.setattr("napari_semst.io.import_labels.add_labels", worked)
    words = {
        "run": ["run", "a.h5ad", "-k", "3", "--method", "quick"],
        "cohort": ["run", "a.h5ad", "b.h5ad", "-k", "3", "--method", "quick"],
        "apply": ["apply", "m.safetensors", "a.h5ad", "-o", "o.h5ad"],
        "import": ["import", "a.h5ad", "labels.csv", "-o", "o.h5ad"],
    }
    result = CliRunner().invoke(app, words[command])
    said = f"{result.output} {result.exception}"
    assert result.exit_code
    assert "uns['strange'] (object)" in said
    assert "the work had begun" not in said
    assert sorted(p.name for p in tmp_path.glob("*_semst.h5ad")) == []


def test_a_run_tells_what_it_mends_and_saves(tmp_path, tissue, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tissue.obs["kept/so"] = range(N)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tissue.write_h5ad("a.h5ad")
        except ValueError:
            pytest.skip("this release of anndata writes no such name")
    result = CliRunner().invoke(app, ["run", "a.h5ad", "-k", "3", "--method", "quick"])
    assert result.exit_code == 0, result.exception
    assert "obs['kept/so'] as 'kept_so'" in result.output
    back = anndata.read_h5ad("a_semst.h5ad")
    assert back.obs["kept_so"].tolist() == list(range(N))


def test_a_section_without_room_for_its_result_is_refused_before_the_work(
    tmp_path, tissue, monkeypatch
):
    usage = SimpleNamespace(free=10)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    files = RunOutputs(tmp_path / "a.h5ad", None, None, overwrite=False)
    with pytest.raises(SaveError, match="MB free"):
        files.try_writing(tissue)
    RunOutputs(None, None, None, overwrite=False).try_writing(tissue)
