"""References that genes are named after: assemblies of genomes, and their species."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# R may write another sign for the point in a number.
_MINOR = r"(?:[-_.]\d(?![0-9A-Za-z]))?"
_FLY = r"BDGP\d(?:\.\d+|[-_](?:22|28|32|46|54)(?![0-9A-Za-z]))?"
# Names that assemblies and annotations go by, with the release behind them.
_ASSEMBLIES = {
    "human": rf"GRCh3[678]|hg(?:1[6-9]|38)|(?:T2T[-_.])?CHM13(?:v\d{_MINOR})?|hs1"
    r"|homo[-_ ]sapiens|human|NCBITaxon[:_]9606",
    "mouse": r"GRCm3[89]|NCBIM37|mm(?:8|9|10|39)|mus[-_ ]musculus|mouse"
    r"|NCBITaxon[:_]10090",
    "rat": rf"GRCr8|mRatBN7{_MINOR}|Rnor[-_.]\d{_MINOR}|rn[4-8]|rattus[-_ ]norvegicus"
    r"|rat",
    "zebrafish": r"GRCz1[01]|danRer\d+|danio[-_ ]rerio|zebrafish",
    "fruit fly": rf"{_FLY}|dm[36]|drosophila",
    "nematode": r"WBcel235|ce1[01]",
    "pig": rf"Sscrofa\d+{_MINOR}|susScr\d+|pig",
    "macaque": r"Mmul[-_]\d+|rheMac\d+|Macaca[-_ ][a-z]+[-_.]\d(?:\.\d)?|macaque",
    "chicken": r"GRCg\d\w?|galGal\d|chicken",
}
_RELEASE = r"(?:\.p\d+)?(?:[-_.]20\d\d[-_.][A-Z])?"
# Makers pad the shorter prefix with underscores; R writes hyphens or points for them.
_APART = r"[-_.:]+"
_KNOWN = "|".join(_ASSEMBLIES.values())
_PREFIX = re.compile(rf"(?P<genome>(?:{_KNOWN}){_RELEASE}){_APART}(?P<gene>\w.*)", re.I)


def species_of(genome: str) -> str:
    """Return the species of an assembly in English, empty where it is not known."""
    for species, known in _ASSEMBLIES.items():
        if re.fullmatch(rf"(?:{known}){_RELEASE}(?:[-_.].*)?", genome.strip(), re.I):
            return species
    return ""


def split_prefixes(
    names: Sequence[str] | NDArray[np.str_], genomes: Sequence[str] = ()
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Return names without the assembly that stands before them, and the assembly.

    Names stay as they are unless most of them bear such a prefix, as all genes of a
    reference of two species do (``GRCh38_ACTB``, ``mm10___Actb``).

    Parameters
    ----------
    names
        Of genes, shape ``(n_genes,)``.
    genomes
        Assemblies that the file itself names, of any name.

    Returns
    -------
    tuple of numpy.ndarray
        Names, and the assembly of each (empty where it bears none); shapes
        ``(n_genes,)``.
    """
    own = "|".join(
        re.escape(g) for g in sorted(set(genomes), key=len, reverse=True) if g
    )
    stated = re.compile(rf"(?P<genome>{own}){_APART}(?P<gene>\w.*)") if own else None
    bare, assemblies = [str(name) for name in names], [""] * len(names)
    n_found = 0
    for place, name in enumerate(bare):
        match = (stated and stated.fullmatch(name)) or _PREFIX.fullmatch(name)
        if match:
            bare[place], assemblies[place] = match["gene"], match["genome"]
            n_found += 1
    if 2 * n_found <= len(bare):
        return np.array([str(n) for n in names], np.str_), np.full(len(bare), "", "U1")
    return np.array(bare, dtype=np.str_), np.array(assemblies, dtype=np.str_)
