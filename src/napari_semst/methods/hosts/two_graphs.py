"""What hosts share that read neighbours in space and neighbours by expression."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_semst.methods.hosts.base import Host, HostInputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from napari_semst.config import Config
    from napari_semst.prepare.section import Section

# Their published preparation, which is SemST's.
TWO_GRAPHS: Mapping[str, Any] = MappingProxyType(
    {"n_top_genes": 3000, "n_rings": 4, "feature_neighbours": 14}
)


class TwoGraphHost(Host):
    """A host of scaled counts and two graphs; graphs of samples are found anew."""

    def read(self, section: Section, config: Config) -> HostInputs:
        """Return scaled counts, and neighbours in space and by expression."""
        from napari_semst.methods.hosts.inputs import two_graphs

        return two_graphs(section, config)

    def sampled(self, inputs: HostInputs, config: Config) -> HostInputs:
        """Return a sample with neighbours by expression found in it."""
        from napari_semst.methods.hosts.inputs import with_feature_graph

        return with_feature_graph(inputs, config)

    def operators(self, inputs: HostInputs, device: torch.device) -> dict[str, Any]:
        """Return both propagations, and the pairs of the spatial loss."""
        from napari_semst.methods.hosts.inputs import two_operators

        return two_operators(inputs, device)
