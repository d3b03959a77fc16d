"""The sources that ask a language model: per spot's list of genes, or per gene."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.config import SemanticsConfig
from napari_semst.errors import SemanticsError
from napari_semst.genes.gene_info import GeneKnowledge, builtin_knowledge
from napari_semst.genes.gene_names import Species, guess_species
from napari_semst.models.hub import DEFAULT_MODEL, LocatedModel, locate_model
from napari_semst.semantics.base import (
    AVERAGED_NOTE,
    NO_GENE,
    CancelCheck,
    GeneLists,
    ProgressCallback,
    Semantics,
    provenance_record,
)
from napari_semst.semantics.gene_table.pooling import (
    checked_weights,
    pool_gene_vectors,
)
from napari_semst.semantics.language_model.embed_texts import (
    EmbedCallbacks,
    TextEmbeddings,
    embed_texts,
)
from napari_semst.semantics.language_model.encoder import EncoderSettings
from napari_semst.semantics.language_model.gene_texts import (
    GenePassages,
    gene_passages,
    little_known_warning,
    read_summaries,
)
from napari_semst.semantics.language_model.prompts import (
    ListedPassages,
    Passage,
    Template,
    distinct_lists,
    template,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Say = Callable[[str], None]


class _LanguageModel:
    """What both sources share: settings, device, model.

    Parameters
    ----------
    settings
        Model, revision, pooling, template, tissue, gene_text, summaries and
        batch_tokens are read.
    say
        Called with sentences for users while the model reads.
    announce
        Called with what users should know before: forecast and download; `say` where
        `None`.
    """

    name = ""

    def __init__(
        self,
        settings: SemanticsConfig | None = None,
        *,
        device: str = "cpu",
        say: Say | None = None,
        announce: Say | None = None,
    ) -> None:
        self._settings = settings or SemanticsConfig(source=self.name)
        self._device, self._say = device, say
        self._announce = announce or say

    def _reading(self) -> EncoderSettings:
        settings = self._settings
        return EncoderSettings(settings.pooling, self._device, settings.batch_tokens)

    def _located(self, n_texts: int, n_summarised: int = 0) -> LocatedModel:
        """Find the model; before a download or a long run, say what it takes."""
        from napari_semst.semantics.language_model.resources import forecast_texts

        if self._announce is not None:
            for sentence in forecast_texts(
                self._settings, n_texts, self._device, n_summarised
            ).sentences:
                self._announce(sentence)
        model = self._settings.model or DEFAULT_MODEL
        return locate_model(model, self._settings.revision, self._announce)

    def _record(
        self,
        model: LocatedModel,
        texts: TextEmbeddings,
        *,
        n_empty: int,
        warnings: Sequence[str] = (),
        **more: Any,
    ) -> dict[str, Any]:
        warnings = [*warnings, *texts.warnings]
        if n_empty:
            warnings.append(f"{n_empty} spots list no gene; {AVERAGED_NOTE}")
        return provenance_record(
            source=self.name,
            model=model.name,
            revision=model.revision,
            warnings=warnings,
            reading=texts.notes,
            **more,
        )


class SpotPrompts(_LanguageModel):
    """Let a language model read each spot's list of genes, the paper's way.

    Equal lists are read once. Spots without any gene get the mean of the others.
    """

    name = "prompts"
    _texts: Callable[[GeneLists, Species], list[str]] | None = None

    def with_texts(
        self, texts: Callable[[GeneLists, Species], list[str]]
    ) -> SpotPrompts:
        """Return the same source with other words in place of the gene lists."""
        other = copy(self)
        other._texts = texts
        return other

    def _passages(
        self, gene_lists: GeneLists, words: Template, species: Species
    ) -> tuple[Sequence[Passage], NDArray[np.int64]]:
        """Return every distinct text once, and which of them each spot has."""
        if self._texts is None:
            rows, place = distinct_lists(gene_lists)
            return ListedPassages(words, gene_lists.genes, rows), place
        said = self._texts(gene_lists, species)
        first: dict[str, int] = {}
        place = np.array([first.setdefault(one, len(first)) for one in said])
        return [Passage(words.system, "", (one,), "") for one in first], place

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return the pooled last states of the model for every spot's prompt.

        Parameters
        ----------
        gene_lists
            The ranked genes of each spot; order counts.
        weights
            Not used: the model reads a list as a whole.
        species
            For the template ``tissue``; guessed from the names if None.
        progress
            Called with (distinct lists done, distinct lists in all).

        Raises
        ------
        SemanticsError
            If the model cannot be had or read, or no spot lists a gene.
        DeviceError
            If memory does not do.
        Cancelled
            If `cancelled` returned True; what was read stays in the cache.
        """
        reading = self._reading()
        wanted = self._settings
        species = species or guess_species(gene_lists.genes)
        words = template(wanted.template, species, wanted.tissue)
        passages, place = self._passages(gene_lists, words, species)
        if not passages:
            raise SemanticsError(_NO_GENES)
        model = self._located(len(passages))
        to = EmbedCallbacks(progress, cancelled, self._say)
        texts = embed_texts(passages, model, reading, to, place)
        empty = place == NO_GENE
        embedding = texts.vectors
        if empty.any():
            # They are zero so far; a mean of the others would copy them all.
            total = embedding.sum(axis=0, dtype=np.float64)
            embedding[empty] = total / (~empty).sum()
        return Semantics(
            embedding=embedding,
            coverage=np.where(empty, 0, 1).astype(np.float32),
            provenance=self._record(
                model,
                texts,
                n_empty=int(empty.sum()),
                pooling=wanted.pooling,
                coverage=None,
                species=species,
                template=wanted.template,
                prompt={"system": words.system, "user": words.user},
            ),
        )


