"""What of a tissue a section is made of: counts, genes, coordinates, sections."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config, PrepareConfig
    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.core.sections import Sections
    from napari_semst.prepare.section import Section


@dataclass(frozen=True)
class SectionInputs:
    """What a run, a transfer and an explanation read of a tissue, each when asked for.

    Parameters
    ----------
    tissue
        Raw counts with coordinates; it is not changed.
    settings
        Where these stand; what they leave open is found.
    """

    tissue: AnnData
    settings: PrepareConfig

    @cached_property
    def counts(self) -> Any:
        """Raw counts as the tissue holds them, ``(n_spots, n_genes)``."""
        from napari_semst.io.counts import find_counts

        return find_counts(self.tissue, self.settings.counts_layer).matrix

    @cached_property
    def symbols(self) -> NDArray[np.str_]:
        """Symbol of each gene, ``(n_genes,)``."""
        from napari_semst.io.ensembl_symbols import gene_symbols

        return gene_symbols(self.tissue)

    @cached_property
    def coordinates(self) -> NDArray[np.float64]:
        """Place of each spot, ``(n_spots, 2)``."""
        from napari_semst.io.coordinates import find_coordinates

        return find_coordinates(self.tissue, self.settings.coordinates or None)

    @cached_property
    def sections(self) -> Sections:
        """Which spots are of which section."""
        from napari_semst.io.sections import sections_of

        return sections_of(self.tissue, self.settings.section_key)

    def prepared(self, control: RunControl) -> Generator[Progress, None, Section]:
        """Choose genes, scale them and find neighbours; see `prepare_section`."""
        from napari_semst.prepare.section import prepare_section

        return (
            yield from prepare_section(
                self.counts,
                self.symbols,
                self.coordinates,
                self.settings,
                control,
                self.sections,
            )
        )


def section_inputs(tissue: AnnData, config: Config) -> SectionInputs:
    """Return what is read of a tissue with these settings; nothing is read yet."""
    return SectionInputs(tissue, config.prepare)
