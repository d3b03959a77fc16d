"""The page on hosts keeps its word: its code runs as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import napari_semst

HOME = Path(napari_semst.__file__).parent
PAGE = Path(__file__).resolve().parents[3] / "docs" / "hosts.md"
RUN = """
import json
from napari_semst import find_domains, simulated_cortex

tissue = simulated_cortex(n_spots=400, n_genes=120, seed=0)
results = {
    source: find_domains(
        tissue, n_domains=4, method="toy", overrides={"semantics": {"source": source}}
    )
    for source in ("none", "builtin")
}
print(json.dumps({
    "domains": [len(r.obs["semst_domain"].cat.categories) for r in results.values()],
    "modulated": ["semst_modulation" in r.obs for r in results.values()],
}))
"""


def blocks(language):
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_fsm_in_a_network_of_your_own():
    code = next(block for block in blocks("python") if "FSM(" in block)
    torch.manual_seed(0)
    held: dict[str, object] = {}
    exec(code, held)
    assert held["alpha"].shape == held["beta"].shape == (200, 8)
    assert held["alpha"].abs().sum() > 0
    assert code.count("  # ") >= 3


@pytest.mark.slow
def test_a_new_host_is_one_file_and_one_line(tmp_path):
    code = next(block for block in blocks("python") if "class Toy" in block)
    line = next(b for b in blocks("diff")).strip().removeprefix("+")
    package = tmp_path / "napari_semst"
    shutil.copytree(HOME, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "methods" / "hosts" / "toy.py").write_text(code)
    registry = package / "config" / "method_registry.py"
    text = registry.read_text(encoding="utf-8")
    registry.write_text(text.replace("    }\n", f"{line}\n    }}\n"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["domains"] == [4, 4]
    assert answer["modulated"] == [False, True]