class GeneTexts(_LanguageModel):
    """Let a language model read each gene once, and average over a spot's genes.

    Texts are symbols with what is known of the genes (see `genes.gene_info`) unless the
    setting gene_text is ``"symbol"``, and with the user's summaries. Costs one text per
    gene and not per spot, and is kept for every later section.
    """

    name = "genes"

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return the weighted mean of the genes' vectors, per spot.

        Parameters
        ----------
        species
            By which names are found in what is known; guessed from them if None.
        progress
            Called with (genes done, genes in all).

        Raises
        ------
        SemanticsError
            If the model or the summaries cannot be read, or no spot lists a gene.
        DeviceError
            If memory does not do.
        Cancelled
            If `cancelled` returned True; what was read stays in the cache.
        """
        reading = self._reading()
        listed = gene_lists.listed
        share = checked_weights(weights, gene_lists) * listed
        used = gene_lists.used
        if not len(used):
            raise SemanticsError(_NO_GENES)
        species = species or guess_species(gene_lists.genes)
        read = self._gene_passages(gene_lists, used, species)
        model = self._located(len(read.passages), int(read.summarised.sum()))
        to = EmbedCallbacks(progress, cancelled, self._say)
        texts = embed_texts(read.passages, model, reading, to)
        place = np.searchsorted(used, gene_lists.indices)
        place = np.minimum(place, len(used) - 1)
        embedding = pool_gene_vectors(share, place, texts.vectors, None, cancelled)
        empty = share.sum(axis=1) == 0
        if empty.any():
            embedding[empty] = embedding[~empty].mean(axis=0) if (~empty).any() else 0
        knowledge = self._knowledge()
        asked = knowledge is not None or bool(self._settings.summaries)
        known = listed & (read.known[place] if asked else True)
        coverage = known.sum(axis=1) / np.maximum(listed.sum(axis=1), 1)
        mean = float(coverage.mean()) if asked else None
        return Semantics(
            embedding=embedding,
            coverage=coverage.astype(np.float32),
            provenance=self._record(
                model,
                texts,
                n_empty=int(empty.sum()),
                warnings=[]
                if knowledge is None
                else little_known_warning(mean, species),
                pooling=self._settings.pooling,
                coverage=mean,
                species=species,
                gene_text=self._settings.gene_text
                if knowledge is None
                else knowledge.version,
                known_genes=int(read.known.sum()) if asked else None,
                summaries=int(read.summarised.sum()),
                attribution="" if knowledge is None else knowledge.attribution,
            ),
        )

    def _gene_passages(
        self, lists: GeneLists, used: NDArray[np.int64], species: Species
    ) -> GenePassages:
        genes, ids = lists.genes[used], lists.ids_of(used)
        summaries = read_summaries(self._settings.summaries)
        knowledge = self._knowledge()
        texts = gene_passages(genes.tolist(), species, summaries, knowledge, ids)
        if knowledge is not None and self._say is not None:
            self._say(
                f"Of {texts.known.sum():,} of {len(genes):,} genes more than the "
                "symbol is read"
            )
        return texts

    def _knowledge(self) -> GeneKnowledge | None:
        """Return what is known of genes, None where only symbols are read."""
        return None if self._settings.gene_text == "symbol" else builtin_knowledge()


_NO_GENES = (
    "Expected spots that list genes; found none. Check the counts, or keep more genes "
    "(n_top_genes)."
)
