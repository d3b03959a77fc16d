"""Sessions as code: written, run, and found to do the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_semst import find_domains, keys, read, simulated_cortex, write
from napari_semst.config import AUTO_DOMAINS, Request, number_of_domains
from napari_semst.core.progress import run_to_end
from napari_semst.domains.levels import write_level
from napari_semst.errors import InputError, SaveError
from napari_semst.explanation.explain import attach_explanation, explain
from napari_semst.explore.annotate import Annotator
from napari_semst.explore.corrections import refine_column
from napari_semst.explore.label_edits import LabelEdit
from napari_semst.explore.labels_from_file import labels_from_file
from napari_semst.explore.named_domains import named_domains
from napari_semst.explore.neighbourhoods import section_neighbourhoods
from napari_semst.io.manual_alignment import Adjustment, adjust
from napari_semst.io.places.landmarks import register_image
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.session import python_code
from napari_semst.session.actions import Action
from napari_semst.session.log import begin_session, record_action
from napari_semst.session.python_code import session_code
from napari_semst.session.script import session_text, write_session
from napari_semst.transfer.references import Reference
from napari_semst.transfer.result import attach_transfer
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.steps import transfer_steps
from napari_semst.transfer.target import TargetOptions
from tests.widgets.stand_in import small_tissue

ORIGIN = Action("read", {"path": "/data/section.h5ad"})


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A section after many things were done to it as the docks do them."""
    path = tmp_path_factory.mktemp("session") / "cortex.h5ad"
    write(simulated_cortex(300, 300, seed=1), path)
    tissue = read(path)
    begin_session(tissue, Action("read", {"path": path}))
    labels = Annotator(tissue)

    def done(what, **given):
        record_action(tissue, Action(what, given))

    def edit(column, how, begin=False, **given):
        labels.edit(column, LabelEdit(how, given, tissue), begin=begin)
        done("edit", column=column, how=how, given=given, begin=begin)

    library = next(iter(tissue.uns["spatial"]))
    moved = Adjustment(flip_x=True, shift_y=3.0)
    adjust(tissue, library, moved)
    done("align", library=library, adjustment={"flip_x": True, "shift_y": 3.0})
    register(tissue, library, done)
    find_domains(tissue, n_domains=4, preset="quick", run="first", inplace=True)
    overrides = {"domains": {"n_domains": 4}}
    done("run", preset="quick", overrides=overrides, run="first")
    some = np.arange(tissue.n_obs) % 7 == 0
    edit(keys.DOMAIN, "renamed", name="1", new='Leo\'s "layer" 1')
    edit("domain_first_edited", "assigned", spots=some, name="scattered")
    edit("domain_first_edited", "merged", names=["2", "3"])
    labels.undo()
    done("undo")
    edit("domain_first_edited", "split", name="4", parts="latent")
    edit("mine", "assigned", begin=True, spots=some, name="a")
    labels.recolour("mine", "a", "#123456")
    done("recolour", column="mine", name="a", color="#123456")
    refined = refine_column(tissue, "domain_first_edited", "semst_domain_first")
    made = labels.put("refined", refined.labels, "semst_domain_first")
    given = {"of": "domain_first_edited", "before": "semst_domain_first", "since": ""}
    put = {"column": "refined", "began": "semst_domain_first", "made": made}
    done("refine", **given, **put)
    tissue.obs[f"{made}_probability"] = refined.sure
    done("keep_refined", made=made)
    further(tissue, labels, done, path.parent)
    done("save", path="/elsewhere/result.h5ad")
    done("save_table", path="C:\\elsewhere\\result.csv")
    done("regions", path="/elsewhere/result.geojson", column=keys.DOMAIN)
    done("report", path="/elsewhere/result.html")
    return tissue


def register(tissue, library, done):
    """Register the image by landmarks, and turn it by hand after that."""
    image = np.array([[0.0, 0.0], [3000.0, 100.0], [200.0, 2000.0]])
    places = {"image": image.tolist(), "spots": (image[:, ::-1] * 1.1).tolist()}
    register_image(tissue, library, landmarks_from(**places, kind="affine"))
    done("register", library=library, landmarks={**places, "kind": "affine"})
    register_image(tissue, library, None)
    done("register", library=library, landmarks=None)
    register_image(tissue, library, landmarks_from(**places))
    done("register", library=library, landmarks={**places, "kind": "similarity"})
    adjust(tissue, library, Adjustment(flip_y=True))
    done("align", library=library, adjustment={"flip_y": True})


