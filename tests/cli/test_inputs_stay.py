"""Whatever a command writes, no file that it reads is ever replaced."""

from __future__ import annotations

import inspect
import os
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_semst.cli.main import app
from napari_semst.errors import SaveError
from tests.cli.test_main import call

READS = {
    "run": {"sources", "config", "image", "weights", "summaries"},
    "embed": {"sources", "config", "summaries"},
    "domains": {"source"},
    "explain": {"source"},
    "apply": {"source", "model"},
    "transfer": {"reference", "target", "also"},
    "signature": {"source"},
    "discordance": {"source"},
    "figure": {"source"},
    "report": {"source", "markers"},
    "session": {"source"},
    "export": {"source"},
    "import": {"source", "regions"},
    "convert": {"source", "image", "landmarks"},
    "verify": {"result", "inputs"},
    "score": {"source"},
    "inspect": {"source"},
    "view": {"source"},
    "write": {"source", "config"},
    "join": {"folder"},
    "bench": {"sources", "config", "plan"},
}
WRITES = {
    "run": {
        "output",
        "csv",
        "figure",
        "save_model",
        "output_dir",
        "journal",
        "checkpoint",
    },
    "embed": {"output", "journal"},
    "domains": {"output", "curve"},
    "explain": {"output"},
    "apply": {"output", "csv", "figure", "journal"},
    "transfer": {"output", "csv", "figure"},
    "signature": {"output"},
    "discordance": {"output"},
    "figure": {"output"},
    "report": {"output"},
    "session": {"output"},
    "convert": {"output"},
    "export": {"output"},
    "import": {"output"},
    "write": {"folder"},
    "join": {"output"},
    "cortex": {"output"},
    "discordant": {"output"},
    "demo": {"folder"},
    "bench": {"output_dir"},
}
# Their places are made by the command itself, and hold what is there already.
ELSEWHERE = {
    ("run", "output_dir"),
    ("run", "checkpoint"),
    ("write", "folder"),
    ("demo", "folder"),
    ("bench", "output_dir"),
}


def commands():
    """Yield the name and the function of every command."""
    found = [app, *(group.typer_instance for group in app.registered_groups)]
    for typer in found:
        for command in typer.registered_commands:
            function = inspect.unwrap(command.callback)
            yield command.name or function.__name__.replace("_", "-"), command.callback


def paths_of(function):
    hints = typing.get_type_hints(function)
    return {
        name
        for name, hint in hints.items()
        if (name != "return" and (hint is Path or Path in typing.get_args(hint)))
        or any(Path in typing.get_args(inner) for inner in typing.get_args(hint))
    }


