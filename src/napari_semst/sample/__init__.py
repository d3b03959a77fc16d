"""Simulated sections of cerebral cortex, to try everything on without a download."""

from __future__ import annotations

from napari_semst.sample.discordance import simulated_discordance
from napari_semst.sample.simulate import simulated_cortex

__all__ = ["simulated_cortex", "simulated_discordance"]
