"""What a language model is given to read: the words around a spot's genes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import SemanticsError, one_of
from napari_semst.semantics.base import NO_GENE
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.semantics.base import GeneLists

GENE_SEPARATOR = ", "
_GENES = "{genes}"
# Braces mark places of a template, and ChatML writes its marks between <| and |>.
_MARKS = ("{", "}", "<|", "|>")


class Passage(NamedTuple):
    """One text for the model, in the parts that matter to it.

    Parameters
    ----------
    system
        The task, or nothing for a text that is no conversation.
    head, tail
        What stands before and after the names.
    names
        Gene names, joined by a comma and a space.
    """

    system: str
    head: str
    names: tuple[str, ...]
    tail: str

    @property
    def user(self) -> str:
        """What the user says: head, names and tail."""
        return f"{self.head}{GENE_SEPARATOR.join(self.names)}{self.tail}"

    @property
    def key(self) -> bytes:
        """16 bytes that name this text among all others."""
        # Lengths first, so that no two texts are the same once joined.
        parts = (self.system, self.head, self.tail, *self.names)
        lengths = ",".join(str(len(part)) for part in parts)
        text = "\n".join((lengths, *parts))
        return hashlib.sha256(text.encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Template:
    """A task and a sentence with a place for gene names.

    Parameters
    ----------
    system
        The task.
    user
        The sentence; ``{genes}`` is where the names go, ``{species}`` and ``{tissue}``
        are filled in once for all spots.
    """

    system: str
    user: str

    def passage(self, names: tuple[str, ...]) -> Passage:
        """Return the text for one list of genes."""
        head, _, tail = self.user.partition(_GENES)
        return Passage(self.system, head, names, tail)


# As printed in the paper's supplement ("The prompt we designed for the LLM").
PAPER_TEMPLATE = Template(
    "You are an expert in bioinformatics. Represent the biological state of a cell "
    "characterized by the following highly expressed genes. Focus on capturing the "
    "functional essence relevant for spatial domain identification.",
    "Highly expressed genes: {genes}.",
)
# What is the same for all spots stands before the genes, so that it is read once.
TISSUE_TEMPLATE = Template(
    "You are an expert in histology and gene expression. Name to yourself the cell "
    "types, the layer or region and the state that a spot of a tissue section shows, "
    "judged by the genes that set it apart.",
    "Species: {species}. Tissue: {tissue}. Genes that set this spot apart, strongest "
    "first: {genes}.",
)
TEMPLATES = {"paper": PAPER_TEMPLATE, "tissue": TISSUE_TEMPLATE}


def template(name: str, species: str = "", tissue: str = "") -> Template:
    """Return a template with all but the genes filled in.

    Parameters
    ----------
    name
        One of `TEMPLATES`.
    species, tissue
        For the template ``tissue``; what is not known is left out.

    Raises
    ------
    SemanticsError
        If there is no such template, or it has no tissue to tell of, or the tissue's
        name holds braces, ``<|``, ``|>`` or control characters.
    """
    if name not in TEMPLATES:
        raise SemanticsError(one_of("the template", name, TEMPLATES))
    chosen = TEMPLATES[name]
    if name == "paper":
        return chosen
    if not tissue.strip():
        raise SemanticsError(
            Worded(
                "Expected the name of the tissue with the template 'tissue'; got none.",
                Way(
                    " Give it (--tissue 'breast cancer'), or use the template 'paper'.",
                    " Set semantics.tissue, or use the template 'paper'.",
                    " Fill in Tissue, or choose the paper's words under Prompt.",
                ),
            )
        )
    known = "not known" if species in ("", "other") else species
    head, place, tail = chosen.user.partition(_GENES)
    # Only what stands before the genes is filled in: what is filled in makes no place.
    head = head.replace("{species}", known).replace("{tissue}", _plain_tissue(tissue))
    return Template(chosen.system, f"{head}{place}{tail}")


def _plain_tissue(tissue: str) -> str:
    """Return the name of a tissue; refuse what would be a part of the prompt."""
    name = tissue.strip()
    bad = [mark for mark in _MARKS if mark in name]
    bad += [letter for letter in name if not letter.isprintable()]
    if bad:
        raise SemanticsError(
            f"Expected the name of a tissue in plain words; {name!r} has {bad[0]!r}, "
            "which is a mark of prompts. Write it without braces, <|, |>, line breaks "
            "and control characters, as in: breast cancer."
        )
    return name


class ListedPassages(Sequence[Passage]):
    """The texts of lists of genes, each made when it is asked for.

    A million of them held as texts would take gigabytes.

    Parameters
    ----------
    words
        What stands around the genes.
    genes
        Gene names, shape ``(n_genes,)``.
    rows
        Positions in `genes`, ``-1`` where a list is shorter; shape
        ``(n_texts, n_listed)``.
    """

    def __init__(
        self, words: Template, genes: NDArray[np.str_], rows: NDArray[np.int32]
    ) -> None:
        self._head, _, self._tail = words.user.partition(_GENES)
        self._system, self._rows = words.system, rows
        self._names = [str(name) for name in genes]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: Any) -> Any:
        names = self._names
        listed = (gene for gene in self._rows[position].tolist() if gene != NO_GENE)
        chosen = tuple([names[gene] for gene in listed])
        return Passage(self._system, self._head, chosen, self._tail)


def distinct_lists(
    lists: GeneLists,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return each list of genes once, and which of them every spot has.

    Parameters
    ----------
    lists
        The ranked genes of each spot; order counts.

    Returns
    -------
    distinct
        Rows of ``lists.indices``, each once; none of them is empty.
    place
        Position in `distinct` for every spot, ``-1`` where nothing is listed; shape
        ``(n_spots,)``.
    """
    indices = np.ascontiguousarray(lists.indices, dtype=np.int32)
    if not indices.size:
        return indices[:0], np.full(len(indices), NO_GENE, dtype=np.int64)
    # As bytes a row compares at once, several times as fast as number by number.
    whole = indices.view(np.dtype((np.void, indices[0].nbytes))).reshape(-1)
    _, first, place = np.unique(whole, return_index=True, return_inverse=True)
    rows = indices[first]
    some = (rows != NO_GENE).any(axis=1)
    moved = np.where(some, np.cumsum(some) - 1, NO_GENE)
    return rows[some], moved[place]
