"""Signatures in files: numbers and names alone, versioned, with a checksum."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import numpy as np

from napari_semst.core.json_text import parse_json
from napari_semst.core.numpy_files import load_numpy
from napari_semst.errors import InputError, SaveError
from napari_semst.genes.table import UNREADABLE
from napari_semst.io.export.atomic import write_atomically
from napari_semst.transfer.signature import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

ENDING = ".npz"
FORMAT = "napari-semst signature"
VERSION = 1
_ARRAYS = (
    "labels",
    "genes",
    "gene_ids",
    "scores",
    "mean_expression",
    "n_spots",
    "about",
)
_CHECKSUM = "sha256"
_SPECIES = ("human", "mouse", "human and mouse", "other")
# No tissue has more; what declares more is damaged or means harm.
_MOST_LABELS, _MOST_GENES, _LARGEST_RECORD = 2_000, 500_000, 1_000_000
_LONGEST_NAME, _LONGEST_TEXT, _DEEPEST = 200, 2_000, 6
# Half precision keeps three digits, more than a section's signature is sure of.
_STORED = np.dtype("<f2")
_LARGEST_SCORE = 60_000.0


def save_signature(
    signature: Signature, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a signature as ``.npz``, to be read in place of its reference.

    It holds a mean per name and gene, and no counts of any spot.

    Parameters
    ----------
    signature
        As ``make_signature`` returns it.
    path
        Where to, ending in ``.npz``.
    overwrite
        Whether a file that stands there may be replaced.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SaveError
        If the place cannot be written, or the file did not read back the same.
    """
    arrays = _packed(signature)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]

    def check(temporary: Path) -> None:
        back = _packed(load_signature(temporary))
        if any(not np.array_equal(back[name], arrays[name]) for name in arrays):
            raise SaveError(
                "Expected the signature to read back the same; it differs. Nothing was "
                "changed; save again, or to another disk."
            )

    return write_atomically(path, write, check, overwrite=overwrite, suffix=ENDING)


def load_signature(path: str | Path) -> Signature:
    """Return the signature that a file holds; nothing pickled is ever loaded.

    Raises
    ------
    InputError
        If the file is missing, of another kind or a later version, or damaged.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise InputError(
            f"Expected a signature file; {place} does not exist. Check the path."
        )
    with place.open("rb") as stream:
        return read_signature(stream, place.name)


def read_signature(stream: IO[bytes], name: str) -> Signature:
    """Return the signature of an open file, or raise `InputError`.

    Parameters
    ----------
    stream
        The file, open for reading bytes.
    name
        What the file is called in sentences.
    """
    try:
        loaded = load_numpy(stream)
        if isinstance(loaded, np.ndarray):
            raise ValueError("it is a single array")
        with loaded:
            if set(loaded.files) != {*_ARRAYS, _CHECKSUM}:
                _refuse_other(loaded.files, name)
            arrays = {key: np.asarray(loaded[key]) for key in (*_ARRAYS, _CHECKSUM)}
    except UNREADABLE as error:
        raise InputError(
            f"Expected a signature file (.npz of `semst signature`) in {name}; could "
            f"not read it: {error}. It is damaged or another kind of file: copy it "
            "again, or make it again."
        ) from error
    return _checked(arrays, name)


def is_signature_file(path: Path) -> bool:
    """Return whether a path is called as signature files are."""
    return path.suffix.lower() == ENDING and not path.is_dir()


def signature_checksum(signature: Signature) -> str:
    """Return the SHA-256 under which a signature's file stands."""
    return _digest(_packed(signature))


