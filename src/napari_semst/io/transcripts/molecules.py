"""Molecules of some genes as arrays, and a fair sample of them where they are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALL_RANKS = 2**32


@dataclass(frozen=True, slots=True, eq=False)
class Molecules:
    """Molecules of some genes.

    Parameters
    ----------
    genes
        That were asked for.
    places
        (x, y) in the coordinates of ``obsm["spatial"]``, shape ``(n_molecules, 2)``.
    codes
        The gene of each, an index into `genes`, shape ``(n_molecules,)``.
    n_found
        How many of each gene there are, also where a sample is kept, ``(n_genes,)``.
    n_low
        How many of each gene were left out for their low quality, ``(n_genes,)``.
    share
        Of those found, how much of them is kept: 1, 1/2, 1/4 and so on.
    section
        That they are of, empty where there is one.
    """

    genes: tuple[str, ...]
    places: NDArray[np.float32]
    codes: NDArray[np.int16]
    n_found: NDArray[np.int64]
    n_low: NDArray[np.int64]
    share: float = 1.0
    section: str = ""

    def __len__(self) -> int:
        return len(self.codes)


def place_ranks(places: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return a number for each place that looks random and is always the same.

    Those below a bound are a fair sample of all, whatever else is in the view or was
    read before.

    Parameters
    ----------
    places
        Shape ``(n, 2)``.
    """
    bits = np.ascontiguousarray(places, np.float32).view(np.uint32)
    mixed = bits[:, 0] * np.uint32(0x9E3779B1)
    mixed ^= mixed >> np.uint32(15)
    mixed += bits[:, 1]
    # The last steps of MurmurHash3 (Appleby, public domain), which spread each bit.
    mixed ^= mixed >> np.uint32(16)
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def is_sampled(ranks: NDArray[np.uint32], share: float) -> NDArray[np.bool_]:
    """Return which of some places are in a sample of a share of all."""
    return ranks < _ALL_RANKS * share


class MoleculeHeap:
    """Molecules as they come from a file, or a sample of them.

    Parameters
    ----------
    genes
        That are looked for.
    section
        That they are of.
    """

    def __init__(self, genes: tuple[str, ...], section: str = "") -> None:
        self._genes, self._section = genes, section
        self._parts: list[tuple[NDArray[np.float32], NDArray[np.int16]]] = []
        self._n, self._share = 0, 1.0
        self._found = np.zeros(len(genes), np.int64)
        self._low = np.zeros(len(genes), np.int64)

    def add(
        self,
        places: NDArray[np.float32],
        codes: NDArray[np.int16],
        low: NDArray[np.int16],
    ) -> None:
        """Add molecules, and count those of low quality by their genes."""
        n_genes = len(self._genes)
        self._found += np.bincount(codes, minlength=n_genes)
        self._low += np.bincount(low, minlength=n_genes)
        self._parts.append(self._sampled(places, codes))
        self._n += len(self._parts[-1][1])

    def __len__(self) -> int:
        return self._n

    def halve(self) -> None:
        """Keep half of what is there, and of what comes."""
        self._share /= 2
        self._parts = [self._sampled(*part) for part in self._parts]
        self._n = sum(len(part[1]) for part in self._parts)

    def _sampled(
        self, places: NDArray[np.float32], codes: NDArray[np.int16]
    ) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
        if self._share == 1.0:
            return places, codes
        kept = is_sampled(place_ranks(places), self._share)
        return places[kept], codes[kept]

    def molecules(self) -> Molecules:
        """Return what is there so far."""
        # In one piece, or what came first would be copied again and again.
        if len(self._parts) != 1:
            nothing = np.empty((0, 2), np.float32), np.empty(0, np.int16)
            several = self._parts or [nothing]
            self._parts = [
                (
                    np.concatenate([places for places, _ in several]),
                    np.concatenate([codes for _, codes in several]),
                )
            ]
        places, codes = self._parts[0]
        return Molecules(
            self._genes,
            places,
            codes,
            self._found.copy(),
            self._low.copy(),
            self._share,
            self._section,
        )
