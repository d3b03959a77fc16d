"""What is known of genes in words: name, HGNC groups, rarest GO terms."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.genes.name_reader import RULES
from napari_semst.genes.table import UNREADABLE, GeneTable, builtin_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from napari_semst.genes.gene_names import Species

BUILTIN_FILE = "gene_texts.npz"
FIELDS = (
    "names",
    "groups",
    "group_counts",
    "group_numbers",
    "terms",
    "term_counts",
    "term_numbers",
    "provenance",
)
# Of the wording below: texts of another version are other texts.
VERSION = 2
LARGEST_NAMES, LARGEST_GROUPS, LARGEST_TERMS = 2, 4, 8


@dataclass(frozen=True)
class WordLists:
    """One list of words for every gene, each word stored once.

    Parameters
    ----------
    words
        All words, in the order in which they are written.
    ends
        Where each gene's list ends in `numbers`, shape ``(n_genes,)``.
    numbers
        Places in `words`, gene after gene.
    """

    words: tuple[str, ...]
    ends: NDArray[np.int64]
    numbers: NDArray[np.integer[Any]]

    def of(self, rows: Iterable[int], most: int) -> list[str]:
        """Return the first words that any of these genes has, each once."""
        numbers: set[int] = set()
        for row in rows:
            start = int(self.ends[row - 1]) if row else 0
            numbers.update(self.numbers[start : self.ends[row]].tolist())
        return [self.words[number] for number in sorted(numbers)[:most]]


@dataclass(frozen=True)
class GeneKnowledge:
    """Words for the genes of a gene table.

    Parameters
    ----------
    table
        Finds genes by symbol, alias, Ensembl id and homology.
    names
        Approved names, one per row of the table.
    groups, terms
        HGNC groups, and GO terms from the rarest on.
    provenance
        Sources, versions, licences, attribution.
    """

    table: GeneTable
    names: tuple[str, ...]
    groups: WordLists
    terms: WordLists
    provenance: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Which wording of which knowledge this is."""
        revision = self.provenance["revision"]
        return f"knowledge, wording {VERSION}, {revision}, names {RULES}"

    @property
    def attribution(self) -> str:
        """Whom the words are from."""
        return str(self.provenance["attribution"])

    def rows(self, gene: str, species: Species, gene_id: str = "") -> tuple[int, ...]:
        """Return the rows of a gene, as `GeneTable.rows` finds them."""
        return self.table.rows(gene, species, gene_id)

    def sentences(self, rows: tuple[int, ...], summary: str = "") -> str:
        """Return sentences on a gene, to stand after its symbol.

        ``<name>. Group: <group>; <group>. Functions: <term>; <term>.``, without what
        is not known. A mouse gene is described by all its human homologues: at most two
        names, four groups and the eight rarest terms of all.

        Parameters
        ----------
        rows
            Of the gene; only the summary is returned if there are none.
        summary
            Told in place of the functions, where it is not empty.
        """
        parts = []
        if rows:
            names = dict.fromkeys(self.names[row] for row in rows)
            parts.append(f"{' / '.join(list(names)[:LARGEST_NAMES])}.")
            if groups := self.groups.of(rows, LARGEST_GROUPS):
                parts.append(f"Group: {'; '.join(groups)}.")
        terms = [] if summary else self.terms.of(rows, LARGEST_TERMS)
        if terms:
            parts.append(f"Functions: {'; '.join(terms)}.")
        return " ".join([*parts, summary] if summary else parts)


@lru_cache(maxsize=1)
def builtin_knowledge() -> GeneKnowledge:
    """Return the knowledge that ships with the package, read once."""
    path = resources.files("napari_semst.genes") / "data" / BUILTIN_FILE
    with path.open("rb") as stream:
        return read_knowledge(stream, builtin_table())


def read_knowledge(source: IO[bytes], table: GeneTable) -> GeneKnowledge:
    """Return the knowledge of a file that ``scripts/build_gene_texts.py`` wrote.

    Parameters
    ----------
    table
        The gene table for whose rows it was built.

    Raises
    ------
    SemanticsError
        If the file is something else, damaged, or of another table; nothing pickled is
        ever loaded.
    """
    try:
        with np.load(source, allow_pickle=False) as archive:
            return _knowledge({name: archive[name] for name in FIELDS}, table)
    except UNREADABLE as error:
        raise SemanticsError(
            f"Expected texts of the table's genes (npz with {', '.join(FIELDS)}); "
            f"could not read it: {error}. Build it with scripts/build_gene_texts.py."
        ) from error


def _knowledge(arrays: dict[str, NDArray[Any]], table: GeneTable) -> GeneKnowledge:
    """Return the knowledge of the arrays of a file; ValueError where they disagree."""
    about = json.loads(arrays["provenance"].tobytes().decode("utf-8"))
    if (
        about["symbols"]
        != hashlib.sha256("\n".join(table.symbols).encode()).hexdigest()
    ):
        raise ValueError("they are of the genes of another table")
    names = _words(arrays["names"])
    groups, terms = (_lists(arrays, f"{kind}s", kind) for kind in ("group", "term"))
    if not len(names) == len(groups.ends) == len(terms.ends) == len(table.symbols):
        raise ValueError("names, groups, terms and the table disagree")
    return GeneKnowledge(table, names, groups, terms, about)


def _lists(arrays: dict[str, NDArray[Any]], words: str, kind: str) -> WordLists:
    ends = np.cumsum(arrays[f"{kind}_counts"], dtype=np.int64)
    lists = WordLists(_words(arrays[words]), ends, arrays[f"{kind}_numbers"])
    total = int(ends[-1]) if len(ends) else 0
    if total != len(lists.numbers) or (lists.numbers >= len(lists.words)).any():
        raise ValueError(f"{words} and their numbers disagree")
    return lists


def _words(joined: NDArray[np.uint8]) -> tuple[str, ...]:
    text = joined.tobytes().decode("utf-8")
    return tuple(text.split("\n")) if text else ()
