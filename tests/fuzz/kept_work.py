"""Files that programs keep for themselves: states, unsaved work, signatures."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import SemstError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from torch import Tensor

_IDENTITY = {"input": "a1", "settings": {"training": {"epochs": 3}}, "seed": 0}
_NAME = "first"


def _state() -> dict[str, Tensor]:
    import torch

    values = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    # safetensors holds no two tensors that share their memory.
    step = values.clone()
    return {"epochs": torch.tensor([2]), "model.weight": values, "adam.0.step": step}


def write_checkpoint(folder: Path) -> None:
    """Write the state of a training."""
    from napari_semst.pipeline.checkpoint import CheckpointFolder

    store = CheckpointFolder(folder)
    store.begin(_IDENTITY)
    assert not store.write(_NAME, _state())


def use_checkpoint(folder: Path) -> None:
    """Go on from it, and look whether a run of other settings may."""
    from napari_semst.pipeline.checkpoint import CheckpointFolder

    store = CheckpointFolder(folder)
    there = [path.name for path in folder.iterdir()]
    store.begin(_IDENTITY)
    state, said = store.read(_NAME)
    if state is None:
        # Gone, or told why it is not used.
        assert said or not any(name.endswith(".safetensors") for name in there), there
    else:
        assert state.keys() == _state().keys()
        assert all((state[name] == value).all() for name, value in _state().items())
    other = CheckpointFolder(folder)
    other.begin({**_IDENTITY, "seed": 1})
    assert other.read(_NAME) == (None, "")
    store.remove()


def _edited() -> AnnData:
    import pandas as pd

    from tests.conftest import banded_tissue

    tissue: AnnData = banded_tissue()[:60, :20].copy()
    tissue.obs["semst_default"] = pd.Categorical(["1", "2"] * 30)
    tissue.obs["semst_default_confidence"] = np.linspace(0, 1, 60)
    tissue.obsm["X_semst"] = np.ones((60, 3), np.float32)
    tissue.uns["semst_default_colors"] = ["#112233", "#445566"]
    return tissue


def write_unsaved_work(folder: Path) -> None:
    """Keep the work of a program, as it does for the case of a crash."""
    from napari_semst.explore.recovery import UnsavedWork, keep_work, work_of

    about = UnsavedWork("Slice", path="/nowhere/slice.h5ad", file=folder / "a.h5ad")
    keep_work(*work_of(_edited(), about))


def use_unsaved_work(folder: Path) -> None:
    """Find it, put it back into its section, and save that."""
    from napari_semst.explore import recovery
    from napari_semst.io.export.h5ad import write
    from tests.conftest import banded_tissue

    recovery.recovery_folder = lambda: folder
    recovery.process_runs = lambda mark: False
    for work in recovery.find_unsaved_work():
        tissue: AnnData = banded_tissue()[:60, :20].copy()
        with suppress(SemstError):
            recovery.restore_work(tissue, work)
            assert all(column in tissue.obs for column in work.columns)
            write(tissue, folder / "saved.h5ad", overwrite=True)


def write_signatures(folder: Path) -> None:
    """Write a signature."""
    from napari_semst.transfer.signature_file import save_signature
    from tests.transfer.sections import small_signature

    save_signature(small_signature(), folder / "signature.npz")


def use_signatures(folder: Path) -> None:
    """Read it; what is read is what was written."""
    from napari_semst.transfer.signature_file import load_signature, signature_checksum
    from tests.transfer.sections import small_signature

    for path in sorted(folder.iterdir()):
        found = load_signature(path)
        assert signature_checksum(found) == signature_checksum(small_signature())


def write_markers(folder: Path) -> None:
    """Write a table of marker genes."""
    lines = ["domain,gene,score", *(f"{n % 3},GENE{n},{n / 7}" for n in range(30))]
    (folder / "markers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def use_markers(folder: Path) -> None:
    """Read it as `semst report` does."""
    from napari_semst.cli.share import read_markers

    for path in sorted(folder.iterdir()):
        with suppress(SemstError):
            read_markers(path)
