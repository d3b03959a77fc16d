"""Gene names: the species they point to, and genes that are uninformative."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


ENSEMBL = re.compile(r"(ENS[A-Z]*G)(\d{11})(?:\.\d+)?")
ENSEMBL_SPECIES: dict[str, Species] = {"ENSG": "human", "ENSMUSG": "mouse"}

# Names given to a locus before anybody knew what it does: mouse predicted genes, RIKEN
# clones, expressed sequence tags, NCBI loci, GenBank and BAC clones.
NAMELESS = re.compile(
    r"""
    Gm\d+
    | [0-9A-Z]+Rik\d*
    | (?:A[AFIKUVWY]|B[BCEGMY])\d{5,6}
    | LOC\d+
    | A[CLPDFJ]\d{6}\.\d+ | [BFZU][A-Z]?\d{5,6}\.\d+
    | (?:RP\d+|CT[ABCD]|KB|XX[A-Z]*|GS\d?|hsa)-[0-9A-Z]+(?:-?[0-9A-Z]+)?\.\d+
    """,
    re.VERBOSE,
)
# The nuclear copies of MT-RNR2 catch reads of the mitochondrial ribosome.
MITOCHONDRIAL = re.compile(r"MT-.+|MTRNR2L\d+", re.IGNORECASE)
# Cytoplasmic ribosomal proteins, not the kinases that bear their name (RPS6KA1).
RIBOSOMAL = re.compile(
    r"RP(?:LP[0-2]|SA2?|[LS]\d+[AXYL]?\d*(?:L\d*)?)(?:-ps\d*)?", re.IGNORECASE
)


# Of one species, less than one name in a hundred looks like the other's.
_MIXED = 0.1


def guess_species(genes: Sequence[str] | NDArray[np.str_]) -> Species:
    """Guess the species from Ensembl prefixes or from the case of the symbols.

    Human symbols are upper case, mouse symbols have an initial capital; rat symbols
    look like mouse ones and are read as such. Where more than a tenth of these are the
    other's, the answer is ``"human and mouse"``. Anything else is ``"other"``.
    """
    votes: dict[Species, int] = {"human": 0, "mouse": 0, "other": 0}
    for gene in genes:
        name = str(gene)
        if match := ENSEMBL.fullmatch(name):
            votes[ENSEMBL_SPECIES.get(match[1], "other")] += 1
        elif re.search("[A-Za-z]{2}", name) and not is_nameless(name):
            votes[case_species(name)] += 1
    best = max(votes, key=lambda species: votes[species])
    human, mouse = votes["human"], votes["mouse"]
    if best != "other" and min(human, mouse) > _MIXED * (human + mouse):
        return "human and mouse"
    return best if votes[best] else "other"


def is_nameless(gene: str) -> bool:
    """Return whether a name is only a placeholder, as Gm1234 or AC012345.1."""
    return NAMELESS.fullmatch(gene) is not None


def is_uninformative(genes: Iterable[str]) -> NDArray[np.bool_]:
    """Return which genes are mitochondrial, ribosomal or nameless.

    They are near the top of most spots and name no cell type.
    """
    patterns = (NAMELESS, MITOCHONDRIAL, RIBOSOMAL)
    return np.array(
        [any(p.fullmatch(str(gene)) for p in patterns) for gene in genes], dtype=bool
    )


def bare_id(gene_id: str) -> str:
    """Return an Ensembl gene id without its version; empty for anything else."""
    match = ENSEMBL.fullmatch(str(gene_id).strip())
    return match[1] + match[2] if match else ""


def human_ensembl_number(gene: str) -> int | None:
    """Return the number in a human Ensembl gene id, version or not; None otherwise."""
    match = ENSEMBL.fullmatch(gene)
    return int(match[2]) if match and match[1] == "ENSG" else None


def case_species(symbol: str) -> Species:
    """Return the species whose convention one symbol follows."""
    letters = [letter for letter in symbol if letter.isalpha()]
    if all(letter.isupper() for letter in letters):
        return "human"
    # C1orf112 is human though mixed; mouse symbols are never upper case in the middle
    # of a word, except after a hyphen (H2-K1, mt-Co1).
    if re.fullmatch(r"C[0-9XY]+orf\d+", symbol):
        return "human"
    return "mouse" if re.match(r"(?:mt-)?[A-Z0-9]", symbol) else "other"


Species = Literal["human", "mouse", "human and mouse", "other"]
