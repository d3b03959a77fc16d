"""Spot embeddings from a server with OpenAI's interface, ``/v1/embeddings``."""

from __future__ import annotations

import copy
import hashlib
import time
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_semst.errors import SemanticsError, one_of
from napari_semst.genes.gene_names import Species, guess_species
from napari_semst.semantics.base import (
    AVERAGED_NOTE,
    NO_GENE,
    CancelCheck,
    GeneLists,
    ProgressCallback,
    Semantics,
    provenance_record,
)
from napari_semst.semantics.gene_table.pooling import average_gene_vectors
from napari_semst.semantics.language_model.prompts import distinct_lists
from napari_semst.semantics.server.batching import BatchedRequests
from napari_semst.semantics.server.cache import ServerCache, VectorCollector
from napari_semst.semantics.server.client import PROBE, Endpoint, Probe
from napari_semst.semantics.server.credentials import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_semst.semantics.negative_controls import Texts

BY_SERVER = "by the server"
_TIMED_TEXTS = 8


def probe(
    url: str,
    model: str = "",
    timeout: float = 60.0,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[Probe, float]:
    """Ask a server for a few embeddings, to see whether it can be used.

    Nothing of a section is sent. The key comes from the environment.

    Parameters
    ----------
    url
        Address up to ``/v1``.
    model
        Model to ask for; empty: the server's own.
    timeout
        Seconds without an answer after which a request is repeated.

    Returns
    -------
    tuple
        What it answered to one text; seconds per text of a batch of eight.

    Raises
    ------
    SemanticsError
        If it cannot be reached, refuses, or answers something else.
    """
    texts = [f"Text {number}" for number in range(_TIMED_TEXTS)]
    with Endpoint(url, model, timeout, wait) as endpoint:
        answer = endpoint.probe()
        start = time.perf_counter()
        BatchedRequests(endpoint.ask, texts, _TIMED_TEXTS, lambda *_: None, None).run(1)
        return answer, (time.perf_counter() - start) / _TIMED_TEXTS


def list_texts(gene_lists: GeneLists, species: Species) -> list[str]:
    """Return a plain sentence for each gene list."""
    of = "" if species == "other" else f"{species} "
    return [
        f"Highly expressed genes in a spot of {of}tissue: "
        f"{', '.join(gene_lists.names(row))}."
        for row in range(gene_lists.n_spots)
    ]


def gene_texts(gene_lists: GeneLists, species: Species) -> list[str]:
    """Return the symbol of each list of one gene."""
    return [gene_lists.names(row)[0] for row in range(gene_lists.n_spots)]


class ServerSource:
    """Let a server read each spot's gene list, or each gene once.

    Parameters
    ----------
    url
        Address of the server up to ``/v1``.
    model
        Model to ask for; empty: the server's own.
    per
        ``"spot"`` sends one text per distinct gene list, ``"gene"`` one per gene;
        genes are then averaged per spot.
    batch_texts
        Texts in one request; halved where the server takes fewer.
    connections
        Requests at one time.
    timeout
        Seconds of silence after which a request is repeated; see `Endpoint`.
    keep_vectors
        Keep what the server says in the cache of this machine, and do not ask again
        for what is there.
    texts
        Writes the texts of gene lists, or of lists of one gene; plain ones if None.
    heard
        Called with the vector of the probe's text, ``(n_dimensions,)``: by it models
        are told apart.
    wait
        Waits between attempts.

    Raises
    ------
    SemanticsError
        If the address is none, or `per` unknown. The key, if the server wants one, is
        read from the environment (SEMST_API_KEY, else OPENAI_API_KEY) at each run.
    """

    name = "server"

    def __init__(
        self,
        url: str,
        model: str = "",
        per: str = "spot",
        batch_texts: int = 32,
        connections: int = 4,
        timeout: float = 60.0,
        keep_vectors: bool = True,
        *,
        texts: Texts | None = None,
        heard: Callable[[NDArray[np.float32]], None] | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        if per not in ("spot", "gene"):
            raise SemanticsError(one_of("per", per, ("spot", "gene")))
        self.address = parse_address(url)
        self._model, self._per, self._timeout = model, per, timeout
        self._batch, self._connections, self._wait = batch_texts, connections, wait
        self._keep, self._heard = keep_vectors, heard
        self._texts = texts or (list_texts if per == "spot" else gene_texts)

    @property
    def notice(self) -> str:
        """What users should know before anything is sent."""
        what = "Gene lists" if self._per == "spot" else "Gene names"
        if self.address.is_local:
            return (
                f"{what} are sent to {self.address.host}: a server on this machine, "
                "unless that is a tunnel."
            )
        return f"{what} leave this machine: sent to {self.address.host}."

    def with_texts(self, texts: Texts) -> Self:
        """Return the same source with another way from gene lists to texts."""
        other = copy.copy(self)
        other._texts = texts
        return other

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return the server's vectors per spot.

        Spots without any gene get the mean of the others.

        Parameters
        ----------
        gene_lists
            The ranked genes of each spot; equal lists are sent once.
        weights
            Weights of the genes where each is read once; not used for whole lists.

        Raises
        ------
        SemanticsError
            If the server cannot be reached, refuses, or answers something else.
        """
        species = species or guess_species(gene_lists.genes)
        with Endpoint(
            self.address.url, self._model, self._timeout, self._wait
        ) as endpoint:
            answer = endpoint.probe(cancelled)
            if self._heard is not None and endpoint.probed is not None:
                self._heard(endpoint.probed)
            reader = _Reader(self, endpoint, answer, gene_lists.n_spots)
            reader.progress, reader.cancelled = progress, cancelled
            if self._per == "gene":
                embedding, coverage, n_empty = average_gene_vectors(
                    gene_lists,
                    weights,
                    lambda names, ids: reader.read_genes(names, species, ids),
                    cancelled=cancelled,
                )
            else:
                embedding, coverage, n_empty = reader.read_lists(gene_lists, species)
            exposed = endpoint.key_is_exposed
        provenance = provenance_record(
            source=self.name,
            model=answer.model,
            revision="unknown: servers do not tell",
            pooling=BY_SERVER + (", then mean of genes" * (self._per == "gene")),
            coverage=None,
            species=species,
            warnings=self._warnings(n_empty, gene_lists.n_spots, exposed=exposed)
            + reader.warnings,
            normalisation=BY_SERVER,
            url=answer.url,
            host=answer.host,
            per=self._per,
            dimension=answer.dimension,
            probe_norm=round(answer.norm, 4),
            **reader.facts,
        )
        return Semantics(embedding, coverage, provenance)

    def _warnings(self, n_empty: int, n_spots: int, *, exposed: bool) -> list[str]:
        warnings = [self.notice]
        if exposed:
            warnings.append(
                f"The key was sent to {self.address.host} unencrypted: use https."
            )
        if n_empty:
            warnings.append(
                f"{n_empty} of {n_spots} spots list no gene; {AVERAGED_NOTE}"
            )
        return warnings


class _Reader:
    """Sends each distinct text once, and gives its vector to all that share it."""

    def __init__(
        self, source: ServerSource, endpoint: Endpoint, answer: Probe, n_spots: int
    ) -> None:
        self._source, self._endpoint = source, endpoint
        self._width, self._n_spots = answer.dimension, n_spots
        self._cache: ServerCache | None = None
        if source._keep:
            assert endpoint.probed is not None
            self._cache = ServerCache(answer, source._model, PROBE, endpoint.probed)
        self.progress: ProgressCallback | None = None
        self.cancelled: CancelCheck | None = None
        self.facts: dict[str, Any] = {"texts": 0, "texts_hash": "", "batch_texts": 0}

    @property
    def warnings(self) -> list[str]:
        """What users should know of the cache."""
        return [] if self._cache is None else self._cache.warnings

    def read_lists(
        self, gene_lists: GeneLists, species: Species
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
        """Return embedding, coverage and the number of spots without a gene."""
        distinct, place = distinct_lists(gene_lists)
        speaks: NDArray[np.bool_] = place != NO_GENE
        vectors = self._read(GeneLists(gene_lists.genes, distinct), species)
        embedding = np.zeros((len(speaks), self._width), dtype=np.float32)
        embedding[speaks] = vectors[place[speaks]]
        if speaks.any():
            embedding[~speaks] = embedding[speaks].mean(axis=0)
        return embedding, speaks.astype(np.float32), int((~speaks).sum())

    def read_genes(
        self,
        names: NDArray[np.str_],
        species: Species,
        ids: NDArray[np.str_] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the vector of each gene; a server knows them all, it seems."""
        alone = np.arange(len(names), dtype=np.int32)[:, None]
        vectors = self._read(GeneLists(names, alone, ids), species)
        return vectors, np.ones(len(names), dtype=bool)

    def _read(self, lists: GeneLists, species: Species) -> NDArray[np.float32]:
        texts = self._source._texts(lists, species)
        number = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        distinct: Sequence[str] = list(number)
        collected = VectorCollector(
            distinct,
            self._width,
            self._cache,
            lambda done: self._tell(done, len(distinct)),
        )
        gathering = BatchedRequests(
            self._endpoint.ask,
            [distinct[place] for place in collected.missing.tolist()],
            self._source._batch,
            collected.put,
            self.cancelled,
        )
        try:
            gathering.run(self._source._connections)
        finally:
            collected.flush()
        digest = hashlib.sha256("\n".join(sorted(distinct)).encode()).hexdigest()
        self.facts = {
            "texts": len(distinct),
            "from_cache": collected.n_known,
            "texts_hash": f"sha256:{digest[:16]}",
            "batch_texts": gathering.batch,
        }
        return collected.vectors[[number[text] for text in texts]]

    def _tell(self, done: int, n_texts: int) -> None:
        if self.progress is not None:
            self.progress(done * self._n_spots // n_texts, self._n_spots)
