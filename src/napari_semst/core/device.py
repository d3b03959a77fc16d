"""Choice of the compute device, with the reason in words."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from napari_semst.core.process_group import local_rank
from napari_semst.core.threads import keep_limits
from napari_semst.core.triton_import import guard_triton_import
from napari_semst.errors import DeviceError, one_of
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

_MEMORY_SIGNS = ("not enough memory", "can't allocate memory", "ALLOC_FAILED")
CHOICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The device that a run uses and why.

    Parameters
    ----------
    name
        Name that torch understands: ``cpu``, ``cuda``, ``cuda:1``.
    reason
        One sentence for users.
    """

    name: str
    reason: str

    def torch(self) -> torch.device:
        """Return the torch device."""
        import torch

        return torch.device(self.name)


def choose_device(wanted: str = "auto") -> DeviceChoice:
    """Choose the compute device; never swap it silently.

    Parameters
    ----------
    wanted
        ``auto``, ``cpu``, ``cuda`` or ``cuda:<index>``. ``auto`` takes a CUDA device
        where torch finds one, else the CPU. Apple's ``mps`` is known, and refused: it
        has no 64-bit numbers, in which the loss is summed, and no sparse products in
        CSR form, which are the graph convolution.

    Raises
    ------
    DeviceError
        If a device is named that is not there or cannot compute this.
    """
    guard_triton_import()
    kind, _, index = wanted.partition(":")
    if kind not in CHOICES or (index and not (kind == "cuda" and index.isdecimal())):
        raise DeviceError(one_of("device", wanted, (*CHOICES, "cuda:<index>")))
    if kind == "cpu":
        return DeviceChoice("cpu", "The CPU was asked for.")
    if kind == "mps":
        raise DeviceError(
            "Expected a device with 64-bit numbers and sparse (CSR) matrix products; "
            "Apple's GPU (device 'mps') has neither in PyTorch. Choose device 'cpu', "
            "or 'auto', which takes the CPU on a Mac."
        )
    if kind == "auto" and (release := _cpu_build()):
        return DeviceChoice("cpu", f"Torch {release} finds no CUDA GPU.")
    import torch

    keep_limits()
    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda":
        return _cuda(wanted, int(index) if index else local_rank(), n_devices)
    if n_devices:
        # Of several processes each takes a GPU of its own.
        rank = local_rank()
        if rank >= n_devices:
            return _cuda(f"cuda:{rank}", rank, n_devices)
        name = torch.cuda.get_device_name(rank)
        return DeviceChoice(f"cuda:{rank}", f"Found {name}.")
    return DeviceChoice("cpu", f"Torch {torch.__version__} finds no CUDA GPU.")


def _cpu_build() -> str:
    """Return the release of a torch that is built without GPUs, if it is not loaded.

    Its wheels say so in their version. To import it for the same answer would be most
    of what a look at a file takes.
    """
    if "torch" in sys.modules:
        return ""
    release = version("torch")
    return release if release.endswith("+cpu") else ""


def _cuda(wanted: str, index: int, n_devices: int) -> DeviceChoice:
    import torch

    if index >= n_devices:
        built = "" if torch.version.cuda else " (this torch is a CPU-only build)"
        raise DeviceError(
            f"Expected CUDA device {wanted!r}; torch finds {n_devices} CUDA device(s)"
            f"{built}. Choose device 'auto' or 'cpu', or install a CUDA torch."
        )
    name = torch.cuda.get_device_name(index)
    return DeviceChoice(f"cuda:{index}", f"{name} was asked for.")


@contextmanager
def memory_errors_explained() -> Iterator[None]:
    """Turn a lack of memory, of the GPU or the machine, into a `DeviceError`."""
    advice = Worded(
        "Choose fewer genes (n_top_genes), ",
        Way("--method quick", "method 'quick'", "the method Quick"),
        ", or, if it was the GPU's, device 'cpu'.",
    )
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or _is_of_torch(error):
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DeviceError(
                Worded(
                    f"Expected the run to fit into memory; it did not ({what}). ",
                    advice,
                )
            ) from error
        # Torch's allocator on the CPU and NVIDIA's libraries raise plain errors.
        if not any(sign in str(error) for sign in _MEMORY_SIGNS):
            raise
        raise DeviceError(
            Worded("Expected the run to fit into memory; it did not. ", advice)
        ) from error


def _is_of_torch(error: RuntimeError) -> bool:
    """Return whether torch says that a device has no memory left."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
