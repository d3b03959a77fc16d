"""The wheel: what it holds, and that napari finds it in a clean environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling builds the wheel without a download")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

# Run in the clean environment: what npe2 finds of us, and where it comes from.
FOUND = """
import json, napari_semst
from npe2 import PluginManager
manager = PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-semst")
for command in manifest.contributions.commands:
    assert callable(manager.commands.get(command.id))
print(json.dumps({
    "file": napari_semst.__file__,
    "name": manifest.display_name,
    "widgets": [w.display_name for w in manifest.contributions.widgets],
    "samples": [s.display_name for s in manifest.contributions.sample_data],
    "readers": len(manifest.contributions.readers),
}))
"""

# The plugin manager's own installer, as its window calls it.
QUEUE = """
import sys
from qtpy.QtCore import QCoreApplication, QTimer
from napari_plugin_manager.base_qt_package_installer import InstallerTools
from napari_plugin_manager.qt_package_installer import NapariInstallerQueue
app = QCoreApplication([])
queue = NapariInstallerQueue()
codes = []
queue.processFinished.connect(lambda result: codes.append(result["exit_code"]))
queue.allFinished.connect(app.quit)
tool = getattr(InstallerTools, "PYPI", None) or InstallerTools.PIP
queue.install(tool, [sys.argv[1]])
QTimer.singleShot(240_000, app.quit)
app.exec()
sys.exit(codes != [0])
"""


def call(*words, **options):
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    call(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder,
        ROOT,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def clean(tmp_path):
    """An environment of its own that borrows everything but us from this one."""
    place = tmp_path / "environment"
    call(sys.executable, "-m", "venv", place)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = call(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
    )
    borrowed = Path(packages.strip()) / "borrowed.pth"
    # A plain path: the editable install's own .pth is not followed from there.
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_holds_what_it_must(wheel):
    call(sys.executable, ROOT / ".ci" / "check_wheel.py", wheel)


def found(python):
    account = json.loads(call(python, "-W", "ignore", "-c", FOUND).splitlines()[-1])
    assert str(python.parent.parent) in account["file"]
    assert account["name"] == "SemST"
    assert account["widgets"] == ["Open data", "Find domains", "Explore domains"]
    assert "Simulated cortex" in account["samples"]
    assert account["readers"] == 1


def test_napari_finds_the_installed_wheel(wheel, clean):
    options = ("-q", "--no-deps", "--no-index", "--force-reinstall")
    call(clean, "-m", "pip", "install", *options, wheel)
    found(clean)
    call(clean, "-W", "ignore", "-m", "npe2", "validate", "napari-semst")


def test_the_plugin_managers_queue_installs_it(wheel, clean):
    pytest.importorskip("napari_plugin_manager")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PIP_NO_DEPS": "1"}
    # Where the wheel is in the environment that is borrowed from, too.
    environment["PIP_FORCE_REINSTALL"] = "1"
    call(clean, "-W", "ignore", "-c", QUEUE, wheel, env=environment)
    found(clean)
