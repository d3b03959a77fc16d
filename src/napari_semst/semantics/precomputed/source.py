"""Spot embeddings that were computed elsewhere, for instance the authors' .npy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.io.formats.numeric_tables import (
    is_text_table,
    read_numbers,
    user_path,
)
from napari_semst.semantics.base import (
    CancelCheck,
    GeneLists,
    ProgressCallback,
    Semantics,
    check_cancelled,
    provenance_record,
)
from napari_semst.semantics.precomputed.compatibility import compare_first_genes
from napari_semst.semantics.precomputed.file import read_embedding_file, split_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_semst.genes.gene_names import Species


class Precomputed:
    """Give back an array of one row per spot, after checking it.

    Parameters
    ----------
    embedding
        The array, shape ``(n_spots, n_dimensions)``, or the path of a ``.npy``,
        ``.npz``, ``.safetensors``, ``.csv`` or ``.tsv`` file that holds it and nothing
        else; a table of text may begin with a column of the spots' names. Files of
        ``semst embed`` also hold names and how they were made.
    label
        What to record as its origin, for instance the obsm key; the file's name if
        None.
    spots
        Names of the spots in their order: a file that names its rows is then brought
        into this order. Files without names are taken row by row.
    about
        How the array was made, where it is known.
    listed
        Which genes its spots listed first, see `listed_genes`; files of ``semst embed``
        say so.

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
        about: Mapping[str, Any] | None = None,
        listed: NDArray[np.uint32] | None = None,
    ) -> None:
        self._about, self._listed = dict(about or {}), listed
        self._told: list[str] = []
        if isinstance(embedding, str | Path):
            path = user_path(embedding)
            self._label = label or path.name
            if is_text_table(path):
                names, values = read_numbers(path)
                rows = _place(names, spots, path.name)
                self._array = values if rows is None else values[rows]
            else:
                held = read_embedding_file(path)
                names, rows = held.spots, _place(held.spots, spots, path.name)
                self._array = held.array if rows is None else held.array[rows]
                self._about, self._listed = held.about, held.listed
                if rows is not None and held.listed is not None:
                    self._listed = held.listed[rows]
            if names is not None and len(names) > len(self._array):
                self._told.append(
                    f"{len(names) - len(self._array)} of {len(names)} rows of "
                    f"{path.name} are of no spot of this section; they are left out. "
                    "If you expected none, check that it is the right file."
                )
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
            The number of spots, and what a file of ``semst embed`` is compared with.
        weights, species
            Not used.

        Raises
        ------
        SemanticsError
            If the array is not 2-D, numeric and finite, has other rows than spots, or
            is of another section.
        """
        check_cancelled(cancelled)
        embedding = self._checked(gene_lists.n_spots)
        if progress is not None:
            progress(gene_lists.n_spots, gene_lists.n_spots)
        digest = hashlib.sha256(np.ascontiguousarray(embedding).data).hexdigest()
        about, warnings = split_warnings(self._about)
        warnings += self._told
        if self._listed is not None:
            note = compare_first_genes(self._listed, gene_lists, about, self._label)
            warnings += [note] if note else []
        more = {"control": about["control"]} if "control" in about else {}
        if about:
            more["computed_by"] = about
        return Semantics(
            embedding=embedding,
            coverage=np.ones(gene_lists.n_spots, dtype=np.float32),
            provenance=provenance_record(
                source=self.name,
                model=self._label,
                revision=f"sha256:{digest[:16]}",
                pooling="precomputed",
                coverage=None,
                species=species,
                warnings=warnings,
                **more,
            ),
        )

    def rows(self, spots: NDArray[np.integer[Any]], of: int) -> dict[str, Any]:
        """Return the options of a source of some of the spots.

        Parameters
        ----------
        spots
            Their rows, shape ``(n_some,)``.
        of
            Spots in all.

        Raises
        ------
        SemanticsError
            If the array is not one row per spot.
        """
        self._check_shape(of)
        about = {**self._about}
        if self._told:
            about["warnings"] = [*split_warnings(about)[1], *self._told]
        return {
            "embedding": self._array[spots],
            "label": self._label,
            "about": about,
            "listed": None if self._listed is None else self._listed[spots],
        }

    @property
    def _where(self) -> str:
        return f"the precomputed embedding ({self._label})"

    def _check_shape(self, n_spots: int) -> None:
        """Refuse what is not one row of numbers per spot."""
        array, where = self._array, self._where
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

    def _checked(self, n_spots: int) -> NDArray[np.float32]:
        """Return the array as float32, or say what is wrong with it."""
        self._check_shape(n_spots)
        with np.errstate(over="ignore"):  # overflow is reported below
            embedding = np.ascontiguousarray(self._array, dtype=np.float32)
        bad = int((~np.isfinite(embedding)).any(axis=1).sum())
        if bad:
            raise SemanticsError(
                f"Expected finite numbers in {self._where}; {bad} of {n_spots} rows "
                "hold NaN or infinity. Fill or remove those spots."
            )
        if not embedding.any():
            raise SemanticsError(
                f"Expected {self._where} to say something of spots; all numbers are "
                "zero. Compute the embedding again."
            )
        return embedding


def _place(
    names: Sequence[str] | None, spots: Sequence[str] | None, file: str
) -> NDArray[np.intp] | None:
    """Return the row of each spot where both are named; `None`: as they are."""
    import pandas

    if names is None or spots is None:
        return None
    rows, wanted = pandas.Index(names), pandas.Index([str(spot) for spot in spots])
    if rows.equals(wanted):
        return None
    if not rows.is_unique:
        repeated = int(rows.duplicated().sum())
        raise SemanticsError(
            f"Expected every spot once in {file}; {repeated} of {len(names)} rows "
            "repeat a name. Remove them."
        )
    place: NDArray[np.intp] = rows.get_indexer(wanted)
    missing = np.flatnonzero(place < 0)
    if len(missing):
        raise SemanticsError(
            f"Expected a row for each of {len(wanted)} spots in {file}; {len(missing)} "
            f"have none, for instance {wanted[missing[0]]} (its rows are named "
            f"{', '.join(map(str, rows[:2]))}, ...). Compute the embedding for the "
            "spots of this section; where rows are in their order, leave names out: "
            "save the array alone as .npy."
        )
    return place
