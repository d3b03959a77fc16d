"""What of a tissue a section is made of: counts, genes, coordinates, sections."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config, PrepareConfig
    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.core.sections import Sections
    from napari_semst.io.gene_features import FeatureKinds
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
    by_rows
        Whether counts are looked through some spots at a time only.
    """

    tissue: AnnData
    settings: PrepareConfig
    by_rows: bool = False

    @cached_property
    def counts(self) -> Any:
        """Raw counts of the genes as the tissue holds them, ``(n_spots, n_genes)``.

        Those that are on disk stay there where they are read by rows.
        """
        from napari_semst.io.counts import find_counts
        from napari_semst.io.stored_counts import stored_counts

        stored = None
        if self.by_rows:
            stored = stored_counts(self.tissue, self.settings.counts_layer)
        if stored is not None:
            return stored.of_genes(np.flatnonzero(self.features.genes))
        counts = find_counts(self.tissue, self.settings.counts_layer).matrix
        genes = self.features.genes
        return counts if genes.all() else counts[:, np.flatnonzero(genes)]

    @cached_property
    def features(self) -> FeatureKinds:
        """What each feature is: genes alone are counted.

        Raises
        ------
        InputError
            If none is a gene.
        """
        from napari_semst.io.gene_features import genes_of, refuse_without_genes

        found = genes_of(self.tissue, self.settings.features)
        refuse_without_genes(found, "the tissue")
        return found

    @cached_property
    def symbols(self) -> NDArray[np.str_]:
        """Symbol of each gene, ``(n_genes,)``."""
        from napari_semst.io.ensembl_symbols import gene_symbols

        return gene_symbols(self._genes_alone)

    @cached_property
    def gene_ids(self) -> NDArray[np.str_] | None:
        """Ensembl id of each gene, ``(n_genes,)``; None where the tissue has none.

        None as well where ids are of other genes than the names.
        """
        return self._checked_ids[0]

    @property
    def remarks(self) -> list[str]:
        """What is to be said of the genes' ids; nothing where they are in order."""
        return [text for text in self._checked_ids[1:] if text]

    @cached_property
    def _checked_ids(self) -> tuple[NDArray[np.str_] | None, str]:
        from napari_semst.io.ensembl_symbols import gene_ids
        from napari_semst.pipeline.gene_coverage import check_ids

        return check_ids(self.symbols, gene_ids(self._genes_alone))

    @cached_property
    def _genes_alone(self) -> AnnData:
        """The table of genes: names of other features must not bear on theirs."""
        import anndata

        genes = self.features.genes
        if genes.all():
            return self.tissue
        return anndata.AnnData(var=self.tissue.var[genes].copy())

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
        from napari_semst.io.stored_counts import StoredCounts
        from napari_semst.prepare.section import prepare_section

        if isinstance(self.counts, StoredCounts):
            self.counts.check = control.check
        return (
            yield from prepare_section(
                self.counts,
                self.symbols,
                self.coordinates,
                self.settings,
                control,
                self.sections,
                self.gene_ids,
            )
        )


def section_inputs(tissue: AnnData, config: Config) -> SectionInputs:
    """Return what is read of a tissue with these settings; nothing is read yet."""
    from napari_semst.methods.spec import method_spec

    by_rows = method_spec(config.model.method).counts_by_rows(config)
    return SectionInputs(tissue, config.prepare, by_rows)
