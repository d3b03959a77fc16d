"""Negative controls: semantics spoilt on purpose, to compare a source with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from napari_semst.errors import SemanticsError, one_of
from napari_semst.genes.gene_names import Species, guess_species
from napari_semst.semantics.base import (
    NO_GENE,
    CancelCheck,
    GeneLists,
    ProgressCallback,
    Semantics,
    SemanticSource,
    check_cancelled,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Texts = Callable[[GeneLists, Species], list[str]]

NEGATIVE_CONTROLS = {
    "random": "random vectors of the mean and covariance of the source's own",
    "shuffled": "gene names permuted among the listed genes",
    "unrelated": "genes or sentences that have nothing to do with the section",
}
_CHUNK_SPOTS = 20_000


@runtime_checkable
class TextSource(Protocol):
    """A source that writes a text and embeds it."""

    def with_texts(self, texts: Texts) -> SemanticSource:
        """Return the same source with another way from gene lists to texts."""
        ...


@runtime_checkable
class TableSource(Protocol):
    """A source that looks genes up."""

    def genes_outside(
        self, names: NDArray[np.str_], species: Species
    ) -> tuple[NDArray[np.str_], Species]:
        """Return the genes it knows besides those named, and their species."""
        ...


def with_control(source: SemanticSource, control: str, seed: int) -> SemanticSource:
    """Return the source itself for ``"none"``, else a control of it.

    Parameters
    ----------
    control
        ``"none"`` or one of `NEGATIVE_CONTROLS`.

    Raises
    ------
    SemanticsError
        If there is no such control, or the source cannot have it.
    """
    if control == "none":
        return source
    if control not in NEGATIVE_CONTROLS:
        raise SemanticsError(
            one_of("the control", control, ("none", *NEGATIVE_CONTROLS))
        )
    if control != "random" and source.name == "precomputed":
        raise SemanticsError(
            f"Expected a source that reads genes for the control {control!r}; a "
            "precomputed embedding reads none. Use the control 'random'."
        )
    if control == "unrelated" and not isinstance(source, TextSource | TableSource):
        raise SemanticsError(
            "Expected a source that reads texts or a table for the control "
            f"'unrelated'; {source.name!r} is neither. Use 'random' or 'shuffled'."
        )
    return NegativeControl(source, control, seed)


class NegativeControl:
    """A source behind a negative control; its results are marked as such."""

    def __init__(self, source: SemanticSource, control: str, seed: int) -> None:
        self.source, self.control, self.seed = source, control, seed
        self.name = source.name

    @property
    def notice(self) -> str:
        """What users should know before the run begins to read."""
        own = getattr(self.source, "notice", "")
        return f"Control: {NEGATIVE_CONTROLS[self.control]}. {own}".rstrip()

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return the spoilt embedding; arguments as in `SemanticSource.embed_spots`."""
        random = np.random.default_rng(self.seed)
        source, lists = self.source, gene_lists
        known_species = species or guess_species(gene_lists.genes)
        species = known_species
        if self.control == "shuffled":
            lists = shuffled_genes(gene_lists, random)
        elif self.control == "unrelated" and isinstance(source, TextSource):
            source = source.with_texts(
                lambda asked, _: random_sentences(asked.n_spots, self.seed)
            )
        elif self.control == "unrelated":
            assert isinstance(source, TableSource)
            used = gene_lists.genes[np.unique(gene_lists.indices[gene_lists.listed])]
            outside, species = source.genes_outside(used, known_species)
            lists = random_genes(gene_lists, outside, random)
        found = source.embed_spots(lists, weights, species, progress, cancelled)
        if self.control == "random":
            found = replace(found, embedding=random_vectors(found, random, cancelled))
        return replace(found, provenance=self._marked(found, known_species))

    def _marked(self, semantics: Semantics, species: Species) -> dict[str, Any]:
        warning = (
            f"CONTROL RUN ({self.control}): semantics was spoilt on purpose, "
            f"{NEGATIVE_CONTROLS[self.control]}. Compare it with a real run; do not "
            "report its domains."
        )
        return {
            **semantics.provenance,
            "control": self.control,
            "control_seed": self.seed,
            "species": species,
            "warnings": [warning, *semantics.warnings],
        }


