"""Choice of the compute device, with the reason in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_semst.errors import DeviceError, one_of

if TYPE_CHECKING:
    import torch

CHOICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The device that a run uses and why.

    Parameters
    ----------
    name
        Name that torch understands: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
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
        ``auto``, ``cpu``, ``cuda``, ``cuda:<index>`` or ``mps``. ``auto`` takes a
        CUDA device where torch finds one, else the CPU: Apple's ``mps`` lacks the
        sparse products that graph convolution needs, so it is used only when asked.

    Raises
    ------
    DeviceError
        If a device is named that is not there.
    """
    import torch

    kind, _, index = wanted.partition(":")
    if kind not in CHOICES or (index and not (kind == "cuda" and index.isdigit())):
        raise DeviceError(one_of("device", wanted, (*CHOICES, "cuda:<index>")))
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cpu":
        return DeviceChoice("cpu", "The CPU was asked for.")
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError(
                "Expected an Apple GPU (device 'mps'); torch finds none. "
                "Choose device 'auto' or 'cpu'."
            )
        return DeviceChoice("mps", "The Apple GPU was asked for.")
    if kind == "cuda":
        return _cuda(wanted, int(index or 0), found)
    if found:
        name = torch.cuda.get_device_name(0)
        return DeviceChoice("cuda:0", f"Found {name}.")
    return DeviceChoice("cpu", f"Torch {torch.__version__} finds no CUDA GPU.")


def _cuda(wanted: str, index: int, found: int) -> DeviceChoice:
    import torch

    if index >= found:
        built = "" if torch.version.cuda else " (this torch is a CPU-only build)"
        raise DeviceError(
            f"Expected CUDA device {wanted!r}; torch finds {found} CUDA device(s)"
            f"{built}. Choose device 'auto' or 'cpu', or install a CUDA torch."
        )
    name = torch.cuda.get_device_name(index)
    return DeviceChoice(f"cuda:{index}", f"{name} was asked for.")
