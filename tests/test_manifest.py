"""The manifest as it is installed, and what importing the plugin costs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest
from npe2 import PluginManifest

SOURCE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution("napari-semst")


def test_manifest_of_the_installed_distribution(manifest):
    assert manifest.name == "napari-semst"
    assert manifest.display_name == "SemST"
    assert metadata.version("napari-semst")


def test_every_command_can_be_found(manifest):
    for command in manifest.contributions.commands:
        assert command.id.startswith("napari-semst.")
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name))


def test_contributions(manifest):
    found = manifest.contributions
    assert [w.display_name for w in found.widgets] == [
        "Open data",
        "Find domains",
        "Explore domains",
    ]
    samples = [(s.key, s.display_name) for s in found.sample_data]
    assert samples == [
        ("simulated_cortex", "Simulated cortex"),
        ("simulated_cells", "Simulated cortex, single cells"),
        ("simulated_discordance", "Simulated cortex, planted discordance"),
        ("human_lymph_node", "Human lymph node (Visium, download)"),
        ("mouse_brain", "Mouse brain (Visium, download)"),
    ]
    assert found.readers[0].accepts_directories
    # napari would ask before every table that anybody opens.
    assert "*.csv" not in found.readers[0].filename_patterns


@pytest.mark.skipif(
    not (SOURCE / "pyproject.toml").exists(), reason="needs the source tree"
)
def test_top_level_shows_the_manifest():
    inside = SOURCE / "src" / "napari_semst" / "napari.yaml"
    assert (SOURCE / "napari.yaml").read_text() == inside.read_text()


_COST = """
import sys, time
import napari, npe2
before = time.perf_counter()
import napari_semst, napari_semst._reader, napari_semst._sample_data
import napari_semst.viewer.adapter, napari_semst.viewer.colour
seconds = time.perf_counter() - before
heavy = {"torch", "scanpy", "anndata", "sklearn", "transformers"} & set(sys.modules)
assert not heavy, heavy
assert seconds < 0.3, seconds
import napari_semst.widgets.find.widget, napari_semst.widgets.open.widget
heavy = {"torch", "scanpy", "anndata", "sklearn", "transformers"} & set(sys.modules)
assert not heavy, heavy
"""


def test_importing_the_plugin_is_quick_and_light():
    ran = subprocess.run(
        [sys.executable, "-c", _COST], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