def further(tissue, labels, done, folder):
    """Do what is made of a run: levels, distances, explanations, names, figures."""
    write_level(tissue, 3, "first")
    done("level", k=3, run="first")
    found = section_neighbourhoods(tissue, "semst_domain_first")
    tissue.obs["far"] = found.distance.astype("float32")
    done("border_distance", of="semst_domain_first", column="far")
    attach_explanation(tissue, explain(tissue, run="first"))
    done("explain", run="first", counterfactual=False)
    table = folder / "regions.csv"
    half = ["left" if x < 10 else "" for x in range(tissue.n_obs)]
    pd.DataFrame({"barcode": tissue.obs_names, "side": half}).to_csv(table, index=False)
    labels.put("regions", labels_from_file(tissue, table)[0], "a file")
    put = {"column": "regions", "began": "a file", "made": "regions"}
    done("labels_from_file", path=table, coordinates="spatial", **put)
    reference = Reference("builtin:cortex")
    options, settings = TargetOptions(domains="semst_domain_first"), TransferSettings()
    steps = transfer_steps([reference], tissue, options, settings)
    attach_transfer(tissue, run_to_end(steps), inplace=True)
    told = {"source": "builtin:cortex", "labels": ""}
    place = {"domains": "semst_domain_first", "coordinates": "", "section_key": ""}
    done("transfer", reference=told, options=place, fdr=settings.fdr)
    labels.put("named", named_domains(tissue), "semst_domain_first")
    done("named", column="named", began="semst_domain_first", made="named")
    gene = f"gene:{tissue.var_names[0]}"
    look = {"title": "A gene", "limits": [0.0, 2.0], "colormap": "magma", "dpi": 60}
    done("figure", path="/x/gene.png", colour=gene, section=None, **look)
    hidden = {"title": "Mine", "hidden": ["a"], "dpi": 60}
    done("figure", path="/x/mine.png", colour="mine", section_key=None, **hidden)


