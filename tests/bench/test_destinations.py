"""A comparison replaces nothing that it reads, and nothing that others made."""

from __future__ import annotations

import json
import os

import pytest

from napari_semst import compare_methods
from napari_semst.bench.destinations import WRITTEN
from napari_semst.errors import SaveError
from tests.bench.cases import planned, saved


@pytest.fixture
def plan(tissue, tmp_path):
    return planned(saved(tissue, tmp_path), fusions=("none",))


@pytest.fixture
def folder(tmp_path):
    """The folder of a comparison that was inside."""
    (tmp_path / "out" / "cells").mkdir(parents=True)
    return tmp_path / "out"


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("others", [(), ("cells",)])
def test_files_that_no_comparison_made_stay(plan, tmp_path, inside, name, others):
    folder = tmp_path / "mine"
    for other in others:
        (folder / other).mkdir(parents=True)
        (folder / other / "counts.csv").write_text("of cells")
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("mine")
    with pytest.raises(SaveError, match=rf"found {name}, which no comparison made"):
        compare_methods(plan, folder)
    assert (folder / name).read_text() == "mine"
    assert not inside


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_section_under_our_name_stays(plan, tmp_path, folder, inside, link):
    source = tmp_path / "A.h5ad"
    before = source.read_bytes()
    link(source, folder / "results.csv")
    with pytest.raises(SaveError, match="another file than the input"):
        compare_methods(plan, folder)
    assert source.read_bytes() == before
    assert not inside


def test_a_table_that_settings_name_stays(tissue, tmp_path, folder, inside):
    table = folder / "results.csv"
    table.write_text("gene,a\nTP53,1\n")
    path = saved(tissue, tmp_path)
    with pytest.raises(SaveError, match="another file than the input"):
        compare_methods(planned(path, semantics=(f"table:{table}",)), folder)
    assert table.read_text() == "gene,a\nTP53,1\n"
    assert not inside


def test_the_plan_of_the_folder_stays_where_it_is_read(plan, folder, inside):
    place = folder / "plan.json"
    place.write_text(json.dumps(plan.to_dict()))
    before = place.read_bytes()
    assert compare_methods(place, folder).done == 1
    assert place.read_bytes() == before
    os.replace(place, folder / "report.html.json")
    os.link(folder / "report.html.json", folder / "first.json")
    (folder / "report.html").unlink()
    os.link(folder / "first.json", folder / "report.html")
    with pytest.raises(SaveError, match="another file than the input"):
        compare_methods(folder / "first.json", folder)
