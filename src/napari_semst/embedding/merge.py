"""Shares of an embedding put together: the vectors, and how they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import ConfigError
from napari_semst.semantics.base import AVERAGED_NOTE
from napari_semst.semantics.server.cache import same_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.embedding.embed import EmbeddingShare

# Sources that read each list of genes, and what their records count.
_BY_SPOT = ("prompts", "server")
_COUNTS = ("texts", "from_cache", "tokens")


def merge_embedding(shares: list[EmbeddingShare]) -> NDArray[np.float32]:
    """Return one vector per spot, ``(n_spots, n_dimensions)``, of all shares.

    Raises
    ------
    ConfigError
        If shares are missing, or not of one section, settings and model.
    """
    first = shares[0]
    if any(
        one.fingerprint != first.fingerprint or one.of != first.of for one in shares
    ):
        raise ConfigError(
            "Expected shares of one section, with the same settings, model and number "
            "of shares; these differ. Compute them again, all in the same way."
        )
    missing = sorted(set(range(1, first.of + 1)) - {one.number for one in shares})
    if missing or len(shares) != first.of:
        listing = ", ".join(f"{number}/{first.of}" for number in missing[:10])
        raise ConfigError(
            f"Expected each of {first.of} shares once; got {len(shares)}, without "
            f"{listing or 'any missing'}. Compute what is missing with --shard."
        )
    for one in shares:
        if first.probe.size and not (
            one.probe.shape == first.probe.shape and same_model(first.probe, one.probe)
        ):
            raise ConfigError(
                "Expected shares by one model; the servers of share "
                f"{first.number}/{first.of} and {one.number}/{one.of} say different "
                "things of the same text. Compute them again, all by one model with "
                "one setting."
            )
    result = np.empty((first.n_spots, first.vectors.shape[1]), dtype=np.float32)
    empty = np.ones(first.n_spots, dtype=bool)
    for one in shares:
        result[one.spots] = one.vectors[one.rows]
        empty[one.spots] = False
    if empty.any():
        result[empty] = result[~empty].mean(axis=0)
    return result


def merge_provenance(shares: list[EmbeddingShare]) -> dict[str, Any]:
    """Return how an embedding was made: what all of its shares tell."""
    records = [one.provenance for one in shares]
    merged: dict[str, Any] = _common(records)
    if merged.get("source") in _BY_SPOT and merged.get("per") != "gene":
        # Each share read lists of its own. Of genes each of them reads all.
        _add(merged, records)
        if isinstance(merged.get("reading"), dict):
            _add(merged["reading"], [one["reading"] for one in records])
    coverage = np.zeros(shares[0].n_spots, dtype=np.float32)
    empty = np.ones(len(coverage), dtype=bool)
    warnings: dict[str, None] = {}
    for one in shares:
        coverage[one.spots] = one.coverage[one.rows]
        empty[one.spots] = False
        warnings |= dict.fromkeys(one.provenance.get("warnings", ()))
    if any(one.provenance.get("coverage") is not None for one in shares):
        merged["coverage"] = float(coverage.mean(dtype=np.float64))
    # Sources counted lists, and not all of them.
    kept = [text for text in warnings if not text.endswith(AVERAGED_NOTE)]
    if empty.any():
        kept.append(
            f"{int(empty.sum())} of {len(empty)} spots list no gene that the source "
            f"knows; {AVERAGED_NOTE}"
        )
    return {**merged, "warnings": kept}


def _add(merged: dict[str, Any], records: list[dict[str, Any]]) -> None:
    """Put the sums of counts into a record of all."""
    for name in _COUNTS:
        # A share that found all its texts in the cache counts no tokens.
        if any(isinstance(record.get(name), int) for record in records):
            merged[name] = sum(int(record.get(name, 0)) for record in records)


def _common(records: list[Any]) -> dict[str, Any]:
    """Return what is the same in all records."""
    common = {}
    for name, value in records[0].items():
        others = [record.get(name) for record in records]
        if all(isinstance(other, dict) for other in others):
            common[name] = _common(others)
        elif all(other == value for other in others):
            common[name] = value
    return common
