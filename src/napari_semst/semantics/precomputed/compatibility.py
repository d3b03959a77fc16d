"""Which genes were listed when an embedding was computed, to know its section again.

Barcodes are the same on every slide, so the names of spots do not tell sections apart.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemanticsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_semst.semantics.base import GeneLists

# The genes of a spot that are kept: the first of its list.
N_FIRST_GENES = 5
# Of these, the share that a section must list somewhere to be taken for the same.
_LEAST_SHARED = 0.1


def first_genes(lists: GeneLists) -> NDArray[np.uint32]:
    """Return hashes of the genes that each spot lists first, 0 where there is none.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, at most KEPT)``.
    """
    return _hashed(lists, N_FIRST_GENES)


def compare_first_genes(
    kept: NDArray[np.uint32], lists: GeneLists, about: Mapping[str, Any], file: str
) -> str:
    """Return what to know where spots list other genes than a file was computed of.

    Parameters
    ----------
    kept
        As `first_genes` made it, in the order of the spots.

    Returns
    -------
    str
        Empty where all spots list the same genes first.

    Raises
    ------
    SemanticsError
        If the file is of another section.
    """
    hashes = _hashed(lists, lists.indices.shape[1])
    width = min(kept.shape[1], hashes.shape[1])
    kept = kept[:, :width]
    other = (kept != hashes[:, :width]).any(axis=1)
    if not other.any():
        return ""
    known = kept != 0
    shared = sum(
        int((kept[:, [column]] == hashes)[known[:, column]].any(axis=1).sum())
        for column in range(width)
    ) / max(int(known.sum()), 1)
    settings = about.get("lists")
    settings = settings if isinstance(settings, dict) else {}
    how = ", ".join(f"{name} = {value}" for name, value in sorted(settings.items()))
    if shared < _LEAST_SHARED:
        raise SemanticsError(
            f"Expected {file} to be of this section; of the genes that its spots "
            f"listed first, {shared:.0%} are listed by the spots of the same names "
            "here. Barcodes are the same on every slide: take the file of this "
            "section, or compute it with `semst embed`. If it is of this section but "
            f"was computed with other settings ({how or 'not told'}), give the same "
            "ones to this run."
        )
    return (
        f"{int(other.sum())} of {len(other)} spots list other genes than when {file} "
        f"was computed ({how or 'settings not told'}). If it is of this section, give "
        "this run the settings of that computation, or compute the file again with "
        "those of this run; if not, take the right file."
    )


def _hashed(lists: GeneLists, most: int) -> NDArray[np.uint32]:
    codes = [hashlib.sha256(str(gene).encode()).digest()[:4] for gene in lists.genes]
    # The last stands for no gene, which the lists give as -1.
    table = np.append(np.frombuffer(b"".join(codes), "<u4"), np.uint32(0))
    found: NDArray[np.uint32] = table.astype(np.uint32)[lists.indices[:, :most]]
    return found
