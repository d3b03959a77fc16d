"""Sources by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_semst import semantics
from napari_semst.config import SemanticsConfig
from napari_semst.errors import SemanticsError
from napari_semst.semantics import SOURCES, GeneLists, SemanticSource, source

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = {
    "precomputed": {"embedding": np.ones((2, 2))},
    "server": {"url": "http://localhost:8000/v1"},
}


def test_settings_accept_the_sources_of_the_registry() -> None:
    setting = SemanticsConfig.__dataclass_fields__["source"]
    assert set(setting.metadata["choices"]) == set(SOURCES)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_line_of_the_registry_is_a_source(name: str, tmp_path: Path) -> None:
    options = dict(OPTIONS.get(name, {}))
    if name == "table":
        options["table"] = tmp_path / "table.csv"
        options["table"].write_text("symbol,a\nMBP,1\n")
    made = source(name, **options)
    assert isinstance(made, SemanticSource)
    assert made.name == name


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SemanticsError, match=r"'builtin', .*'none'"):
        source("oracle")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(SemanticsError, match="temperature"):
        source("none", temperature=1)
    with pytest.raises(SemanticsError, match="embedding"):
        source("precomputed")


def test_no_semantics_has_no_dimensions() -> None:
    spots = GeneLists(np.array(["A"]), np.zeros((4, 1), dtype=np.int32))
    found = source("none").embed_spots(spots)
    assert found.is_empty
    assert found.embedding.shape == (4, 0)
    assert found.warnings == ()


def test_the_public_names_exist() -> None:
    assert all(hasattr(semantics, name) for name in semantics.__all__)
