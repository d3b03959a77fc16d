"""What methods declare, and that a new one needs its package and one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import napari_semst
from napari_semst.config import Config, Request
from napari_semst.config.method_registry import METHODS
from napari_semst.errors import ConfigError
from napari_semst.methods.resolve import resolve
from napari_semst.methods.spec import MethodSpec, method_spec
from napari_semst.pipeline.warnings import unused_settings

HOME = Path(napari_semst.__file__).parent
# The method that docs/development.md shows, its package as one module.
TOY = """
from napari_semst.core.progress import Progress
from napari_semst.methods.base import Fit, View
from napari_semst.methods.spec import MethodSpec

def fit(section, semantics, config, device, control):
    yield Progress("train", 0, 1, "Principal components")
    components = section.components(config.training.seed)
    control.check()
    return Fit(components.root[:, :8], (View(components.root, smooth=True),))

SPEC = MethodSpec(
    name="toy",
    label="Components",
    summary="Principal components, averaged over neighbours by the consensus.",
    fit="napari_semst.methods.toy:fit",
    defaults={"semantics": {"source": "none"}},
    n_views=1,
)
"""
LINE = '        "toy": "napari_semst.methods.toy",\n'
RUN = """
import json
from napari_semst import find_domains, simulated_cortex
from napari_semst.config import ModelConfig
from napari_semst.pipeline.forecast import forecast
from napari_semst.pipeline.model import check_savable
from napari_semst.methods.resolve import resolve
from napari_semst.config import Request

tissue = simulated_cortex(n_spots=400, n_genes=120, seed=0)
result = find_domains(tissue, n_domains=4, method="toy")
asked = {"model": {"method": "toy"}, "domains": {"n_domains": 4}}
config = resolve(Request(overrides=asked))
try:
    check_savable(config)
    refused = ""
except Exception as error:
    refused = str(error)
choices = ModelConfig.__dataclass_fields__["method"].metadata["choices"]
print(json.dumps({
    "choices": choices,
    "domains": len(result.obs["semst_domain"].cat.categories),
    "method": result.uns["semst"]["default"]["config"]["model"]["method"],
    "source": config.semantics.source,
    "seconds": forecast(400, 120, 10_000, config).seconds > 0,
    "refused": refused,
}))
"""


@pytest.mark.parametrize("name", METHODS)
def test_a_method_declares_itself(name):
    spec = method_spec(name)
    assert isinstance(spec, MethodSpec)
    assert spec.name == name
    assert spec.label
    assert spec.summary.endswith(".")
    assert callable(spec.load_fit())
    # What it changes of the recipe are settings that there are.
    Config().with_overrides(spec.defaults)
    if spec.transfer:
        assert callable(spec.load_transfer())
    else:
        with pytest.raises(ConfigError, match="semst or quick"):
            spec.load_transfer()


def test_no_fusion_means_no_semantics():
    asked = Request(overrides={"model": {"fusion": "none"}})
    assert resolve(asked).semantics.source == "none"
    with pytest.raises(ConfigError, match=r"model\.fusion fsm.*'builtin'; got 'none'"):
        resolve(asked.with_settings("semantics", source="builtin"))


def test_a_published_method_reads_semantics_where_it_is_asked_to():
    asked = Request(overrides={"model": {"method": "stagate"}})
    alone = resolve(asked)
    assert alone.semantics.source == "none"
    assert not unused_settings(alone)
    assert resolve(asked.with_settings("semantics", source="builtin")).semantics.source
    other = resolve(asked.with_settings("model", fusion="addition"))
    assert "model.fusion" in unused_settings(other)[0]
    assert not unused_settings(
        resolve(asked.with_settings("model", input_components=9))
    )
    other = resolve(Request(overrides={"model": {"input_components": 9}}))
    assert "model.input_components" in unused_settings(other)[0]
    assert not unused_settings(
        resolve(asked.with_settings("semantics", smoothing_rounds=2))
    )
    other = resolve(Request(overrides={"semantics": {"smoothing_rounds": 2}}))
    assert "semantics.smoothing_rounds" in unused_settings(other)[0]


def test_what_methods_declare_is_read_without_torch():
    code = (
        "import sys; from napari_semst.config.method_registry import METHODS; "
        "from napari_semst.methods.spec import method_spec; "
        "[method_spec(name) for name in METHODS]; "
        "assert not {'torch', 'numpy', 'anndata'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_new_method_is_its_own_file_and_one_line(tmp_path):
    package = tmp_path / "napari_semst"
    shutil.copytree(HOME, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "methods" / "toy.py").write_text(TOY)
    registry = package / "config" / "method_registry.py"
    text = registry.read_text(encoding="utf-8")
    assert text.count("    }\n") == 1
    registry.write_text(text.replace("    }\n", f"{LINE}    }}\n"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["choices"] == [*METHODS, "toy"]
    assert answer["domains"] == 4
    assert answer["method"] == "toy"
    assert answer["source"] == "none"
    assert answer["seconds"]
    assert "'toy', which says of other sections nothing" in answer["refused"]
