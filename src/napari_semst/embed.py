"""Embeddings of a section's spots, computed apart from a run and in shares.

Each share reads every n-th of the distinct lists of genes, so that the jobs of an array
do each list once; merged, they are the array that one job would have written.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import ConfigError
from napari_semst.progress import Progress, RunControl

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config, Request
    from napari_semst.semantics import GeneLists


@dataclass(frozen=True, slots=True)
class Share:
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
    fingerprint: str
    provenance: dict[str, Any]


def parse_share(text: str) -> tuple[int, int]:
    """Return number and count of ``i/n``.

    Raises
    ------
    ConfigError
        If it is no such pair.
    """
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
) -> Generator[Progress, None, Share]:
    """Compute what the genes of each spot mean, as a run with the settings would.

    Parameters
    ----------
    tissue
        Raw counts, with coordinates in ``obsm``; it is not changed.
    request
        Preset and settings; the number of domains does not matter.
    control
        Cancels from another thread.
    share
        Number, counted from 1, and count of shares.

    Yields
    ------
    progress
        Events of the stages prepare and describe.

    Returns
    -------
    share
        To be merged with the others by `merged`.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.gene_lists import listed, ranked_values
    from napari_semst.meaning import described_lists, source_options
    from napari_semst.pipeline import prepared
    from napari_semst.semantics import GeneLists

    control = control or RunControl()
    request = request.with_settings("domains", n_domains=-1)
    config, section, _ = yield from prepared(tissue, request, control)
    if config.semantics.source in ("none", "precomputed"):
        raise ConfigError(
            "Expected a source of semantics that is to be computed; got "
            f"{config.semantics.source!r}. Choose one with --semantics, for instance "
            "prompts."
        )
    if config.semantics.control != "none" and share[1] > 1:
        raise ConfigError(
            "Expected no control with shares; got "
            f"{config.semantics.control!r}: it depends on all lists at once. Compute "
            "it in one piece."
        )
    ranked = ranked_values(section, config.semantics.ranking)
    lists = yield from listed(ranked, section.genes, config, control)
    rows, place = np.unique(lists.indices, axis=0, return_inverse=True)
    place = np.asarray(place).reshape(-1)
    number, of = share
    # Spots without any gene get the mean of the others, once all shares are merged.
    some = (rows >= 0).any(axis=1)
    own = np.flatnonzero(some)[number - 1 :: of]
    spots = np.flatnonzero(np.isin(place, own))
    if not len(own):
        raise ConfigError(
            f"Expected at most as many shares as distinct lists of genes; got {of} "
            f"shares for {int(some.sum())} lists. Use fewer."
        )
    found = yield from described_lists(
        GeneLists(lists.genes, rows[own].astype(np.int32)),
        config,
        control,
        **source_options(tissue, config),
    )
    return Share(
        number,
        of,
        lists.n_spots,
        spots,
        np.searchsorted(own, place[spots]),
        found.embedding,
        _fingerprint(lists, config, dict(found.provenance)),
        dict(found.provenance),
    )


def merged(shares: list[Share]) -> NDArray[np.float32]:
    """Return one vector per spot, of all shares of a section.

    Parameters
    ----------
    shares
        Each share once, in any order.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, n_dimensions)``, float32.

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
        told = ", ".join(f"{number}/{first.of}" for number in missing[:10])
        raise ConfigError(
            f"Expected each of {first.of} shares once; got {len(shares)}, without "
            f"{told or 'any missing'}. Compute what is missing with --shard."
        )
    result = np.empty((first.n_spots, first.vectors.shape[1]), dtype=np.float32)
    empty = np.ones(first.n_spots, dtype=bool)
    for one in shares:
        result[one.spots] = one.vectors[one.rows]
        empty[one.spots] = False
    if empty.any():
        result[empty] = result[~empty].mean(axis=0)
    return result


def _fingerprint(lists: GeneLists, config: Config, told: dict[str, Any]) -> str:
    """Return a hash of what all shares of a section have in common."""
    digest = hashlib.sha256()
    digest.update("\n".join(lists.genes.tolist()).encode())
    digest.update(np.ascontiguousarray(lists.indices).tobytes())
    settings = dict(config.to_dict()["semantics"])
    # A model is known by what it is, wherever each machine of a cluster keeps it.
    for name in ("model", "revision", "batch_tokens", "url"):
        settings.pop(name)
    for name in ("summaries", "table"):
        settings[name] = _content(settings[name])
    made_by = ("model", "revision", "template", "gene_text")
    settings["made_by"] = [told.get(name) for name in made_by]
    settings["dtype"] = told.get("reading", {}).get("dtype")
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
