"""Counts of the genes that a section has and others lack, kept beside a joint table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from napari_semst import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.core.sections import Sections

# Common genes, as a share of a section's own: with fewer they say too little of it.
LEAST_COMMON = 0.5
# Genes of a section that the gene table must know; by fewer all domains are alike.
FEWEST_KNOWN = 10


def seen_genes(part: AnnData) -> set[str]:
    """Return the names of the features of a section that are genes and have counts."""
    from napari_semst.io.gene_features import genes_of

    counts = sparse.csr_matrix(part.X)
    seen = np.bincount(counts.indices[counts.data > 0], minlength=part.n_vars) > 0
    return set(part.var_names[seen & genes_of(part).genes])


def keep_own_counts(joined: AnnData, parts: Mapping[str, AnnData]) -> None:
    """Keep every section's counts of all its own genes, in obsm, sparse.

    Not in X: there a 0 would say that a gene was looked for and not found.

    Parameters
    ----------
    joined
        The joint table; its spots are those of the parts, in their order.
    parts
        Sections with raw counts.
    """
    own = [
        part[:, part.var_names.isin(list(seen_genes(part)))] for part in parts.values()
    ]
    genes = list(dict.fromkeys(gene for part in own for gene in part.var_names))
    column = {gene: place for place, gene in enumerate(genes)}
    blocks = []
    for part in own:
        counts = sparse.coo_matrix(part.X)
        places = np.array([column[gene] for gene in part.var_names], dtype=np.int64)
        shape = part.n_obs, len(genes)
        pairs = counts.row, places[counts.col]
        blocks.append(sparse.csr_matrix((counts.data, pairs), shape=shape))
    joined.obsm[keys.OWN_COUNTS] = sparse.csr_matrix(sparse.vstack(blocks))
    joined.uns[keys.OWN_GENES] = np.array(genes, dtype=object)


def has_own_counts(tissue: AnnData) -> bool:
    """Return whether a table keeps what its sections counted of their own genes."""
    return keys.OWN_COUNTS in tissue.obsm and keys.OWN_GENES in tissue.uns


def are_of_different_panels(tissue: AnnData, section_key: str) -> bool:
    """Return whether a joint table's sections are to be read by their own genes.

    Parameters
    ----------
    section_key
        The column that sections are asked for by; empty where none is.
    """
    by_itself = section_key in ("", keys.SECTION)
    return by_itself and keys.SECTION in tissue.obs and has_own_counts(tissue)


def own_sections(tissue: AnnData, sections: Sections) -> dict[str, AnnData]:
    """Return every section of a joint table with its own genes, as it was alone.

    Parameters
    ----------
    tissue
        A table for which `has_own_counts` holds.
    sections
        Which spots are of which section.
    """
    counts = sparse.csr_matrix(tissue.obsm[keys.OWN_COUNTS])
    genes = np.asarray(tissue.uns[keys.OWN_GENES], dtype=str)
    return {
        name: _section(tissue, name, spots, counts[spots], genes)
        for name, spots in zip(sections.names, sections.spots(), strict=True)
    }


def _section(
    tissue: AnnData,
    name: str,
    spots: NDArray[np.int64],
    counts: sparse.csr_matrix,
    genes: NDArray[np.str_],
) -> AnnData:
    import anndata
    import pandas as pd

    # A gene never seen tells nothing, whether the panel had it or not.
    seen = np.flatnonzero(np.bincount(counts.indices, minlength=len(genes)))
    part = anndata.AnnData(
        counts[:, seen],
        obs=pd.DataFrame(index=tissue.obs_names[spots]),
        var=pd.DataFrame(index=genes[seen]),
    )
    for key, values in tissue.obsm.items():
        if key != keys.OWN_COUNTS:
            part.obsm[key] = values[spots]
    images = tissue.uns.get("spatial", {})
    if name in images:
        part.uns["spatial"] = {name: images[name]}
    for key in (keys.ALIGNMENT, keys.LANDMARKS):
        placed = tissue.uns.get(key, {})
        if name in placed:
            part.uns[key] = {name: placed[name]}
    return part
