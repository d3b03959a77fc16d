"""What a source of gene semantics takes and returns.

A source turns the ranked genes of each spot into a vector. Whatever the source, the
pipeline standardises the result (`standardise`) before it reaches the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from napari_semst.errors import Cancelled, SemanticsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.genes.gene_names import Species

ProgressCallback = Callable[[int, int], None]
CancelCheck = Callable[[], bool]

NO_GENE = -1
LOW_COVERAGE = 0.5
# How sources describe spots that list no known gene.
AVERAGED_NOTE = "they were given the average of the other spots."


@dataclass(frozen=True)
class GeneLists:
    """The ranked genes of each spot, as indices into one array of symbols.

    Parameters
    ----------
    genes
        Gene names, shape ``(n_genes,)``, as in the data.
    indices
        Positions in `genes`, most expressed first, shape ``(n_spots, n_listed)``;
        ``-1`` fills the end of lists that are shorter.
    ids
        Ensembl ids of the genes, empty where there is none, shape ``(n_genes,)``; None
        where the data have none at all.

    Raises
    ------
    SemanticsError
        If `indices` is not a 2-D integer array of positions in `genes`, or `ids` are
        not as many as genes.
    """

    genes: NDArray[np.str_]
    indices: NDArray[np.int32]
    ids: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        if self.indices.ndim != 2 or self.indices.dtype.kind != "i":
            raise SemanticsError(
                "Expected gene lists as a 2-D array of signed integers (spots x listed "
                f"genes); found {self.indices.ndim}-D {self.indices.dtype}."
            )
        if self.indices.size and (
            self.indices.min() < NO_GENE or self.indices.max() >= len(self.genes)
        ):
            raise SemanticsError(
                f"Expected gene positions from -1 to {len(self.genes) - 1}; found "
                f"{self.indices.min()} to {self.indices.max()}. Rank the genes again."
            )
        if self.ids is not None and len(self.ids) != len(self.genes):
            raise SemanticsError(
                f"Expected an id for each of {len(self.genes)} genes, empty for none; "
                f"found {len(self.ids)}. Take both from the same table."
            )

    @property
    def n_spots(self) -> int:
        """The number of spots."""
        return int(self.indices.shape[0])

    @property
    def listed(self) -> NDArray[np.bool_]:
        """Where a list holds a gene, shape ``(n_spots, n_listed)``."""
        listed: NDArray[np.bool_] = np.not_equal(self.indices, NO_GENE)
        return listed

    @property
    def used(self) -> NDArray[np.int64]:
        """Positions of the genes that any spot lists, in their order."""
        seen = np.zeros(len(self.genes) + 1, bool)
        # That of no gene is the last.
        seen[self.indices] = True
        return np.flatnonzero(seen[:-1]).astype(np.int64)

    def ids_of(self, genes: NDArray[np.integer[Any]]) -> NDArray[np.str_] | None:
        """Return the ids of genes by position, None where there are none."""
        return None if self.ids is None else self.ids[genes]

    def names(self, spot: int) -> list[str]:
        """Return the gene names of one spot, most expressed first."""
        row = self.indices[spot]
        return [str(name) for name in self.genes[row[row != NO_GENE]]]


@dataclass(frozen=True)
class Semantics:
    """One vector per spot, and where it came from.

    Parameters
    ----------
    embedding
        Shape ``(n_spots, n_dimensions)``, float32, not yet standardised; zero columns
        wide where there is no semantics.
    coverage
        Share of each spot's listed genes that the source knows, shape ``(n_spots,)``.
    provenance
        JSON-able record: source, model, revision, pooling, coverage (mean), species,
        warnings (sentences for users).
    """

    embedding: NDArray[np.float32]
    coverage: NDArray[np.float32]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is no semantics to use."""
        return bool(self.embedding.shape[1] == 0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that users should read."""
        return tuple(self.provenance.get("warnings", ()))


@runtime_checkable
class SemanticSource(Protocol):
    """Anything that turns ranked genes into one vector per spot."""

    @property
    def name(self) -> str:
        """The name under which the source is registered."""
        ...

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return one vector per spot.

        Parameters
        ----------
        gene_lists
            The ranked genes of each spot.
        weights
            Weight of each listed gene, shape as ``gene_lists.indices``; equal if None.
            Sources that read a list as a whole may ignore it.
        species
            ``"human"``, ``"mouse"``, ``"human and mouse"`` or ``"other"``; guessed from
            the names if None.
        progress
            Called with (spots done, spots in all).
        cancelled
            Asked between chunks; if it returns True, `Cancelled` is raised.
        """
        ...


def check_cancelled(cancelled: CancelCheck | None) -> None:
    """Raise `Cancelled` if the user asked for it."""
    if cancelled is not None and cancelled():
        raise Cancelled("The run was cancelled; nothing was changed.")


def known_coverage(recorded: Mapping[str, Any]) -> float | None:
    """Return the share of listed genes that a source knows, `None` where it cannot say.

    Parameters
    ----------
    recorded
        Its provenance, of a run or as a file holds it: there `None` is an empty text.
    """
    share = recorded.get("coverage")
    return None if share is None or share == "" else float(share)


def provenance_record(
    *,
    source: str,
    model: str,
    revision: str,
    pooling: str,
    coverage: float | None,
    species: str | None,
    warnings: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a provenance record with the fields that every source fills."""
    return {
        "source": source,
        "model": model,
        "revision": revision,
        "pooling": pooling,
        "coverage": coverage,
        "species": species,
        "warnings": list(warnings or ()),
        **more,
    }
