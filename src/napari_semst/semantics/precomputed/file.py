"""Files of one vector per spot that say whose they are, and how they were made.

Beside the array, ``.npz`` and ``.safetensors`` hold the spots' names as bytes and a
record as JSON. Neither is ever a Python object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.core.json_text import parse_json
from napari_semst.core.numpy_files import load_numpy
from napari_semst.errors import SemanticsError
from napari_semst.genes.table import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FILE_FORMAT = "napari-semst embedding 1"
EMBEDDING = "embedding"
SPOTS = "spots"
LISTED = "listed"
ABOUT = "provenance"
_APART = "\0"  # in no name that a file of tissue can hold
_LONGEST_TEXT = 2000
_LARGEST_RECORD = 1_000_000
_DEEPEST = 6


class EmbeddingFile(NamedTuple):
    """What a file of an embedding holds.

    Parameters
    ----------
    array
        Shape ``(n_spots, n_dimensions)``.
    spots
        Their names, or `None`.
    about
        How it was made; empty where the file does not say so.
    listed
        Which genes the spots list first, see `listed_genes`; `None` where not told.
    """

    array: NDArray[Any]
    spots: list[str] | None
    about: dict[str, Any]
    listed: NDArray[np.uint32] | None = None


def names_as_bytes(names: Sequence[str]) -> NDArray[np.uint8]:
    """Return names as one array of bytes; none of them may hold a zero byte."""
    return np.frombuffer(_APART.join(map(str, names)).encode(), np.uint8)


def names_from_bytes(held: NDArray[Any], n_names: int) -> list[str]:
    """Return the names that an array of bytes holds, or raise `SemanticsError`."""
    try:
        if held.dtype != np.uint8:
            raise ValueError
        names = held.tobytes().decode().split(_APART)
    except ValueError:
        names = []
    if len(names) != n_names:
        raise SemanticsError(
            f"Expected the names of {n_names} spots in a file of an embedding; found "
            "something else. It is damaged: write it again with `semst embed`."
        )
    return names


def parse_record(text: str) -> dict[str, Any]:
    """Return the record that a JSON text holds, or raise `SemanticsError`.

    Texts lose what is not printable, and all beyond 2,000 letters.
    """
    try:
        if len(text) > _LARGEST_RECORD:
            raise ValueError
        record = parse_json(text)
        if not isinstance(record, dict):
            raise ValueError
        return {str(_safe(name)): _safe(value) for name, value in record.items()}
    except ValueError:
        raise SemanticsError(
            "Expected a record of how it was made in a file of an embedding; found "
            "something else. It is damaged: write it again with `semst embed`."
        ) from None


def split_warnings(about: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a record without its warnings, and these."""
    warnings = about.get("warnings", [])
    known = {name: value for name, value in about.items() if name != "warnings"}
    return known, [str(one) for one in warnings] if isinstance(warnings, list) else []


def _safe(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ValueError
    if isinstance(value, str):
        line = "".join(one if one.isprintable() else " " for one in value)
        return line[:_LONGEST_TEXT]
    if isinstance(value, dict):
        return {str(_safe(k)): _safe(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_safe(one, depth + 1) for one in value]
    return value


def read_embedding_file(path: Path, suffix: str = "") -> EmbeddingFile:
    """Return what a file of numbers holds; pickles are never loaded.

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
            loaded = load_numpy(stream)
            if isinstance(loaded, np.ndarray):
                return EmbeddingFile(loaded, None, {})
            with loaded:
                if {EMBEDDING, SPOTS, ABOUT} != set(loaded.files) - {LISTED}:
                    alone = np.asarray(loaded[_only_name(loaded.files, path)])
                    return EmbeddingFile(alone, None, {})
                about = loaded[ABOUT].tobytes().decode()
                genes = loaded[LISTED] if LISTED in loaded.files else None
                return _held(loaded[EMBEDDING], loaded[SPOTS], about, genes)
    except UNREADABLE as error:
        raise SemanticsError(
            f"Expected an array of numbers in {path.name}; could not read it: {error}. "
            "It may be damaged: copy it again, or save it again with numpy.save."
        ) from error


def _read_safetensors(path: Path) -> EmbeddingFile:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as held:
            about = held.metadata() or {}
            if about.get("kind") != FILE_FORMAT:
                alone = held.get_tensor(_only_name(list(held.keys()), path))
                return EmbeddingFile(np.asarray(alone), None, {})
            genes = held.get_tensor(LISTED) if LISTED in list(held.keys()) else None
            return _held(
                held.get_tensor(EMBEDDING), held.get_tensor(SPOTS), about[ABOUT], genes
            )
    # TypeError: numbers that numpy does not know, as bfloat16.
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise SemanticsError(
            f"Expected an array of numbers in {path.name}; could not read it: {error}. "
            "It may be damaged, or hold numbers that numpy does not know: save it "
            "again, as float32."
        ) from error


def _held(
    array: NDArray[Any], spots: NDArray[Any], about: str, genes: NDArray[Any] | None
) -> EmbeddingFile:
    names = names_from_bytes(spots, len(array)) if spots.size else None
    return EmbeddingFile(
        array, names, parse_record(about), parse_first_genes(genes, len(array))
    )


def parse_first_genes(
    genes: NDArray[Any] | None, n_spots: int
) -> NDArray[np.uint32] | None:
    """Return which genes spots list first, or raise `SemanticsError`."""
    if genes is None or not genes.size:
        return None
    if genes.dtype != np.uint32 or genes.ndim != 2 or len(genes) != n_spots:
        raise SemanticsError(
            f"Expected the genes that {n_spots} spots list first in a file of an "
            "embedding; found something else. It is damaged: write it again with "
            "`semst embed`."
        )
    return genes


def _only_name(names: list[str], path: Path) -> str:
    """Return the name of the one array of an npz file."""
    if len(names) == 1:
        return names[0]
    raise SemanticsError(
        f"Expected one array in {path.name}; found {', '.join(names) or 'nothing'}. "
        "Save the embedding alone with numpy.save."
    )
