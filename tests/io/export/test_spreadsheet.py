"""No cell of a table runs anything."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from napari_semst.io.export.h5ad import write_domains_csv, write_table
from napari_semst.io.export.spreadsheet import guard_cells, without_guards
from napari_semst.io.import_labels import add_labels

TEXTS = st.lists(st.text(max_size=6) | st.sampled_from(["=1+1", "@A", "-A", "'=x"]))


def test_no_cell_begins_a_formula(tissue, tmp_path):
    names = [f"spot{i}" for i in range(tissue.n_obs)]
    names[:3] = ["=HYPERLINK(1)", "@SUM(1)", "-1"]
    tissue.obs_names = names
    domains = np.where(np.arange(tissue.n_obs) < 90, "=cmd", "1")
    tissue.obs["semst_domain"] = pd.Categorical(domains)
    path = write_domains_csv(tissue, tmp_path / "a.csv")
    table = pd.read_csv(path, dtype=str)
    assert list(table["barcode"][:4]) == ["'=HYPERLINK(1)", "'@SUM(1)", "-1", "spot3"]
    assert set(table["domain"]) == {"'=cmd", "1"}
    # What comes back is what went out.
    add_labels(tissue, path, "again", labels="domain")
    assert list(tissue.obs["again"]) == list(domains)


def test_names_of_columns_and_numbers(tmp_path):
    table = pd.DataFrame({"=a": [-1.5, 2.0], "b": ["x", None], "c": ["@", "+1"]})
    path = write_table(table, tmp_path / "a.csv")
    assert path.read_text().splitlines() == ["'=a,b,c", "-1.5,x,'@", "2.0,,+1"]
    assert list(table.columns) == ["=a", "b", "c"], "the table itself is as it was"


@given(TEXTS)
def test_texts_come_back(texts):
    guarded = guard_cells(pd.DataFrame({"a": pd.Series(texts, dtype=object)}))["a"]
    assert not any(str(text).startswith(("=", "@", "\t", "\r")) for text in guarded)
    known = [t for t in texts if not t.startswith(("'=", "'@", "'\t", "'\r"))]
    back = without_guards(guarded.astype("str"))
    assert [
        text for text, old in zip(back, texts, strict=True) if old in known
    ] == known
