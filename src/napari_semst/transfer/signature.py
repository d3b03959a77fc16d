"""What sets the domains of an annotated section apart: its signature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.progress import run_in_thread
from napari_semst.errors import InputError
from napari_semst.transfer.profiles import mean_of_groups, read_profiles
from napari_semst.transfer.settings import TransferSettings

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.progress import Progress, RunControl, ThreadReporter
    from napari_semst.genes.gene_names import Species
    from napari_semst.pipeline.inputs import SectionInputs

# Domains of fewer spots have no mean to speak of.
_LEAST_SPOTS = 5


@dataclass(frozen=True)
class Signature:
    """The domains of a reference section, gene by gene, and no counts.

    Parameters
    ----------
    labels
        Names of the domains.
    genes
        Symbols, or Ensembl ids, as the section has them.
    species
        As the symbols tell.
    scores
        Mean z-score of each domain less the mean over domains,
        ``(n_labels, n_genes)`` float32.
    mean_expression
        Mean log-normalised count of each gene, ``(n_genes,)`` float32.
    n_spots
        Of each domain, ``(n_labels,)``.
    provenance
        Where it comes from and how it was made; plain values.
    gene_ids
        Ensembl id of each gene; empty where the section has none.
    """

    labels: tuple[str, ...]
    genes: tuple[str, ...]
    species: Species
    scores: NDArray[np.float32]
    mean_expression: NDArray[np.float32]
    n_spots: NDArray[np.int64]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    gene_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        found = self.scores.shape, self.mean_expression.shape, self.n_spots.shape
        n_labels, n_genes = len(self.labels), len(self.genes)
        if found != ((n_labels, n_genes), (n_genes,), (n_labels,)):
            raise InputError(
                f"Expected scores, mean expression and numbers of spots of {n_labels} "
                f"labels and {n_genes} genes; found shapes {found}."
            )
        if len(self.gene_ids) not in (0, n_genes):
            raise InputError(
                f"Expected an id for each of {n_genes} genes, or none; found "
                f"{len(self.gene_ids)}."
            )
        if not (
            np.isfinite(self.scores).all() and np.isfinite(self.mean_expression).all()
        ):
            raise InputError(
                "Expected finite numbers in a signature; found others. Make it anew "
                "from the annotated section."
            )


def signature_of(
    tissue: AnnData,
    labels_column: str,
    control: RunControl,
    config: Config | None = None,
    settings: TransferSettings | None = None,
) -> Generator[Progress, None, Signature]:
    """Return the signature of an annotated section, which is not changed.

    Parameters
    ----------
    tissue
        Raw counts with coordinates.
    labels_column
        obs column of the annotation; spots without a label are left out of the means.
    config
        Settings of a run; those of preparation are read.

    Raises
    ------
    InputError
        If there is no such column, or it has fewer than two domains of 5 spots.
    """
    from napari_semst.config import Config
    from napari_semst.explanation.explained_run import explained
    from napari_semst.pipeline.inputs import section_inputs

    labelled = explained(tissue, None, labels_column)
    size = np.bincount(labelled.codes[labelled.codes >= 0])
    kept = np.flatnonzero(size >= _LEAST_SPOTS)
    if len(kept) < 2:
        raise InputError(
            f"Expected two domains or more of {_LEAST_SPOTS} spots in "
            f"obs[{labels_column!r}]; found {len(kept)}. A domain is known by what "
            "sets it apart from the others."
        )
    place = np.full(len(size) + 1, -1)
    place[kept] = np.arange(len(kept))
    inputs = section_inputs(tissue, config or Config())
    names = tuple(labelled.names[one] for one in kept)
    chosen = settings or TransferSettings()

    def work(tell: ThreadReporter) -> Signature:
        return _signature(inputs, place[labelled.codes], names, chosen, tell)

    return (yield from run_in_thread("prepare", "Reading the reference", work, control))


def _signature(
    inputs: SectionInputs,
    codes: NDArray[np.int64],
    names: tuple[str, ...],
    settings: TransferSettings,
    tell: ThreadReporter,
) -> Signature:
    profiles = read_profiles(inputs, settings, tell)
    means = profiles.group_means(mean_of_groups(codes, len(names)))
    return Signature(
        names,
        tuple(map(str, profiles.genes)),
        profiles.species,
        means - means.mean(axis=0),
        profiles.mean.astype(np.float32),
        np.bincount(codes[codes >= 0], minlength=len(names)),
        {
            "n_spots": profiles.n_spots,
            "n_neighbours": settings.n_neighbours,
            "n_rounds": settings.n_rounds,
        },
        () if profiles.gene_ids is None else tuple(map(str, profiles.gene_ids)),
    )
