"""Embeddings of a section's spots, computed apart from a run and in shares.

Each share reads every n-th of the distinct lists of genes, so that the jobs of an array
do each list once; merged, they are the vectors that one job would have computed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.progress import Progress, RunControl
from napari_semst.errors import ConfigError
from napari_semst.pipeline.provenance import spots_hash

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config, Request, SemanticsConfig
    from napari_semst.semantics import GeneLists

# Sources that look all lists up in a moment: each share does, so that what is unknown
# and what is told of it do not depend on the shares.
_TABLES = ("builtin", "table")


@dataclass(frozen=True, slots=True)
class EmbeddingShare:
    """The vectors of one share of a section's lists of genes.

    Parameters
    ----------
    number, of
        This share, counted from 1, and how many there are.
    n_spots
        Spots of the section.
    spots
        Those that the share has vectors for, shape ``(n_own_spots,)``.
    rows
        Which vector each of them has, same shape.
    vectors
        Shape ``(n_lists, n_dimensions)``, float32.
    coverage
        Share of the genes of each list that the source knows, shape ``(n_lists,)``.
    names
        Of all spots of the section in their order; the first share alone has them.
    listed
        Hashes of the genes that all spots list first, ``(n_spots, at most 5)``; the
        first share alone has them.
    probe
        What a server said of one text that all are asked, ``(n_dimensions,)``; empty
        of other sources.
    fingerprint
        Hash of lists and settings; shares of one section have the same.
    provenance
        What the source tells of itself.
    """

    number: int
    of: int
    n_spots: int
    spots: NDArray[np.int64]
    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    coverage: NDArray[np.float32]
    names: list[str]
    listed: NDArray[np.uint32]
    probe: NDArray[np.float32]
    fingerprint: str
    provenance: dict[str, Any]


def parse_share(text: str) -> tuple[int, int]:
    """Return number and count of ``i/n``, or raise `ConfigError`."""
    number, _, of = text.partition("/")
    if number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
        return int(number), int(of)
    raise ConfigError(
        f"Expected a share as i/n with i from 1 to n, for instance 3/8; got {text!r}."
    )


def embed(
    tissue: AnnData,
    request: Request,
    control: RunControl | None = None,
    share: tuple[int, int] = (1, 1),
) -> Generator[Progress, None, EmbeddingShare]:
    """Compute what the genes of each spot mean, as a run with the settings would.

    Parameters
    ----------
    tissue
        Raw counts, with coordinates in ``obsm``; it is not changed.
    request
        Preset and settings; the number of domains does not matter.
    share
        Number, counted from 1, and count of shares.

    Yields
    ------
    progress
        Events of the stages prepare and describe.

    Returns
    -------
    share
        To be merged with the others by `napari_semst.embedding.merge.merge_embedding`.
    """
    from napari_semst.pipeline.run import prepared
    from napari_semst.pipeline.spot_semantics import (
        embed_gene_lists,
        list_genes,
        ranked_values,
        source_options,
    )
    from napari_semst.semantics import GeneLists
    from napari_semst.semantics.language_model.prompts import distinct_lists
    from napari_semst.semantics.precomputed.compatibility import first_genes

    control = control or RunControl()
    request = request.with_settings("domains", n_domains=-1)
    config, section, _ = yield from prepared(tissue, request, control, settled=True)
    _check_computable(config.semantics, n_shares=share[1])
    ranked = ranked_values(section, config.semantics.ranking)
    lists = yield from list_genes(
        ranked, section.genes, config, control, section.gene_ids
    )
    # Spots without any gene get the mean of the others, once all shares are merged.
    rows, place = distinct_lists(lists)
    number, of = share
    own = _rows_of_share(len(rows), number, of)
    asked = _asked(rows, own, config.semantics)
    options = source_options(tissue, config)
    probes: list[NDArray[np.float32]] = []
    if config.semantics.source == "server":
        options["heard"] = probes.append
    asked_lists = GeneLists(lists.genes, asked.astype(np.int32), lists.ids)
    semantics = yield from embed_gene_lists(asked_lists, config, control, **options)
    vectors, coverage = semantics.embedding[: len(own)], semantics.coverage[: len(own)]
    if config.semantics.source in _TABLES:
        vectors, coverage = semantics.embedding[own], semantics.coverage[own]
        # What a table says of genes it does not know is a mean of others, too.
        own, vectors = own[coverage > 0], vectors[coverage > 0]
        coverage = coverage[coverage > 0]
    spots = np.flatnonzero(np.isin(place, own))
    names = [str(name) for name in tissue.obs_names]
    provenance = {**semantics.provenance, "lists": _lists(config.semantics)}
    return EmbeddingShare(
        number,
        of,
        lists.n_spots,
        spots,
        np.searchsorted(own, place[spots]),
        np.ascontiguousarray(vectors),
        coverage,
        names if number == 1 else [],
        first_genes(lists)[: lists.n_spots if number == 1 else 0],
        probes[0] if probes else np.zeros(0, dtype=np.float32),
        _fingerprint(lists, names, config, provenance),
        provenance,
    )


def _rows_of_share(n_rows: int, number: int, n_shares: int) -> NDArray[np.int64]:
    own = np.arange(n_rows)[number - 1 :: n_shares]
    if not len(own):
        raise ConfigError(
            "Expected at most as many shares as distinct lists of genes; got "
            f"{n_shares} shares for {n_rows} lists. Use fewer."
        )
    return own


def _check_computable(semantics: SemanticsConfig, *, n_shares: int) -> None:
    """Raise `ConfigError` for semantics that are not computed, or not in shares."""
    if semantics.source in ("none", "precomputed"):
        raise ConfigError(
            "Expected a source of semantics that is to be computed; got "
            f"{semantics.source!r}. Choose one with --semantics, for instance prompts."
        )
    if semantics.control != "none" and n_shares > 1:
        raise ConfigError(
            f"Expected no control with shares; got {semantics.control!r}: it depends "
            "on all lists at once. Compute it in one piece."
        )


def _asked(
    rows: NDArray[np.int32], own: NDArray[np.int64], wanted: SemanticsConfig
) -> NDArray[np.int32]:
    """Return the lists that a share has to ask for, its own first."""
    if wanted.source in _TABLES:
        return rows
    by_gene = wanted.source == "genes" or (
        wanted.source == "server" and wanted.per == "gene"
    )
    if not by_gene or len(own) == len(rows):
        return rows[own]
    # Genes are read in batches: the same genes make the same batches in each share.
    used = np.unique(rows)
    rest = np.setdiff1d(used[used >= 0], rows[own])
    width = rows.shape[1]
    filled = np.full(-(-len(rest) // width) * width, -1, dtype=rows.dtype)
    filled[: len(rest)] = rest
    return np.concatenate([rows[own], filled.reshape(-1, width)])


def _lists(wanted: SemanticsConfig) -> dict[str, Any]:
    """Return by which settings genes were listed."""
    names = ("n_genes", "ranking", "leave_out_uninformative")
    return {name: getattr(wanted, name) for name in names}


_OF_THE_MACHINE = (
    "model",
    "revision",
    "url",
    "timeout",
    "keep_vectors",
    "batch_tokens",
    "batch_texts",
    "connections",
)


def _fingerprint(
    lists: GeneLists, names: list[str], config: Config, provenance: dict[str, Any]
) -> str:
    """Return a hash of what all shares of a section have in common."""
    digest = hashlib.sha256()
    digest.update(spots_hash(names).encode())
    digest.update("\n".join(lists.genes.tolist()).encode())
    digest.update(np.ascontiguousarray(lists.indices).tobytes())
    settings = dict(config.to_dict()["semantics"])
    # A model is known by what it is, wherever each machine of a cluster keeps it.
    for name in _OF_THE_MACHINE:
        settings.pop(name)
    for name in ("summaries", "table"):
        settings[name] = _content(settings[name])
    made_by = ("model", "revision", "template", "gene_text")
    settings["made_by"] = [provenance.get(name) for name in made_by]
    settings["dtype"] = provenance.get("reading", {}).get("dtype")
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()


def _content(path: str) -> str:
    """Return a hash of what a file holds, wherever each machine keeps it."""
    if not path:
        return ""
    try:
        return hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"Expected a file that can be read at {path}; {error}. Check the path."
        ) from error
