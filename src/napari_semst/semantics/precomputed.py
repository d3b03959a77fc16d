"""Spot embeddings that were computed elsewhere, for instance the authors' .npy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.semantics.protocol import (
    CancelCheck,
    GeneLists,
    ProgressCallback,
    Semantics,
    Species,
    check_cancelled,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray


class Precomputed:
    """Give back an array of one row per spot, after checking it.

    Parameters
    ----------
    embedding
        The array, shape ``(n_spots, n_dimensions)``, or the path of a ``.npy`` or
        ``.npz`` file that holds it.
    key
        Name of the array in an ``.npz`` file; needed if it holds several.
    label
        What to record as its origin; the file's name if None.
    """

    name = "precomputed"

    def __init__(
        self,
        embedding: ArrayLike | Path | str,
        *,
        key: str | None = None,
        label: str | None = None,
    ) -> None:
        if isinstance(embedding, str | Path):
            path = Path(embedding)
            self._label = label or path.name
            self._array = read_array(path, key)
        else:
            self._label = label or "array"
            self._array = np.asarray(embedding)

    @classmethod
    def from_obsm(cls, obsm: Mapping[str, Any], key: str) -> Precomputed:
        """Return the source that reads ``obsm[key]``.

        Raises
        ------
        SemanticsError
            If there is no such key.
        """
        if key not in obsm:
            found = ", ".join(sorted(obsm)) or "none"
            raise SemanticsError(
                f"Expected an embedding in obsm[{key!r}]; found obsm keys: {found}. "
                "Pick one of them."
            )
        return cls(obsm[key], label=f"obsm[{key!r}]")

    def embed_spots(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None = None,
        species: Species | None = None,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> Semantics:
        """Return the array, once it fits the spots.

        Parameters
        ----------
        gene_lists
            Used for the number of spots only.
        weights, species
            Not used.
        progress
            Called once with (spots, spots).
        cancelled
            If it returns True, `Cancelled` is raised.

        Raises
        ------
        SemanticsError
            If the array is not 2-D, numeric and finite, or has other rows than spots.
        """
        check_cancelled(cancelled)
        embedding = self._checked(gene_lists.n_spots)
        if progress is not None:
            progress(gene_lists.n_spots, gene_lists.n_spots)
        digest = hashlib.sha256(embedding.tobytes()).hexdigest()
        return Semantics(
            embedding=embedding,
            coverage=np.ones(gene_lists.n_spots, dtype=np.float32),
            provenance=record(
                source=self.name,
                model=self._label,
                revision=f"sha256:{digest[:16]}",
                pooling="precomputed",
                coverage=None,
                species=species,
            ),
        )

    def _checked(self, n_spots: int) -> NDArray[np.float32]:
        """Return the array as float32, or say what is wrong with it."""
        array = self._array
        where = f"the precomputed embedding ({self._label})"
        if array.dtype.kind not in "fiu":
            raise SemanticsError(
                f"Expected numbers in {where}; found type {array.dtype}."
            )
        if array.ndim != 2 or array.shape[1] == 0:
            raise SemanticsError(
                f"Expected {where} to be spots x dimensions; found shape {array.shape}."
            )
        if array.shape[0] != n_spots:
            raise SemanticsError(
                f"Expected {n_spots} rows, one per spot and in their order, in "
                f"{where}; found {array.shape[0]}. Compute it for the spots of this "
                "section."
            )
        with np.errstate(over="ignore"):  # what does not fit is told below
            embedding = np.ascontiguousarray(array, dtype=np.float32)
        bad = int((~np.isfinite(embedding)).any(axis=1).sum())
        if bad:
            raise SemanticsError(
                f"Expected finite numbers in {where}; {bad} of {n_spots} rows hold NaN "
                "or infinity. Fill or remove those spots."
            )
        return embedding


def read_array(path: Path, key: str | None = None) -> NDArray[Any]:
    """Return the array of a ``.npy`` or ``.npz`` file; pickles are never loaded.

    Raises
    ------
    SemanticsError
        If the file is missing, of another kind, or does not say which array is meant.
    """
    if path.suffix.lower() not in {".npy", ".npz"}:
        raise SemanticsError(
            f"Expected a .npy or .npz file; found {path.name}. Pickled files are "
            "refused because opening one can run code: save the array with numpy.save."
        )
    if not path.is_file():
        raise SemanticsError(f"Expected an embedding file; {path} does not exist.")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return np.asarray(loaded[_array_name(loaded.files, key, path)])
    except (OSError, ValueError, EOFError) as error:
        raise SemanticsError(
            f"Expected an array of numbers in {path.name}; could not read it: {error}. "
            "Save it again with numpy.save."
        ) from error


def _array_name(names: list[str], key: str | None, path: Path) -> str:
    """Return the name of the array that is meant in an npz file."""
    if key is None and len(names) == 1:
        return names[0]
    if key in names:
        return str(key)
    wanted = "one array, or the name of one" if key is None else f"an array {key!r}"
    raise SemanticsError(
        f"Expected {wanted}, in {path.name}; found {', '.join(names) or 'nothing'}."
    )