def _packed(signature: Signature) -> dict[str, NDArray[Any]]:
    """Return the arrays of a signature's file."""
    scores = np.asarray(signature.scores, dtype=np.float64)
    limit = _LARGEST_SCORE
    about = {
        "format": FORMAT,
        "version": VERSION,
        "species": signature.species,
        "provenance": _plain(signature.provenance),
    }
    arrays: dict[str, NDArray[Any]] = {
        "labels": _as_bytes(signature.labels),
        "genes": _as_bytes(signature.genes),
        "gene_ids": _as_bytes(signature.gene_ids),
        "scores": np.clip(scores, -limit, limit).astype(_STORED),
        "mean_expression": np.clip(
            np.asarray(signature.mean_expression, np.float64), 0, limit
        ).astype(_STORED),
        "n_spots": np.asarray(signature.n_spots, dtype="<i8"),
        "about": np.frombuffer(
            json.dumps(about, sort_keys=True, allow_nan=False).encode(), np.uint8
        ),
    }
    arrays[_CHECKSUM] = np.frombuffer(_digest(arrays).encode(), np.uint8)
    return arrays


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in _ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _checked(arrays: Mapping[str, NDArray[Any]], name: str) -> Signature:
    """Return the signature of a file's arrays, each of which is looked at."""
    if arrays[_CHECKSUM].tobytes().decode("ascii", "replace") != _digest(arrays):
        _refuse(name, "its checksum is that of other contents")
    about = _about(arrays["about"], name)
    labels = _names(arrays["labels"], name, "names")
    # Panels name a gene twice where two probes stand for it.
    genes = _names(arrays["genes"], name, "genes", repeated=True)
    shape = (len(labels), len(genes))
    expected = {
        "scores": (shape, _STORED),
        "mean_expression": ((shape[1],), _STORED),
        "n_spots": ((shape[0],), np.dtype("<i8")),
    }
    for key, (size, kind) in expected.items():
        if arrays[key].shape != size or arrays[key].dtype != kind:
            _refuse(name, f"{key} has shape {arrays[key].shape}, expected {size}")
        if not np.isfinite(arrays[key]).all():
            _refuse(name, f"{key} holds values that are no numbers")
    if not (2 <= shape[0] <= _MOST_LABELS and 1 <= shape[1] <= _MOST_GENES):
        _refuse(name, f"it holds {shape[0]} names and {shape[1]} genes")
    if (arrays["n_spots"] < 1).any() or (arrays["mean_expression"] < 0).any():
        _refuse(name, "it holds counts of spots or means below what can be")
    return Signature(
        labels=labels,
        genes=genes,
        species=about["species"],
        scores=arrays["scores"].astype(np.float32),
        mean_expression=arrays["mean_expression"].astype(np.float32),
        n_spots=arrays["n_spots"].astype(np.int64),
        provenance=about["provenance"],
        gene_ids=_ids(arrays["gene_ids"], len(genes), name),
    )


def _about(held: NDArray[Any], name: str) -> dict[str, Any]:
    """Return what a file says of itself."""
    try:
        if held.dtype != np.uint8 or held.size > _LARGEST_RECORD:
            raise ValueError
        told = parse_json(held.tobytes().decode())
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise ValueError
        version = told.get("version")
        if not isinstance(version, int):
            raise ValueError
        species, provenance = told.get("species"), told.get("provenance")
        if version == VERSION and (
            species not in _SPECIES or not isinstance(provenance, dict)
        ):
            raise ValueError
    except ValueError:
        _refuse(name, "what it says of itself cannot be read")
    if version != VERSION:
        raise InputError(
            f"Expected a signature of version {VERSION} in {name}; found version "
            f"{version}. Update napari-semst, or make the signature again."
        )
    return {"species": species, "provenance": _plain(provenance)}


def _names(
    held: NDArray[Any], name: str, what: str, *, repeated: bool = False
) -> tuple[str, ...]:
    try:
        if held.dtype != np.uint8 or held.ndim != 1:
            raise ValueError
        names = tuple(held.tobytes().decode().split("\n"))
    except ValueError:
        _refuse(name, f"its {what} cannot be read")
    usual = all(
        n.strip() and n.isprintable() and len(n) <= _LONGEST_NAME for n in names
    )
    if not usual or (not repeated and len(set(names)) != len(names)):
        _refuse(name, f"its {what} are empty, repeated or no text")
    return names


def _ids(held: NDArray[Any], n_genes: int, name: str) -> tuple[str, ...]:
    """Return the ids of genes, empty texts among them, or none at all."""
    if held.dtype == np.uint8 and not held.size:
        return ()
    try:
        if held.dtype != np.uint8 or held.ndim != 1:
            raise ValueError
        ids = tuple(held.tobytes().decode().split("\n"))
    except ValueError:
        _refuse(name, "its ids of genes cannot be read")
    usual = all(not n or (n.isprintable() and len(n) <= _LONGEST_NAME) for n in ids)
    if not usual or len(ids) != n_genes:
        _refuse(name, "its ids of genes are not one for each")
    return ids


def _as_bytes(names: Sequence[str] | NDArray[np.str_]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(map(str, names)).encode(), np.uint8)


def _plain(value: Any, depth: int = 0) -> Any:
    """Return nested plain values, texts printable and not endless."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, dict):
        return {str(_plain(str(k))): _plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return ""
    if value is None or isinstance(value, bool | int | float):
        return value
    line = "".join(one if one.isprintable() else " " for one in str(value))
    return line[:_LONGEST_TEXT]


def _refuse_other(names: list[str], file: str) -> NoReturn:
    found = ", ".join(sorted(names)[:5]) or "nothing"
    raise InputError(
        f"Expected a signature file, as `semst signature` writes it, in {file}; found "
        f"an archive of {found}. Give another file, or the annotated section itself."
    )


def _refuse(name: str, why: str) -> NoReturn:
    raise InputError(
        f"Expected the signature {name} to be whole; {why}. It is damaged or was "
        "changed: copy it again, or make it again with `semst signature`."
    )
