"""What a run says of the places that it is given, to every reader."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read
from napari_semst.pipeline.result import attach
from napari_semst.report.facts import gather_facts
from napari_semst.wording import for_shell, for_window
from tests.io.places.grounds import cells, table, tissue_of
from tests.io.places.test_on_image import with_image
from tests.small import found, short


@pytest.fixture
def mixed(tmp_path):
    """A file of two samples on the same ground."""
    made = tissue_of(*table([cells(14, seed=i) for i in range(2)], "mouse_id"))
    made.write_h5ad(tmp_path / "mixed.h5ad")
    return tmp_path / "mixed.h5ad"


def said(*words):
    """Return what a command printed, or the error that it ended with."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.output + for_shell(result.exception or "")


def test_a_run_warns_until_samples_are_told_apart(mixed):
    tissue = read(mixed)
    told = found(tissue, short("quick")).provenance["warnings"]
    (warning,) = [text for text in told if "same ground" in text]
    assert "section_key='mouse_id'" in warning
    assert for_shell(warning).endswith("--section-key mouse_id.")
    apart = found(tissue, short("quick", prepare={"section_key": "mouse_id"}))
    assert not any("same ground" in t for t in apart.provenance["warnings"])
    tissue = attach(tissue, apart)
    assert not any("same ground" in t for t in gather_facts(tissue).warnings)


def test_a_run_tells_what_is_odd_of_the_places_that_were_chosen(tissue):
    tissue.obs["row_px"], tissue.obs["col_px"] = tissue.obsm["spatial"].T
    told = found(tissue, short("quick", prepare={"coordinates": "row_px,col_px"}))
    (text,) = [t for t in told.provenance["warnings"] if t.startswith("Coordinates")]
    assert "'row_px' was named as x and 'col_px' as y" in text


def test_the_shell_names_its_option(mixed, tmp_path):
    option = "--section-key mouse_id"
    assert option in said("inspect", mixed)
    assert option in said("inspect", "--quick", mixed)
    out = tmp_path / "out.h5ad"
    words = ["run", mixed, "-k", 3, "--method", "quick", "-o", out]
    assert option in said(*words)
    # What was said then is not said of the file that keeps them apart.
    told = said(*words, "--section-key", "mouse_id", "--overwrite")
    assert "same ground" not in told
    assert "wrote" in told


def test_a_joined_file_is_to_be_divided_first(mixed, tissue):
    other = tissue_of(*table([cells(14, seed=7)]))
    joined = join_sections({"a": read(mixed), "b": other})
    told = [text for text in input_warnings(joined) if "same ground" in text]
    assert told[0].startswith("a: This file holds 2 samples")
    assert told[0].endswith("divide that file before it is joined with others.")


def test_an_image_with_no_spot_is_said_by_the_run_and_refused_where_it_is_read(
    tissue, tmp_path
):
    tissue = with_image(tissue)
    tissue.obsm["spatial"] = tissue.obsm["spatial"] + 5000.0
    told = found(tissue, short("quick")).provenance["warnings"]
    (warning,) = [text for text in told if text.startswith("No spot lies on the image")]
    assert "Open data" in for_window(warning)
    path = tmp_path / "off.h5ad"
    tissue.write_h5ad(path)
    assert "note         No spot lies on the image." in said("inspect", path)
    out = tmp_path / "out.h5ad"
    words = ("run", path, "-k", 3, "--method", "image-guided", "-o", out)
    refused = " ".join(said(*words).split())
    assert "none of the 196 lies on it: they are at x 5150 to 6500" in refused
    assert "the image covers x -0.5 to 1599.5 and y -0.5 to 1399.5" in refused
    assert not out.exists()