def run(path, folder, *command):
    """Run a file in a folder; return the tissue that it saved there."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(path)], cwd=folder, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return anndata.read_h5ad(folder / "repeated" / "result.h5ad")


def same(tissue, again):
    """Assert that the columns and colours of one are those of the other."""
    for column in tissue.obs:
        mine, other = tissue.obs[column], again.obs[column]
        assert list(mine.astype(str)) == list(other.astype(str)), column
        colors = f"{column}_colors"
        assert list(tissue.uns.get(colors, ())) == list(again.uns.get(colors, ()))
    kept = again.uns[keys.ALIGNMENT]
    assert {k: dict(v) for k, v in kept.items()} == tissue.uns[keys.ALIGNMENT]
    told, mine = (x.uns[keys.RUNS]["first"]["explanation"] for x in (again, tissue))
    assert str(told["domains"].keys()) == str(mine["domains"].keys())


def test_the_script_gives_the_same_labels_colours_and_files(session, tmp_path):
    assert write_session(session, tmp_path / "session.py") == []
    same(session, run(tmp_path / "session.py", tmp_path, sys.executable))
    written = {path.name for path in (tmp_path / "repeated").iterdir()}
    results = {f"result.{x}" for x in ("h5ad", "csv", "geojson", "html")}
    assert written == results | {"gene.png", "mine.png"}
    # Nothing that is there is replaced by a second run.
    again = subprocess.run(
        [sys.executable, "session.py"], cwd=tmp_path, capture_output=True
    )
    assert again.returncode != 0
    assert b"SaveError" in again.stderr


def test_the_notebook_has_the_same_code_in_cells(session, tmp_path):
    write_session(session, tmp_path / "session.ipynb")
    book = json.loads((tmp_path / "session.ipynb").read_text())
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    code = ["".join(x["source"]) for x in book["cells"] if x["cell_type"] == "code"]
    script, _ = session_text(session, ".py")
    assert all(part in script for part in code)
    assert len(code) > 10


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
def test_the_commands_give_the_same_too(session, tmp_path, monkeypatch):
    write_session(session, tmp_path / "session.sh")
    text = (tmp_path / "session.sh").read_text()
    for command in ("semst run", "semst export", "semst report"):
        assert f"\n{command} " in text
    # The command of the environment that tests run in.
    semst = tmp_path / "bin" / "semst"
    semst.parent.mkdir()
    semst.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m napari_semst "$@"\n')
    semst.chmod(0o755)
    monkeypatch.setenv("PATH", f"{semst.parent}:{os.environ['PATH']}")
    (tmp_path / "python").symlink_to(sys.executable)
    sh = f'sh "$0" "{sys.executable}"'
    same(session, run(tmp_path / "session.sh", tmp_path, "sh", "-c", sh))


def test_names_of_anybody_are_never_code(tmp_path):
    evil = '\'"\\\n"); raise SystemExit(3)  #\u2028import os'
    given = {"column": evil, "name": evil, "color": evil}
    actions = [Action("read", {"path": evil}), Action("recolour", given)]
    actions.append(Action("other", {"what": evil}))
    actions.append(Action("save", {"path": f"/x/{evil}.h5ad"}))
    code = session_code(actions)
    for block in code.blocks:
        tree = compile(block, "block", "exec")
        assert "SystemExit" not in tree.co_names
        assert "os" not in tree.co_names


@pytest.mark.parametrize(
    "action",
    [
        Action(
            "transfer",
            {"reference": {"source": "x"}, "options": {"a);b(": 1}, "fdr": 0},
        ),
        Action("edit", {"column": "a", "how": "__class__", "given": {}}),
        Action("edit", {"column": "a", "how": "renamed", "given": {"x=1);f(": 2}}),
        Action("run", {"preset": "quick"}),
        Action("figure", {"colour": "a"}),
        Action("something else", {}),
    ],
)
def test_a_damaged_record_is_refused(action):
    with pytest.raises(InputError, match=r"record|known"):
        session_code([ORIGIN, action])


def test_a_section_from_elsewhere_cannot_be_had_again():
    tissue = small_tissue()
    record_action(tissue, Action("undo"))
    with pytest.raises(InputError, match="Save the section"):
        session_text(tissue)
    with pytest.raises(InputError, match="record"):
        session_text(small_tissue())


def test_of_sections_from_elsewhere_nothing_can_be_taken_again():
    reference = {"source": [["unknown", {}]], "labels": "layer"}
    signature = Action("signature", {"reference": reference, "path": "/s.npz"})
    code = session_code([ORIGIN, signature])
    assert code.missing == ["the signature of a section from elsewhere, /s.npz"]
    given = {"reference": reference, "options": {}, "fdr": 0.1}
    with pytest.raises(InputError, match="Save that section"):
        session_code([ORIGIN, Action("transfer", given)])


def test_what_is_not_done_again_is_said(tmp_path):
    tissue = small_tissue()
    begin_session(tissue, ORIGIN)
    record_action(tissue, Action("other", {"what": "a table in a store"}))
    run_ = {"preset": "quick", "overrides": {}, "run": "a", "stopped_early": True}
    run_["moved"] = True
    record_action(tissue, Action("run", run_))
    tissue.uns[keys.RUNS] = {"b": {"seconds": {"train": 1.0}}}
    missing = write_session(tissue, tmp_path / "s.py")
    assert len(missing) == 4
    text = (tmp_path / "s.py").read_text()
    assert all(f"# - {one}" in text for one in missing)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(SaveError, match="ending"):
        write_session(small_tissue(), tmp_path / "s.txt")


def test_a_number_of_domains_that_is_chosen_is_chosen_again(tmp_path):
    request = Request("quick", {"domains": {"n_domains": AUTO_DOMAINS}})
    given = {"preset": request.preset, "overrides": request.overrides, "run": "a"}
    block = session_code([ORIGIN, Action("run", given)]).blocks[-1]
    asked = {}
    exec(
        block, {"find_domains": lambda tissue, **told: asked.update(told), "tissue": 0}
    )
    assert number_of_domains(asked["n_domains"]) == AUTO_DOMAINS


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("figure", {"path": "/f.png", "colour": "a", "title": "a", "dpi": 90}),
        ("regions", {"path": "/r.geojson", "column": "a"}),
        ("labels_from_file", {"path": "/r.csv", "column": "a", "began": "a file"}),
    ],
)
def test_where_spots_stand_and_which_section_is_shown_is_repeated(name, given):
    where = {"section": "two", "section_key": "slice", "coordinates": "X_moved"}
    block = session_code([ORIGIN, Action(name, {**given, **where})]).blocks[-1]
    for key, value in where.items():
        assert f"{key}={value!r}" in block
    block = session_code([ORIGIN, Action(name, given)]).blocks[-1]
    assert "section" not in block
    assert "coordinates" not in block


def test_discordant_regions_are_written_with_what_they_are():
    given = {"path": "/r.geojson", "column": keys.DISCORDANT_REGION, "section": "two"}
    code = session_code([ORIGIN, Action("regions", given)])
    assert code.blocks[-1] == (
        "write_regions(tissue, FOLDER / 'r.geojson', section='two')"
    )


def test_a_file_saved_again_is_replaced_as_it_was():
    saves = [Action("save", {"path": path}) for path in ("/a/r.h5ad", "/a/r.h5ad")]
    *_, first, second = session_code([ORIGIN, *saves]).blocks
    assert first == "write(tissue, FOLDER / 'r.h5ad')"
    assert second == "write(tissue, FOLDER / 'r.h5ad', overwrite=True)"


def test_two_files_of_one_name_do_not_meet():
    saves = [Action("save", {"path": f"/{x}/r.h5ad"}) for x in "ab"]
    code = session_code([ORIGIN, *saves])
    assert "'r.h5ad'" in code.blocks[-2]
    assert "'r-2.h5ad'" in code.blocks[-1]


def test_sections_that_were_joined_are_made_first():
    one = [ORIGIN, Action("align", {"library": "x", "adjustment": {}})]
    joined = Action("join", {"sections": [["a", one], ["b", [ORIGIN]]]})
    code = session_code([joined])
    assert len(code.functions) == 2
    assert "'a': section_1(), 'b': section_2()" in code.blocks[0]
    assert "adjust(" in code.functions[0]
    unknown = replace(joined, given={"sections": [["a", []], ["b", one]]})
    with pytest.raises(InputError, match="Save that section"):
        session_code([unknown])


def test_all_that_docks_record_is_written_as_code_and_nothing_else():
    home = Path(python_code.__file__).parents[1]
    recorded = set()
    for folder in ("widgets", "viewer"):
        for file in (home / folder).rglob("*.py"):
            recorded |= set(re.findall(r'Action\(\s*"(\w+)"', file.read_text()))
    # Chosen by what is saved.
    recorded |= {"save", "save_table", "sample"}
    assert recorded == {*python_code._BEGINNINGS, *python_code._STEPS}
