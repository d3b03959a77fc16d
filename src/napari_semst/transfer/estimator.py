"""Names for spots of a target section, from the signatures of annotated ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.progress import run_in_thread
from napari_semst.errors import InputError
from napari_semst.transfer.balance import (
    LEAST_EXPLAINED,
    sample_profiles,
    semantic_weight,
)
from napari_semst.transfer.kernel import (
    named_genes,
    of_one_spread,
    predict_signature,
)
from napari_semst.transfer.profiles import read_profiles
from napari_semst.transfer.settings import TransferSettings

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.progress import Progress, RunControl, ThreadReporter
    from napari_semst.genes.table import GeneTable
    from napari_semst.pipeline.inputs import SectionInputs
    from napari_semst.transfer.kernel import NamedGenes, PredictedSignature
    from napari_semst.transfer.profiles import Profiles
    from napari_semst.transfer.signature import Signature


@dataclass(frozen=True)
class TransferScores:
    """How much each spot of a target is like each domain of the references.

    Parameters
    ----------
    labels
        Names of the domains; one that several references have stands once.
    scores
        Shape ``(n_spots, n_labels)`` float32; the largest of a spot names it.
    weights
        What each gene of the target counts for each label, ``(n_labels, n_genes)``;
        scores are sums of averaged z-scores with them.
    expected
        What the references lead to expect of each gene, of the same shape.
    profiles
        The target's genes and expression, read along its foremost axes.
    target
        What the table knows of its genes.
    references
        Of every signature: what is known of its genes, and what it predicts.
    """

    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    weights: NDArray[np.float64]
    expected: NDArray[np.float64]
    profiles: Profiles
    target: NamedGenes
    references: tuple[ReferencePart, ...]

    @property
    def best(self) -> NDArray[np.int64]:
        """The best label of each spot, ``(n_spots,)``."""
        return np.asarray(self.scores.argmax(axis=1), np.int64)

    @property
    def n_shared(self) -> int:
        """How many genes of the target one reference or another holds itself."""
        shared = np.zeros(len(self.target.symbols), bool)
        for one in self.references:
            shared |= one.prediction.shared
        return int(shared.sum())


@dataclass(frozen=True)
class ReferencePart:
    """What one signature adds.

    Parameters
    ----------
    signature
        As it was given.
    genes
        What the table knows of its genes.
    prediction
        What it predicts of the target's genes.
    columns
        Which label of the result each of its labels is, ``(n_labels,)``.
    weight
        Of genes that the reference lacks, beside those that both have.
    """

    signature: Signature
    genes: NamedGenes
    prediction: PredictedSignature
    columns: NDArray[np.int64]
    weight: float


def name_spots(
    signatures: Sequence[Signature],
    target: AnnData,
    table: GeneTable,
    control: RunControl,
    settings: TransferSettings | None = None,
    config: Config | None = None,
) -> Generator[Progress, None, TransferScores]:
    """Return how much each spot is like each domain of the references.

    Parameters
    ----------
    signatures
        One or several; labels of the same name are taken for the same.
    target
        Raw counts with coordinates; it is not changed.
    table
        Vectors and names of genes.
    config
        Settings of a run; those of preparation are read.

    Raises
    ------
    InputError
        If a signature says nothing of the target: no gene is shared, and semantics
        predict nothing.
    """
    from napari_semst.config import Config
    from napari_semst.pipeline.inputs import section_inputs

    inputs = section_inputs(target, config or Config())
    chosen = settings or TransferSettings()

    def work(tell: ThreadReporter) -> TransferScores:
        return scores_of(signatures, inputs, table, chosen, tell)

    return (yield from run_in_thread("describe", "Naming spots", work, control))


def scores_of(
    signatures: Sequence[Signature],
    inputs: SectionInputs,
    table: GeneTable,
    settings: TransferSettings,
    tell: ThreadReporter,
) -> TransferScores:
    """Return what `name_spots` returns, in this thread."""
    profiles = read_profiles(inputs, settings, tell)
    places: dict[str, int] = {}
    target = named_genes(
        profiles.genes, profiles.species, table, places, profiles.gene_ids
    )
    labels = tuple(dict.fromkeys(x for one in signatures for x in one.labels))
    sample, parts = sample_profiles(profiles, settings.seed), []
    for signature in signatures:
        genes = named_genes(
            signature.genes,
            signature.species,
            table,
            places,
            signature.gene_ids or None,
        )
        prediction = predict_signature(signature, genes, target)
        refuse_silent(prediction, genes, target)
        columns = np.array([labels.index(x) for x in signature.labels])
        weight = semantic_weight(prediction, sample, settings.seed)
        parts.append(ReferencePart(signature, genes, prediction, columns, weight))
    weights, expected = joint_weights(parts, len(labels))
    profiles = profiles.along_foremost(sample, tell)
    scores = profiles.weighted_sums(weights.T)
    return TransferScores(
        labels, scores, weights, expected, profiles, target, tuple(parts)
    )


def refuse_silent(
    prediction: PredictedSignature, reference: NamedGenes, target: NamedGenes
) -> None:
    """Refuse a reference that says nothing of the target."""
    if prediction.shared.any() or prediction.explained >= LEAST_EXPLAINED:
        return
    raise InputError(
        "Expected a reference that says something of the target; found no gene in "
        f"common among {len(reference.symbols):,} and {len(target.symbols):,}, and "
        f"gene semantics that predict {prediction.explained:.1%} of what sets the "
        f"reference's domains apart (at least {LEAST_EXPLAINED:.0%} is needed). Use a "
        "reference with more genes."
    )


def joint_weights(
    parts: Sequence[ReferencePart], n_labels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each label's weights of genes, and what is expected of these.

    Sums over references, each of which says as much as any other.
    """
    shape = n_labels, parts[0].prediction.own.shape[1]
    weights, expected = np.zeros(shape), np.zeros(shape)
    for part in parts:
        one, of_it = part.prediction.joint(part.weight)
        weights[part.columns] += one
        expected[part.columns] += of_it
    return of_one_spread(weights, expected)
