"""The compute device of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.core.device import DeviceChoice, choose_device
from napari_semst.core.threads import settle_threads
from napari_semst.methods.spec import method_spec

if TYPE_CHECKING:
    from napari_semst.config import Config


def run_device(config: Config) -> DeviceChoice:
    """Return the device that a method computes on, or raise `DeviceError`.

    Where nothing is trained and no device was named, torch is not even imported. Else
    it is, so that limits on threads that are set from now on hold for it.
    """
    wanted = config.training.device
    if method_spec(config.model.method).networks != "none":
        settle_threads()
    elif wanted == "auto":
        return DeviceChoice("cpu", "This method trains no network.")
    return choose_device(wanted)
