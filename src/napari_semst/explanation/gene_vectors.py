"""What a language model said of single genes in a run, as the cache still has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_semst.config import SemanticsConfig
    from napari_semst.semantics import Species


def kept_vectors(
    told: Mapping[str, Any],
    settings: SemanticsConfig,
    symbols: list[str],
    ids: NDArray[np.str_] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors that a run of the source ``genes`` averaged; loads no model.

    Parameters
    ----------
    told
        What the run recorded of its semantics: model, revision, pooling, species,
        gene_text and reading are read.
    settings
        The run's; the summaries are read.
    symbols, ids
        Names of the genes, and their Ensembl ids where the data have them.

    Returns
    -------
    vectors
        Shape ``(n_genes, n_dimensions)``, zero where `known` is not.
    known
        Which genes the cache holds, shape ``(n_genes,)``.

    Raises
    ------
    SemanticsError
        If the cache holds none of them, or the summaries cannot be read.
    """
    from napari_semst.cache.vectors import VectorCache
    from napari_semst.models.hub import LocatedModel

    keys = _keys(symbols, told["species"], settings, ids)
    names, place = np.unique(keys, return_inverse=True)
    model = LocatedModel(str(told["model"]), str(told["revision"]), None)
    cache = VectorCache(
        {
            "identity": model.identity,
            "pooling": told["pooling"],
            "dtype": told["reading"]["dtype"],
        }
    )
    found: NDArray[np.float32] | None = None
    known = np.zeros(len(names), dtype=bool)
    for places, vectors in cache.read(names):
        if found is None:
            found = np.zeros((len(names), vectors.shape[1]), dtype=np.float32)
        found[places], known[places] = vectors, True
    if found is None:
        raise SemanticsError(
            Worded(
                f"Expected vectors of the genes by {model.name} in the cache; found "
                "none (cleared, of another machine, or of texts of another version). "
                "Run again",
                Way(
                    ", or choose --semantics builtin.",
                    ", or choose semantics='builtin'.",
                    ".",
                ),
            )
        )
    return found[place], known[place]


def _keys(
    symbols: list[str],
    species: Species,
    settings: SemanticsConfig,
    ids: NDArray[np.str_] | None,
) -> NDArray[np.void]:
    """Return the names of genes' texts in the cache."""
    from napari_semst.cache.shards import NAME
    from napari_semst.genes.gene_info import builtin_knowledge
    from napari_semst.semantics.language_model.gene_texts import (
        gene_passages,
        read_summaries,
    )

    knowledge = None if settings.gene_text == "symbol" else builtin_knowledge()
    summaries = read_summaries(settings.summaries)
    texts = gene_passages(symbols, species, summaries, knowledge, ids)
    return np.frombuffer(b"".join([one.key for one in texts.passages]), dtype=NAME)
