"""Hashes of what a run reads of a tissue, whatever file it stands in."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.core.progress import Progress
from napari_semst.io.export.names import storable_text
from napari_semst.io.places.landmarks import landmarks_of
from napari_semst.io.sections import libraries
from napari_semst.io.stored_counts import StoredCounts
from napari_semst.semantics.spot_vectors import SpotVectors

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config
    from napari_semst.core.progress import RunControl

# Values hashed between two looks at whether to go on.
_CHUNK_VALUES = 4_000_000
_SECONDS_BETWEEN_EVENTS = 0.25
_OF_TISSUE = "obsm:"


def content_hashes(
    tissue: AnnData, config: Config, control: RunControl, stage: str = "assign"
) -> Generator[Progress, None, dict[str, Any]]:
    """Return a SHA-256 of each thing that a run reads of a tissue.

    A file that was saved again has other bytes; these stay the same as long as the
    numbers do: types of numbers, ways of storing a matrix and zeros stored or not make
    no difference.

    Parameters
    ----------
    tissue
        What was read.
    config
        Says where counts, coordinates, sections and embeddings stand.
    stage
        What the events are called.

    Returns
    -------
    hashes
        ``genes`` (symbols), ``counts``, ``coordinates``; ``sections``, ``embedding``,
        ``image_features`` and ``images`` where these were read of the tissue;
        ``own_counts`` of sections of different panels; and the numbers of spots and
        genes.
    """
    from napari_semst.io.own_counts import are_of_different_panels
    from napari_semst.pipeline.inputs import section_inputs

    inputs = section_inputs(tissue, config)
    counts = inputs.counts
    found: dict[str, Any] = {
        "n_spots": int(counts.shape[0]),
        "n_genes": int(counts.shape[1]),
        "genes": texts_hash(inputs.symbols),
        "counts": (yield from _counts_hash(counts, control, stage)),
        "coordinates": array_hash(np.asarray(inputs.coordinates, np.float64)),
    }
    sections = inputs.sections
    if len(sections.names) > 1:
        digest = hashlib.sha256(texts_hash(sections.names).encode())
        digest.update(sections.codes.astype("<i4").tobytes())
        found["sections"] = digest.hexdigest()
    if are_of_different_panels(tissue, config.prepare.section_key):
        own = yield from _counts_hash(tissue.obsm[keys.OWN_COUNTS], control, stage)
        found["own_counts"] = texts_hash([own, *tissue.uns[keys.OWN_GENES]])
    for name, key in _of_obsm(tissue, config):
        found[name] = array_hash(tissue.obsm[key])
    images = _images_hash(tissue, config)
    return {**found, "images": images} if images else found


def _images_hash(tissue: AnnData, config: Config) -> str:
    """Return a SHA-256 of the images that a tissue holds, where a run reads them."""
    wanted = config.morphology
    if (
        wanted.image
        or wanted.encoder == "none"
        or wanted.encoder.startswith(_OF_TISSUE)
    ):
        return ""
    hashes = [
        f"{library} {name} {array_hash(image)}"
        for library, place in sorted(tissue.uns.get(keys.SPATIAL, {}).items())
        for name, image in sorted(place.get("images", {}).items())
        if isinstance(image, np.ndarray)
    ]
    placed = {name: landmarks_of(tissue, name) for name in libraries(tissue)}
    hashes += [
        f"{library} landmarks {hashlib.sha256(known.token).hexdigest()}"
        for library, known in sorted(placed.items())
        if known is not None and hashes
    ]
    return texts_hash(hashes) if hashes else ""


def _of_obsm(tissue: AnnData, config: Config) -> list[tuple[str, str]]:
    """Return the obsm arrays that a run reads, each with what it is."""
    encoder = config.morphology.encoder
    wanted = [("image_features", encoder.removeprefix(_OF_TISSUE))]
    if not encoder.startswith(_OF_TISSUE):
        wanted = []
    if config.semantics.source == "precomputed":
        wanted.append(("embedding", config.semantics.embedding))
    return [(name, key) for name, key in wanted if key in tissue.obsm]


def texts_hash(texts: Iterable[object]) -> str:
    """Return a SHA-256 of texts in their order, as files hold them."""
    whole = storable_text("\n".join(map(str, texts)))
    return hashlib.sha256(whole.encode()).hexdigest()


def array_hash(values: Any) -> str:
    """Return a SHA-256 of numbers and their shape, whatever their type.

    Parameters
    ----------
    values
        An array, a table or a sparse matrix of numbers; or vectors that are made when
        some are asked for.
    """
    if isinstance(values, SpotVectors):
        digest = hashlib.sha256(repr(values.shape).encode())
        for spots in values.blocks():
            _update(digest, values[spots].reshape(-1), "<f8")
        return digest.hexdigest()
    if hasattr(values, "toarray"):
        values = values.toarray()
    array = np.asarray(values)
    digest = hashlib.sha256(repr(array.shape).encode())
    flat = array.reshape(-1)
    for start in range(0, len(flat), _CHUNK_VALUES):
        _update(digest, flat[start : start + _CHUNK_VALUES], "<f8")
    return digest.hexdigest()


def _counts_hash(
    counts: Any, control: RunControl, stage: str
) -> Generator[Progress, None, str]:
    """Return a SHA-256 of a matrix of counts, hashed by rows."""
    from scipy import sparse

    if sparse.issparse(counts) and counts.format != "csr":
        counts = counts.tocsr()  # rows of others are slow to take
    # Not by the type of the largest count, which would take a pass of its own.
    take = counts.long_rows if isinstance(counts, StoredCounts) else counts.__getitem__
    n_spots, n_genes = counts.shape
    rows = max(1, _CHUNK_VALUES // max(n_genes, 1))
    # Apart, so that the number of rows in a chunk makes no difference.
    lengths, genes, values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    told = time.monotonic()
    for start in range(0, n_spots, rows):
        control.check()
        part = _canonical(take(slice(start, start + rows)))
        _update(lengths, np.diff(part.indptr), "<i8")
        _update(genes, part.indices, "<i4")
        _update(values, part.data, "<f8")
        if time.monotonic() - told > _SECONDS_BETWEEN_EVENTS:
            told = time.monotonic()
            yield Progress(stage, start, n_spots, "Hashing counts")
    whole = hashlib.sha256(f"{n_spots} {n_genes}".encode())
    for digest in (lengths, genes, values):
        whole.update(digest.digest())
    return whole.hexdigest()


def _canonical(rows: Any) -> sparse.csr_matrix:
    """Return rows by gene, each gene once and no zero among them."""
    from scipy import sparse

    from napari_semst.prepare.normalise import canonical_csr

    part = canonical_csr(sparse.csr_matrix(rows))
    if part.nnz and not part.data.all():
        part = part.copy()
        part.eliminate_zeros()
    return part


def _update(digest: Any, values: NDArray[Any], kind: str) -> None:
    digest.update(np.ascontiguousarray(values, dtype=kind).data)
