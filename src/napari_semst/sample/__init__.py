"""Simulated sections of cerebral cortex, to try everything on without a download."""

from __future__ import annotations

from napari_semst.sample.simulate_cortex import simulated_cortex
from napari_semst.sample.simulate_discordance import simulated_discordance

__all__ = ["simulated_cortex", "simulated_discordance"]