def test_every_path_of_every_command_is_known_here():
    for name, function in commands():
        known = READS.get(name, set()) | WRITES.get(name, set())
        assert paths_of(function) == known, name


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two tables of a section and what else a command can read, in a folder."""
    monkeypatch.chdir(tmp_path)
    names = [f"s{i}" for i in range(60)]
    counts = np.random.default_rng(0).poisson(2, (60, 8))
    genes = ["MBP", "PLP1", "GFAP", "SNAP25", "CD3E", "CD4", "ACTB", "VIM"]
    pd.DataFrame(counts, index=names, columns=genes).to_csv("counts.csv")
    rows, columns = np.divmod(np.arange(60), 10)
    places = pd.DataFrame({"name": names, "x": columns * 10.0, "y": rows * 10.0})
    places.to_csv("places.csv", index=False)
    pd.DataFrame(np.eye(8), index=genes).to_csv("vectors.csv")
    Image.new("RGB", (100, 60), "pink").save("slide.png")
    Path("settings.toml").write_text("[domains]\nn_domains = 3\n")
    held = ("embedding.safetensors", "model.safetensors", "markers.csv")
    for name in (*held, "signature.npz", "second.npz"):
        Path(name).write_text("what it holds is not looked at before")
    Path("regions.csv").write_text("Barcode,regions\ns1,a\n")
    return tmp_path


QUICK = ("run", "counts.csv", "-k", "3", "--method", "quick")
IMAGE = (*QUICK[:4], "--method", "image-guided", "--image", "slide.png")
SEMANTICS = ("run", "counts.csv", "-k", "3", "--semantics")
ADDED = ("convert", "counts.csv", "--image", "slide.png")
TRANSFER = ("transfer", "signature.npz", "counts.csv")
PAIRS = [
    ((*QUICK, "--csv"), "counts.csv", ""),
    ((*QUICK, "--csv"), "places.csv", ""),
    ((*QUICK, "--journal"), "places.csv", ""),
    (("apply", "model.safetensors", "counts.csv", "--journal"), "counts.csv", ""),
    (
        ("embed", "counts.csv", "--semantics", "builtin", "-o", "e.npz", "--journal"),
        "counts.csv",
        "",
    ),
    ((*QUICK, "-o"), "places.csv", ".h5ad"),
    ((*QUICK, "--figure"), "places.csv", ".png"),
    ((*QUICK, "--save-model"), "counts.csv", ".safetensors"),
    ((*QUICK, "--config", "settings.toml", "--csv"), "settings.toml", ".csv"),
    (
        (*IMAGE, "--figure"),
        "slide.png",
        "",
    ),
    ((*SEMANTICS, "table:vectors.csv", "--csv"), "vectors.csv", ""),
    (
        (*SEMANTICS, "precomputed:embedding.safetensors", "--save-model"),
        "embedding.safetensors",
        "",
    ),
    (("apply", "model.safetensors", "counts.csv", "-o"), "places.csv", ".h5ad"),
    (
        ("apply", "model.safetensors", "counts.csv", "--csv"),
        "model.safetensors",
        ".csv",
    ),
    (("apply", "model.safetensors", "counts.csv", "--figure"), "counts.csv", ".png"),
    ((*TRANSFER, "-o"), "places.csv", ".h5ad"),
    ((*TRANSFER, "--csv"), "counts.csv", ""),
    ((*TRANSFER, "--csv"), "signature.npz", ".csv"),
    ((*TRANSFER, "--also", "second.npz", "--csv"), "second.npz", ".csv"),
    ((*TRANSFER, "--figure"), "signature.npz", ".png"),
    (("signature", "counts.csv", "--labels", "a", "-o"), "places.csv", ".npz"),
    (("domains", "counts.csv", "-k", "3", "-o"), "counts.csv", ""),
    (("domains", "counts.csv", "--curve"), "places.csv", ".png"),
    (("explain", "counts.csv", "-o"), "places.csv", ""),
    (("discordance", "counts.csv", "-o"), "places.csv", ""),
    (("figure", "counts.csv", "-o"), "places.csv", ".png"),
    (
        ("report", "counts.csv", "--markers", "markers.csv", "-o"),
        "markers.csv",
        ".html",
    ),
    (("report", "counts.csv", "-o"), "places.csv", ".html"),
    (("session", "counts.csv", "-o"), "places.csv", ".py"),
    (("export", "counts.csv", "-o"), "places.csv", ""),
    (("convert", "counts.csv", "-o"), "places.csv", ".h5ad"),
    ((*ADDED, "-o"), "slide.png", ".h5ad"),
    ((*ADDED, "--landmarks", "markers.csv", "-o"), "markers.csv", ".h5ad"),
    (("import", "counts.csv", "regions.csv", "-o"), "regions.csv", ".h5ad"),
    (("embed", "counts.csv", "--semantics", "builtin", "-o"), "places.csv", ".npz"),
    (("embed", "--merge", "embedding.safetensors", "-o"), "embedding.safetensors", ""),
    (("prompts", "join", ".", "-o"), "embedding.safetensors", ""),
]  # fmt: skip


@pytest.mark.parametrize(("words", "read", "ending"), PAIRS)
def test_what_is_read_is_not_replaced(here, words, read, ending):
    output = read
    if ending:
        # The same file under a name that the option takes.
        output = f"other{ending}"
        os.link(read, output)
    before = Path(read).read_bytes()
    entries = sorted(os.listdir())
    with pytest.raises(SaveError, match="another file than the input"):
        call(*words, output, "--overwrite")
    assert Path(read).read_bytes() == before
    assert sorted(os.listdir()) == entries


def test_every_place_of_every_command_is_tried():
    options = {
        "-o": "output",
        "--csv": "csv",
        "--figure": "figure",
        "--save-model": "save_model",
        "--curve": "curve",
        "--journal": "journal",
    }
    tried = {
        (words[1] if words[0] == "prompts" else words[0], options[words[-1]])
        for words, *_ in PAIRS
    }
    wanted = {(name, option) for name in READS for option in WRITES.get(name, ())}
    assert wanted - tried == ELSEWHERE - {("demo", "folder")}


def test_a_result_of_before_beside_the_input_may_be_replaced(here):
    Path("out.csv").write_text("of the last run")
    call(*QUICK, "--csv", "out.csv", "--overwrite", "-q")
    assert len(pd.read_csv("out.csv")) == 60
