"""The samples that the viewer offers under File > Open Sample > SemST."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.types import LayerData

    from napari_semst.sample.public import PublicSection

_CELLS, _PANEL = 10_000, 500


def simulated_cortex() -> list[LayerData]:
    """Return the layers of a small simulated section of layered cortex."""
    from napari_semst.sample import simulated_cortex as simulate
    from napari_semst.viewer.adapter import layers_of

    return layers_of(simulate(), name="Simulated cortex")


def simulated_cells() -> list[LayerData]:
    """Return the layers of the same cortex as scattered cells with a gene panel."""
    from napari_semst.sample import simulated_cortex as simulate
    from napari_semst.viewer.adapter import layers_of

    tissue = simulate(_CELLS, _PANEL, platform="cells")
    return layers_of(tissue, name="Simulated cells")


def simulated_discordance() -> list[LayerData]:
    """Return the layers of the cortex with a strong and a weak planted region."""
    from napari_semst.sample import simulated_discordance as simulate
    from napari_semst.viewer.adapter import layers_of

    return layers_of(simulate(), name="Planted discordance")


def human_lymph_node() -> list[LayerData]:
    """Return the layers of a public section of human lymph node; it is downloaded."""
    from napari_semst.sample.public import LYMPH_NODE

    return _public(LYMPH_NODE)


def mouse_brain() -> list[LayerData]:
    """Return the layers of a public section of mouse brain; it is downloaded."""
    from napari_semst.sample.public import MOUSE_BRAIN

    return _public(MOUSE_BRAIN)


def _public(section: PublicSection) -> list[LayerData]:
    from napari_semst.sample.public import public_section
    from napari_semst.viewer.adapter import layers_of

    return layers_of(public_section(section), name=section.title)
