"""The pages for developers name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import napari_semst

HOME = Path(napari_semst.__file__).parent
ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/development.md"])
def test_modules_that_a_page_names_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.(?:py|html))", text))
    missing = [
        name for name in named if not any((f / name).exists() for f in (HOME, ROOT))
    ]
    assert not missing


def test_the_architecture_page_draws_every_package():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    tree = text[text.index("src/napari_semst/\n") :]
    packages = {path.parent.name for path in HOME.glob("*/__init__.py")}
    assert {name for name in packages if f"\n  {name}/ " not in tree} == set()
