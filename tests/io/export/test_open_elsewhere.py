"""Results open in the programs that people go on with, if these are installed."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def script():
    path = Path(__file__).parents[3] / "scripts" / "open_elsewhere.py"
    if not path.is_file():
        pytest.skip("scripts/open_elsewhere.py is not part of this installation")
    spec = importlib.util.spec_from_file_location("open_elsewhere", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(script, tmp_path_factory):
    pytest.importorskip("spatialdata", reason="the extra spatialdata is not installed")
    folder = tmp_path_factory.mktemp("results")
    with warnings.catch_warnings():
        # Of spatialdata: of what ome-zarr deprecates.
        warnings.simplefilter("ignore")
        script.write(folder, n_spots=200, k=3)
    return folder


@pytest.mark.parametrize(
    "name", ["scanpy", "squidpy", "spatialdata", "napari_spatialdata", "geopandas"]
)
def test_domains_are_found_in_as_many_spots(script, written, name):
    pytest.importorskip(name, reason=f"{name} is not installed")
    wanted = json.loads((written / "counts.json").read_text())
    assert sum(wanted.values()) == 200
    with warnings.catch_warnings():
        # What these programs deprecate is theirs.
        warnings.simplefilter("ignore")
        found = getattr(script, name)(written)
    plt.close("all")
    assert found
    assert all(counts == wanted for counts in found)
