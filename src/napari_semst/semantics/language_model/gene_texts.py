"""What a language model is given to read of single genes."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.semantics.base import LOW_COVERAGE
from napari_semst.semantics.language_model.prompts import Passage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_semst.genes.gene_info import GeneKnowledge
    from napari_semst.genes.gene_names import Species
    from napari_semst.semantics.base import GeneLists

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_COLUMNS = ("symbol", "summary")


class GenePassages(NamedTuple):
    """The texts of genes.

    Parameters
    ----------
    known
        Genes of which more than the symbol is known, shape ``(n_genes,)``.
    summarised
        Genes with a summary of the user's, shape ``(n_genes,)``.
    """

    passages: list[Passage]
    known: NDArray[np.bool_]
    summarised: NDArray[np.bool_]


def gene_passages(
    symbols: Sequence[str],
    species: Species,
    summaries: Mapping[str, str],
    knowledge: GeneKnowledge | None,
    ids: Sequence[str] | NDArray[np.str_] | None = None,
) -> GenePassages:
    """Return the text of each gene, and of which of them there is more than a symbol.

    Parameters
    ----------
    symbols
        Gene names as the section has them; every text begins with one.
    summaries
        Upper-case symbol -> what is known of the gene. With `knowledge`, the approved
        symbols of the gene and its homologues are looked up, too.
    knowledge
        What else is known; symbols and summaries alone if None.
    ids
        Ensembl ids of the genes, which go before the symbols; None for none.
    """
    passages, known, summarised = [], [], []
    told = [""] * len(symbols) if ids is None else [str(one) for one in ids]
    for symbol, gene_id in zip(symbols, told, strict=True):
        rows = knowledge.rows(symbol, species, gene_id) if knowledge else ()
        approved = [knowledge.table.symbols[row] for row in rows] if knowledge else []
        found = (summaries.get(name.upper(), "") for name in (symbol, *approved))
        summary = next(filter(None, found), "")
        more = knowledge.sentences(rows, summary) if knowledge else summary
        passages.append(Passage("", "", (symbol,), f": {more}" if more else ""))
        known.append(bool(more))
        summarised.append(bool(summary))
    return GenePassages(
        passages, np.array(known, dtype=bool), np.array(summarised, dtype=bool)
    )


def known_texts(gene_lists: GeneLists, species: Species) -> list[str]:
    """Return for each list of one gene what `gene_passages` has a model read of it."""
    from napari_semst.genes.gene_info import builtin_knowledge

    symbols = [gene_lists.names(row)[0] for row in range(gene_lists.n_spots)]
    ids = gene_lists.ids_of(gene_lists.indices[:, 0])
    texts = gene_passages(symbols, species, {}, builtin_knowledge(), ids)
    return [passage.user for passage in texts.passages]


def little_known_warning(coverage: float | None, species: Species) -> list[str]:
    """Return a warning where little is known of the listed genes, else nothing.

    Parameters
    ----------
    coverage
        Share of the listed genes of which more than the symbol is known; None: not
        asked.
    """
    if coverage is None or coverage >= LOW_COVERAGE:
        return []
    return [
        f"More than the symbol is known of {coverage:.0%} of the listed genes (50% or "
        f"more is expected). Names were read as {species}: check the species, and that "
        "the genes are symbols or human Ensembl ids."
    ]


def read_summaries(path: str) -> dict[str, str]:
    """Return the summaries of a table with the columns symbol and summary.

    Parameters
    ----------
    path
        A ``.csv`` or ``.tsv`` file in UTF-8 with a line of names; nothing if empty.

    Returns
    -------
    dict
        Upper-case symbol -> summary; empty summaries are left out.

    Raises
    ------
    SemanticsError
        If the file is missing, of another kind, or lacks a column.
    """
    if not path:
        return {}
    file = Path(os.path.expanduser(path))
    separator = _SEPARATORS.get(file.suffix.lower())
    if separator is None:
        raise SemanticsError(
            f"Expected summaries in a .csv or .tsv file; got {file.name}. Save the "
            "table as one of them."
        )
    if file.exists() and not file.is_file():
        raise SemanticsError(
            f"Expected summaries in a file; {file} is none. Check the path."
        )
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, delimiter=separator)
            names = {str(name).strip().lower(): name for name in rows.fieldnames or ()}
            if not set(_COLUMNS) <= set(names):
                raise SemanticsError(
                    f"Expected the columns symbol and summary in {file.name}; found "
                    f"{', '.join(names) or 'none'}. Name them so in its first line."
                )
            symbol, summary = (names[column] for column in _COLUMNS)
            return {
                row[symbol].strip().upper(): row[summary].strip()
                for row in rows
                if row[symbol] and row[summary] and row[summary].strip()
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SemanticsError(
            f"Expected a readable table of summaries in {file.name}; {error}. Check "
            "the path, and that it is text in UTF-8."
        ) from error
