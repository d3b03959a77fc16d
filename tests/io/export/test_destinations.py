"""No result takes the place of what is read, and what cannot be is refused early."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_semst.errors import SaveError
from napari_semst.io.export.atomic import write_atomically, write_folder_atomically
from napari_semst.io.export.destinations import check_destination
from napari_semst.io.export.temporaries import (
    TEMPORARY,
    remove_dead_temporaries,
    temporary_beside,
)

INPUT = "another file than the input"


@pytest.fixture
def read(tmp_path):
    """A file and a folder that are read."""
    (tmp_path / "table.csv").write_text("read")
    folder = tmp_path / "outs"
    (folder / "spatial").mkdir(parents=True)
    (folder / "spatial" / "image.png").write_text("read")
    return [tmp_path / "table.csv", folder]


def test_a_file_that_is_read_is_never_replaced(tmp_path, read):
    table, folder = read
    (tmp_path / "link.csv").symlink_to(table)
    os.link(table, tmp_path / "same.csv")
    os.link(folder / "spatial" / "image.png", tmp_path / "same.png")
    (tmp_path / "outs link").symlink_to(folder)
    for output in (
        table,
        tmp_path / "link.csv",
        tmp_path / "same.csv",
        tmp_path / "outs" / ".." / "table.csv",
        folder / "spatial" / "image.png",
        tmp_path / "outs link" / "spatial" / "image.png",
        tmp_path / "same.png",
    ):
        with pytest.raises(SaveError, match=INPUT):
            check_destination(output, overwrite=True, reads=read)
    # A new name in the folder replaces nothing; neither does a result of before.
    check_destination(folder / "new.csv", overwrite=True, reads=read)
    (tmp_path / "result.csv").write_text("before")
    check_destination(tmp_path / "result.csv", overwrite=True, reads=read)
    assert (tmp_path / "result.csv").read_text() == "before"
    assert table.read_text() == "read"


def test_what_can_be_known_is_refused_before_the_work(tmp_path):
    def refused(name, match, **more):
        with pytest.raises(SaveError, match=match):
            check_destination(tmp_path / name, (".h5ad",), overwrite=False, **more)

    refused("a.csv", "ends in .h5ad; got")
    refused("none/a.h5ad", "existing folder")
    refused("a" * 300 + ".h5ad", "failed")
    refused("a.h5ad", "MB free", size=10**18)
    (tmp_path / "there.h5ad").write_text("kept")
    refused("there.h5ad", "not to exist yet")
    check_destination(tmp_path / "B.H5AD", (".h5ad",), overwrite=False)
    check_destination(tmp_path / ("a" * 250 + ".h5ad"), (".h5ad",), overwrite=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.h5ad"]


def test_the_longest_name_that_a_file_may_have_is_written(tmp_path):
    place = tmp_path / ("ä" * 124 + ".H5AD")

    def write(temporary):
        temporary.write_text("all")

    written = write_atomically(
        place,
        write,
        lambda temporary: None,
        overwrite=False,
        suffix=".h5ad",
    )
    assert written.read_text() == "all"
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_what_a_killed_process_left_goes_with_the_next(tmp_path):
    code = (
        "import pathlib, sys\n"
        "from napari_semst.io.export.temporaries import temporary_beside\n"
        "place = temporary_beside(pathlib.Path(sys.argv[1]))\n"
        "place.write_text('half')\n"
        "print(place, flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.h5ad")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    left = process.stdout.readline().strip()
    mine = temporary_beside(tmp_path / "b.h5ad")
    mine.write_text("being written")
    foreign = tmp_path / ".c.h5ad.01234567-1-1.89abcdef.tmp"
    foreign.write_text("of another machine")
    (tmp_path / ".d.h5ad.tmp").write_text("of another program")
    remove_dead_temporaries(tmp_path)
    assert os.path.exists(left), "its process lives"
    process.kill()
    process.communicate()
    remove_dead_temporaries(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {mine.name, foreign.name, ".d.h5ad.tmp"}
    os.utime(foreign, (0, 0))
    remove_dead_temporaries(tmp_path)
    assert not foreign.exists()


def test_a_store_put_aside_by_a_killed_process_comes_back(tmp_path):
    dead = (
        f"{temporary_beside(tmp_path / 'a.zarr').name.split('.')[3].split('-')[0]}-1-1"
    )
    aside = tmp_path / f".a.zarr.{dead}.01234567.old"
    half = tmp_path / f".a.zarr.{dead}.01234567.tmp.zarr"
    for folder in (aside, half):
        folder.mkdir()
        (folder / "zarr.json").write_text(folder.name)
    remove_dead_temporaries(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert (tmp_path / "a.zarr" / "zarr.json").read_text() == aside.name
    # Where the new store took its place, the old one goes.
    aside.mkdir()
    remove_dead_temporaries(tmp_path)
    assert (tmp_path / "a.zarr" / "zarr.json").read_text() == aside.name
    assert not aside.exists()


@pytest.mark.parametrize("moment", ["between", "after the check"])
def test_an_interrupt_never_costs_the_store_that_was_there(
    tmp_path, monkeypatch, moment
):
    place = tmp_path / "a.zarr"
    place.mkdir()
    (place / "zarr.json").write_text("before")

    def write(temporary):
        temporary.mkdir()
        (temporary / "zarr.json").write_text("new")

    rename = Path.rename

    def interrupted(self, target):
        if moment == "between" and TEMPORARY in self.name:
            raise KeyboardInterrupt
        return rename(self, target)

    def check(temporary):
        if moment != "between":
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder_atomically(place, write, check, overwrite=True, suffix=".zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert (place / "zarr.json").read_text() == "before"
