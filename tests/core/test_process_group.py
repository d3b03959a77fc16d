"""Processes that train together."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from anndata import read_h5ad

from napari_semst.config import Request
from napari_semst.core.process_group import (
    Group,
    current_group,
    follows,
    joined_group,
    local_rank,
    refuse_cohorts,
)
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import ConfigError
from napari_semst.io.export.h5ad import write
from napari_semst.pipeline.checkpoint import CheckpointFolder
from napari_semst.pipeline.run import find_domains

SETTINGS = {
    "training": {"batch_spots": 120, "batch_parts": 4, "epochs": 12},
    "domains": {"n_starts": 2},
    "semantics": {"source": "none"},
}


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_group() as group:
        assert group == current_group() == Group(0, 1)
    assert not follows()
    assert local_rank() == 0


@pytest.mark.parametrize(("size", "n_parts"), [(1, 4), (2, 4), (3, 4), (4, 5)])
def test_every_part_is_computed_once(size, n_parts):
    done = [part for rank in range(size) for part in Group(rank, size).own(n_parts)]
    assert sorted(done) == list(range(n_parts))


def test_the_sum_keeps_the_order_of_the_parts():
    rows = torch.tensor([[1e8], [1.0], [-1e8]])
    assert Group().ordered_sum(rows, 3).item() == 0.0
    assert rows.double().sum().item() == 1.0


def test_a_group_of_the_users_own_is_none_of_ours(tmp_path):
    import torch.distributed as distributed

    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1
    )
    try:
        assert current_group() == Group(0, 1)
    finally:
        distributed.destroy_process_group()


def test_many_sections_are_refused_under_torchrun(monkeypatch):
    refuse_cohorts()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="--dask"):
        refuse_cohorts()


def launched(folder, source, n_processes, *options):
    """Run the command line, in processes that torchrun starts."""
    output = folder / f"by_{n_processes}.h5ad"
    settings = folder / "settings.toml"
    settings.write_text(Request(overrides=SETTINGS).to_toml(), encoding="utf-8")
    command = [
        sys.executable,
        *("-m", "torch.distributed.run", "--nproc-per-node", str(n_processes)),
        *("--master-addr", "127.0.0.1", "--master-port", "0", "--standalone"),
        *("-m", "napari_semst", "run", str(source), "-k", "3"),
        *("--config", str(settings), "-o", str(output), "--json", *options),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    # One account, whatever the number of processes.
    return read_h5ad(output), json.loads(done.stdout)


@pytest.mark.slow
def test_methods_without_training_save_once(tissue, tmp_path):
    source = tmp_path / "tissue.h5ad"
    write(tissue, source)
    found, account = launched(tmp_path, source, 2, "--method", "quick")
    assert account["method"] == "quick"
    assert found.obs["semst_domain"].nunique() == 3


@pytest.mark.slow
def test_two_processes_go_on_from_what_one_has_learnt_to_what_it_finds(
    tissue, tmp_path
):
    source = tmp_path / "tissue.h5ad"
    write(tissue, source)
    request = Request(overrides=SETTINGS).with_settings("domains", n_domains=3)
    whole = run_to_end(find_domains(read_h5ad(source), request))
    folder = tmp_path / "by_2.h5ad.checkpoint"
    control = RunControl(CheckpointFolder(folder, every=0.0))
    steps = find_domains(read_h5ad(source), request, control)
    while "loss" not in next(steps).metrics:
        pass
    steps.close()
    found, account = launched(tmp_path, source, 2)
    facts = found.uns["semst"]["default"]
    assert account["epochs"] == 12
    assert "drawn anew in 4 parts" in facts["training"]["step"]
    assert facts["training"]["resumed_after"] == 1
    np.testing.assert_array_equal(found.obsm["X_semst"], whole.latent)
    assert found.obs["semst_domain"].cat.codes.tolist() == whole.codes.tolist()
    np.testing.assert_array_equal(
        facts["losses"]["loss"], whole.provenance["losses"]["loss"]
    )
    assert not folder.exists()
