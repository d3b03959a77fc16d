"""The samples that the viewer offers under File > Open Sample > SemST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.types import LayerData

    from napari_semst.sample.public import PublicSection

_CELLS, _PANEL = 10_000, 500


def simulated_cortex() -> list[LayerData]:
    """Return the layers of a small simulated section of layered cortex."""
    from napari_semst.sample import simulated_cortex as simulate

    return _with_session(simulate(), "Simulated cortex", "simulated_cortex")


def simulated_cells() -> list[LayerData]:
    """Return the layers of the same cortex as scattered cells with a gene panel."""
    from napari_semst.sample import simulated_cortex as simulate

    options: dict[str, Any] = {
        "n_spots": _CELLS,
        "n_genes": _PANEL,
        "platform": "cells",
    }
    made = simulate(**options)
    return _with_session(made, "Simulated cells", "simulated_cortex", options=options)


def simulated_discordance() -> list[LayerData]:
    """Return the layers of the cortex with a strong and a weak planted region."""
    from napari_semst.sample import simulated_discordance as simulate

    return _with_session(simulate(), "Planted discordance", "simulated_discordance")


def human_lymph_node() -> list[LayerData]:
    """Return the layers of a public section of human lymph node; it is downloaded."""
    from napari_semst.sample.public import LYMPH_NODE

    return _public(LYMPH_NODE, "LYMPH_NODE")


def mouse_brain() -> list[LayerData]:
    """Return the layers of a public section of mouse brain; it is downloaded."""
    from napari_semst.sample.public import MOUSE_BRAIN

    return _public(MOUSE_BRAIN, "MOUSE_BRAIN")


def _public(section: PublicSection, constant: str) -> list[LayerData]:
    from napari_semst.sample.public import public_section

    tissue = public_section(section)
    return _with_session(tissue, section.title, "public", section=constant)


def _with_session(
    tissue: AnnData, name: str, sample: str, **given: Any
) -> list[LayerData]:
    """Return the layers of a sample that knows where it comes from."""
    from napari_semst.session.actions import Action
    from napari_semst.viewer.adapter import layers_of
    from napari_semst.viewer.read_layers import with_session

    origin = Action("sample", {"sample": sample, **given})
    return with_session(layers_of(tissue, name=name), origin)
