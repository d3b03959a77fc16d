"""Spot embeddings that were computed elsewhere, for instance the authors' .npy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.semantics.archive import UNREADABLE
from napari_semst.semantics.numbers import is_text_table, read_numbers, user_path
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
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class Precomputed:
    """Give back an array of one row per spot, after checking it.

    Parameters
    ----------
    embedding
        The array, shape ``(n_spots, n_dimensions)``, or the path of a ``.npy``,
        ``.npz``, ``.safetensors``, ``.csv`` or ``.tsv`` file that holds it and nothing
        else; a table of text may begin with a column of the spots' names.
    label
        What to record as its origin, for instance the obsm key; the file's name if
        None.
    spots
        Names of the spots in their order: a file that names its rows is then brought
        into this order. Files without names are taken row by row.

    Raises
    ------
    SemanticsError
        If the file cannot be read.
    """

    name = "precomputed"

    def __init__(
        self,
        embedding: ArrayLike | Path | str,
        *,
        label: str | None = None,
        spots: Sequence[str] | None = None,
    ) -> None:
        if isinstance(embedding, str | Path):
            path = user_path(embedding)
            self._label = label or path.name
            if is_text_table(path):
                self._array = _in_order(*read_numbers(path), spots, path.name)
            else:
                self._array = read_array(path)
        else:
            self._label = label or "array"
            self._array = np.asarray(embedding)

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


def _in_order(
    names: Sequence[str] | None,
    values: NDArray[np.float64],
    spots: Sequence[str] | None,
    file: str,
) -> NDArray[np.float64]:
    """Return the rows in the order of the spots, where both are named."""
    if names is None or spots is None:
        return values
    rows = {name: row for row, name in enumerate(names)}
    if len(rows) < len(names):
        raise SemanticsError(
            f"Expected every spot once in {file}; {len(names) - len(rows)} of "
            f"{len(names)} rows repeat a name. Remove them."
        )
    missing = [str(spot) for spot in spots if str(spot) not in rows]
    if missing:
        raise SemanticsError(
            f"Expected a row for each of {len(spots)} spots in {file}; {len(missing)} "
            f"have none, for instance {missing[0]}. Compute the embedding for the "
            "spots of this section; where rows are in their order, leave names out."
        )
    return values[[rows[str(spot)] for spot in spots]]


def read_array(path: Path, suffix: str = "") -> NDArray[Any]:
    """Return the array of a file of numbers; pickles are never loaded.

    Parameters
    ----------
    path
        A ``.npy``, ``.npz`` or ``.safetensors`` file.
    suffix
        Which of them it is, where its name does not say so.

    Raises
    ------
    SemanticsError
        If the file is missing, damaged, of another kind, or holds several arrays.
    """
    kind = (suffix or path.suffix).lower()
    if kind not in {".npy", ".npz", ".safetensors"}:
        raise SemanticsError(
            "Expected a .npy, .npz, .safetensors, .csv or .tsv file; found "
            f"{path.name}. Pickled files are refused because opening one can run code: "
            "save the array with numpy.save."
        )
    if not path.is_file():
        raise SemanticsError(
            f"Expected an embedding file; {path} does not exist. Check the path."
        )
    if kind == ".safetensors":
        return _read_safetensors(path)
    try:
        # Opened here: numpy leaves the file open where it is damaged.
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return np.asarray(loaded[_only_name(loaded.files, path)])
    except UNREADABLE as error:
        raise SemanticsError(
            f"Expected an array of numbers in {path.name}; could not read it: {error}. "
            "It may be damaged: copy it again, or save it again with numpy.save."
        ) from error


def _read_safetensors(path: Path) -> NDArray[Any]:
    """Return the one array of a ``.safetensors`` file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as held:
            return np.asarray(held.get_tensor(_only_name(list(held.keys()), path)))
    # TypeError: numbers that numpy does not know, as bfloat16.
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise SemanticsError(
            f"Expected an array of numbers in {path.name}; could not read it: {error}. "
            "It may be damaged, or hold numbers that numpy does not know: save it "
            "again, as float32."
        ) from error


def _only_name(names: list[str], path: Path) -> str:
    """Return the name of the one array of an npz file."""
    if len(names) == 1:
        return names[0]
    raise SemanticsError(
        f"Expected one array in {path.name}; found {', '.join(names) or 'nothing'}. "
        "Save the embedding alone with numpy.save."
    )