def shuffled_genes(gene_lists: GeneLists, random: np.random.Generator) -> GeneLists:
    """Return lists in which the names of the listed genes are permuted.

    Only genes that are listed somewhere change places, so that the source knows as
    many as before; spots that shared genes still share as many.
    """
    used = np.unique(gene_lists.indices[gene_lists.listed])
    dealt = np.arange(len(gene_lists.genes))
    dealt[used] = random.permutation(used)
    ids = gene_lists.ids_of(dealt)
    return GeneLists(gene_lists.genes[dealt], gene_lists.indices, ids)


def random_genes(
    gene_lists: GeneLists, outside: NDArray[np.str_], random: np.random.Generator
) -> GeneLists:
    """Return lists of the same lengths, drawn for each spot from other genes.

    Raises
    ------
    SemanticsError
        If there are fewer other genes than a list is long.
    """
    n_spots, n_listed = gene_lists.indices.shape
    if len(outside) < n_listed:
        raise SemanticsError(
            f"Expected at least {n_listed} genes outside the section's lists for the "
            f"control 'unrelated'; the table has {len(outside)}. Use the control "
            "'shuffled'."
        )
    # Each place of a list draws from a part of its own: no gene is listed twice.
    names = random.permutation(outside)
    starts = np.arange(n_listed + 1) * len(names) // n_listed
    picks = random.integers(starts[:-1], starts[1:], size=(n_spots, n_listed))
    indices = np.where(gene_lists.listed, picks, NO_GENE).astype(np.int32)
    return GeneLists(names, indices)


def random_vectors(
    found: Semantics,
    random: np.random.Generator,
    cancelled: CancelCheck | None = None,
) -> NDArray[np.float32]:
    """Return normal random vectors with the mean and covariance of an embedding."""
    values = found.embedding
    n_spots, width = values.shape
    if not values.size:
        return values.copy()
    parts = [slice(s, s + _CHUNK_SPOTS) for s in range(0, n_spots, _CHUNK_SPOTS)]
    mean = values.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((width, width))
    for part in parts:
        check_cancelled(cancelled)
        centred = values[part] - mean
        covariance += centred.T @ centred
    covariance /= max(n_spots - 1, 1)
    variances, axes = np.linalg.eigh(covariance)
    factor = (axes * np.sqrt(np.maximum(variances, 0))).T
    result = np.empty_like(values)
    for part in parts:
        check_cancelled(cancelled)
        noise = random.standard_normal((len(values[part]), width))
        result[part] = noise @ factor + mean
    return result


_SUBJECTS = (
    "The ferry to the island",
    "An old clock in the hall",
    "The baker across the street",
    "A letter from the lawyer",
    "The second violin",
    "Their neighbour's bicycle",
    "The train from the coast",
    "A painter of ships",
    "The referee",
    "My grandmother's kettle",
    "The library's new roof",
    "A flock of geese",
    "The night porter",
    "An unpaid bill",
    "The mountain hut",
    "A glass of cider",
)


_VERBS = (
    "waits for",
    "was late because of",
    "has never seen",
    "reminds us of",
    "is older than",
    "costs less than",
    "stands beside",
    "was sold with",
    "made way for",
    "outlasted",
    "is named after",
    "will be followed by",
)


_OBJECTS = (
    "the winter timetable",
    "a box of chalk",
    "the village choir",
    "two empty benches",
    "the harbour lights",
    "a borrowed umbrella",
    "the last tram",
    "an argument about chess",
    "the blue curtains",
    "a bridge of stone",
    "the postman's whistle",
    "a basket of pears",
    "the football results",
    "an afternoon of rain",
    "the school play",
    "a map of the suburbs",
)


_TIMES = (
    "on Sundays",
    "at half past seven",
    "before the holidays",
    "in any weather",
    "since last spring",
    "for no good reason",
    "once a year",
    "until further notice",
)


def random_sentences(number: int, seed: int) -> list[str]:
    """Return that many sentences, drawn from some 25,000 with replacement."""
    random = np.random.default_rng(seed)
    parts = (_SUBJECTS, _VERBS, _OBJECTS, _TIMES)
    picks = [random.integers(len(part), size=number).tolist() for part in parts]
    return [
        " ".join(part[i] for part, i in zip(parts, chosen, strict=True)) + "."
        for chosen in zip(*picks, strict=True)
    ]
