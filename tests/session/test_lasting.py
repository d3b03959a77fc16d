from __future__ import annotations

from dataclasses import fields

from napari_semst.config.settings import STAGES
from napari_semst.session import lasting
from napari_semst.session.lasting import lasting_overrides


def test_paths_are_told_whole_and_names_are_left(tmp_path, monkeypatch):
    for folder in ("model", "cpu"):
        (tmp_path / folder).mkdir()
    (tmp_path / "slide.tif").touch()
    monkeypatch.chdir(tmp_path)
    given = {
        "morphology": {"image": "slide.tif", "encoder": "hf:model"},
        "semantics": {"source": "prompts", "model": "org/name", "embedding": "X_e"},
        "training": {"device": "cpu"},
    }
    told = lasting_overrides(given)
    assert told["morphology"] == {
        "image": str(tmp_path / "slide.tif"),
        "encoder": f"hf:{tmp_path / 'model'}",
    }
    assert told["semantics"] == given["semantics"]
    assert told["training"] == {"device": "cpu"}
    assert given["morphology"]["image"] == "slide.tif"


def test_every_setting_that_is_a_file_is_known():
    files = {
        (stage, one.name)
        for stage, kind in STAGES.items()
        for one in fields(kind)
        if one.metadata.get("file")
    }
    assert files <= set(lasting._FILES)


def test_an_address_that_nobody_checked_is_not_told():
    secret = {"url": "https://me:password@host/v1"}
    for source in ({"source": "builtin"}, {}):
        assert (
            "url"
            not in lasting_overrides({"semantics": {**secret, **source}})["semantics"]
        )
    asked = {"semantics": {"source": "server", "url": "http://localhost:8000/v1"}}
    assert lasting_overrides(asked) == asked
