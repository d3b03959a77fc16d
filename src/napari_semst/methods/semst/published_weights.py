"""Published weights from a file, without running anything that the file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict, from safetensors or PyTorch's own format.

    PyTorch files are read with ``weights_only=True``: tensors are taken, code is not
    run.

    Parameters
    ----------
    path
        A ``.safetensors`` file, or a ``.pt`` or ``.pth`` file that holds a state dict.

    Raises
    ------
    InputError
        If the file cannot be read, or holds anything but named tensors.
    """
    import torch

    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"Expected a file of weights at {file}; found none.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: object = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"Expected weights as .safetensors or a PyTorch state dict in {file}; it "
            f"could not be read ({type(error).__name__}). A file that holds a whole "
            "pickled model is refused: save its state_dict() instead."
        ) from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise InputError(
            f"Expected {file} to hold a state dict of named tensors; found "
            f"{type(state).__name__}. Save the model's state_dict()."
        )
    return dict(state)
