"""No semantics: the control, and the choice where genes have no names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.semantics.base import (
    CancelCheck,
    GeneLists,
    ProgressCallback,
    Semantics,
    provenance_record,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.genes.gene_names import Species


class NoSemantics:
    """Give every spot a vector of no dimensions, so that nothing is modulated."""

    name = "none"

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return an empty embedding, shape ``(n_spots, 0)``; arguments are not used."""
        return Semantics(
            embedding=np.zeros((gene_lists.n_spots, 0), dtype=np.float32),
            coverage=np.zeros(gene_lists.n_spots, dtype=np.float32),
            provenance=provenance_record(
                source=self.name,
                model="none",
                revision="",
                pooling="none",
                coverage=None,
                species=species,
            ),
        )
