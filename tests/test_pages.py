"""The page on the architecture names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import napari_semst

HOME = Path(napari_semst.__file__).parent


@pytest.fixture(scope="module")
def text():
    page = Path(__file__).resolve().parents[1] / "docs/architecture.md"
    return page.read_text(encoding="utf-8")


def test_modules_that_it_names_are_there(text):
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.(?:py|html))", text))
    named = {name for name in named if not name.startswith("tests/")}
    assert not [name for name in named if not (HOME / name).exists()]


def test_it_draws_every_package(text):
    tree = text[text.index("src/napari_semst/\n") :]
    packages = {path.parent.name for path in HOME.glob("*/__init__.py")}
    assert {name for name in packages if f"\n  {name}/ " not in tree} == set()
