"""Which genes of a tissue have a vector, by number and by share of the counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.genes.gene_names import guess_species, human_ensembl_number
from napari_semst.genes.table import GeneTable, builtin_symbols, builtin_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.genes.gene_names import Species

HEAVIEST = 10
# Fewer approved names with an id of another gene may be errors of their own.
_FEWEST = 10


@dataclass(frozen=True)
class GeneCoverage:
    """What the built-in gene table knows of a tissue's genes.

    Parameters
    ----------
    species
        How names were read.
    n_genes, n_known
        Number of genes, and of those with a vector.
    share_of_counts
        Of all counts, those of genes with a vector; None without counts.
    heaviest
        Names of genes without a vector and their shares of the counts, the most
        counted first, at most ten.
    """

    species: Species
    n_genes: int
    n_known: int
    share_of_counts: float | None
    heaviest: tuple[tuple[str, float], ...]

    def table(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return {
            "species": self.species,
            "n_known": self.n_known,
            "share_of_genes": self.n_known / max(self.n_genes, 1),
            "share_of_counts": self.share_of_counts,
            "heaviest_unknown": [
                {"gene": name, "share_of_counts": share}
                for name, share in self.heaviest
            ],
        }

    def sentence(self) -> str:
        """Return the same in words."""
        told = f"{self.n_known:,} of {self.n_genes:,} genes"
        if self.share_of_counts is not None:
            told += f" and {self.share_of_counts:.1%} of their counts"
        told += f" have a vector (read as {self.species})"
        if not self.heaviest:
            return told
        parts = [f"{name} {share:.2%}" for name, share in self.heaviest]
        return f"{told}; most counted without: {', '.join(parts)}"


def gene_coverage(
    names: NDArray[np.str_],
    ids: NDArray[np.str_] | None,
    totals: NDArray[np.floating[Any]] | None,
    species: Species | None = None,
) -> GeneCoverage:
    """Return what the built-in gene table knows of genes.

    Parameters
    ----------
    names, ids
        Of the genes; ids are Ensembl's, empty where there is none, None for none.
    totals
        Counts of each gene over all spots, shape ``(n_genes,)``; None if not read.
    species
        How names are read; guessed from them if None.
    """
    species = species or guess_species(names)
    table = builtin_table()
    told = [""] * len(names) if ids is None else ids.tolist()
    pairs = zip(names.tolist(), told, strict=True)
    known = np.array(
        [bool(table.rows(name, species, one)) for name, one in pairs], dtype=bool
    )
    share: float | None = None
    heaviest: tuple[tuple[str, float], ...] = ()
    if totals is not None:
        shares = np.asarray(totals, dtype=np.float64) / max(float(totals.sum()), 1.0)
        share = float(shares[known].sum())
        unknown = np.flatnonzero(~known & (shares > 0))
        order = unknown[np.argsort(-shares[unknown], kind="stable")[:HEAVIEST]]
        heaviest = tuple((str(names[gene]), float(shares[gene])) for gene in order)
    return GeneCoverage(species, len(names), int(known.sum()), share, heaviest)


def check_ids(
    names: NDArray[np.str_],
    ids: NDArray[np.str_] | None,
    table: GeneTable | None = None,
) -> tuple[NDArray[np.str_] | None, str]:
    """Return ids to be read before names, and what is to be said of them.

    Ids that mostly contradict approved symbols are of other genes, as where a table was
    put in another order and its ids were not: they are left aside.

    Parameters
    ----------
    names, ids
        Of the genes, shape ``(n_genes,)`` each; ids may be None.
    """
    if ids is None:
        return None, ""
    symbols, ensembl = (
        builtin_symbols() if table is None else (table.symbols, table.ensembl)
    )
    row_of = {symbol: row for row, symbol in enumerate(symbols)}
    same, others = 0, []
    for name, gene_id in zip(names.tolist(), ids.tolist(), strict=True):
        number = human_ensembl_number(gene_id)
        row = None if number is None else ensembl.get(number)
        if row is None or name not in row_of:
            continue
        if row_of[name] == row:
            same += 1
        else:
            others.append(f"{name} with the id of {symbols[row]}")
    if len(others) < _FEWEST or len(others) <= same:
        return ids, ""
    return None, (
        f"{len(others):,} of {same + len(others):,} genes have the Ensembl id of "
        f"another gene ({', '.join(others[:3])}): names were read and ids left aside. "
        "Check that ids and names of var are in the same order."
    )
