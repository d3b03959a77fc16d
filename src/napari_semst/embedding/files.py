"""Files of embeddings: whole ones, and shares that are still to be merged."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.json_text import parse_json
from napari_semst.embedding.embed import EmbeddingShare
from napari_semst.errors import InputError, SaveError, SemanticsError
from napari_semst.semantics.precomputed.file import (
    ABOUT,
    EMBEDDING,
    FILE_FORMAT,
    LISTED,
    SPOTS,
    names_as_bytes,
    names_from_bytes,
    read_embedding_file,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = (".npy", ".npz", ".safetensors")
_KIND = "napari-semst share 3"
_ARRAYS = ("spots", "rows", "vectors", "coverage", "listed", "probe")


def share_path(output: Path, number: int, of: int) -> Path:
    """Return where a share of an embedding is written, beside the whole."""
    return output.with_name(f"{output.stem}.{number}-of-{of}.safetensors")


def find_shares(output: Path) -> list[Path]:
    """Return the shares that lie beside the place of the whole, in their order.

    Raises
    ------
    InputError
        If there are shares of several numbers of shares.
    """
    named = re.compile(
        re.escape(output.stem) + r"\.(\d+)-of-(\d+)\.safetensors", re.ASCII
    )
    by_count: dict[int, dict[int, Path]] = {}
    for file in output.absolute().parent.iterdir():
        if (match := named.fullmatch(file.name)) is not None:
            number, of = map(int, match.groups())
            by_count.setdefault(of, {})[number] = file
    if len(by_count) > 1:
        listing = "; ".join(
            f"of {of}: {', '.join(shares[number].name for number in sorted(shares))}"
            for of, shares in sorted(by_count.items())
        )
        raise InputError(
            f"Expected the shares of one number of shares beside {output}; found "
            f"several ({listing}). Remove those that are not wanted, or name the files "
            "after --merge."
        )
    return [shares[number] for shares in by_count.values() for number in sorted(shares)]


def write_embedding(
    embedding: NDArray[np.float32],
    output: Path,
    provenance: Mapping[str, Any],
    spots: Sequence[str],
    *,
    overwrite: bool,
    listed: NDArray[np.uint32] | None = None,
) -> Path:
    """Write an embedding whole, or raise `SaveError`; `precomputed` reads it.

    All but ``.npy`` also keep names and provenance.

    Parameters
    ----------
    embedding
        Shape ``(n_spots, n_dimensions)``.
    output
        Ends in one of `SUFFIXES`.
    spots
        Names of the rows, or nothing.
    overwrite
        Whether a file that stands there may be replaced.
    listed
        Which genes the spots list first, as `compatibility.first_genes` has it: by it a
        run knows a file of another section.
    """
    from safetensors.numpy import save_file

    from napari_semst.io.export.atomic import write_atomically

    about = json.dumps(provenance, sort_keys=True)
    names = names_as_bytes(spots)

    held: dict[str, NDArray[Any]] = {EMBEDDING: embedding, SPOTS: names}
    if listed is not None:
        held[LISTED] = listed

    def write(file: Path) -> None:
        if output.suffix.lower() == ".safetensors":
            save_file(held, file, {"kind": FILE_FORMAT, ABOUT: about})
            return
        # numpy adds an ending to names that lack it, but not to open files.
        with file.open("wb") as stream:
            if output.suffix.lower() == ".npz":
                record = np.frombuffer(about.encode(), np.uint8)
                packed: dict[str, Any] = {**held, ABOUT: record}
                np.savez(stream, **packed)
            else:
                np.save(stream, embedding)

    def check(file: Path) -> None:
        written = read_embedding_file(file, output.suffix)
        named = written.spots is None or written.spots == list(spots)
        if not (named and np.array_equal(written.array, embedding)):
            raise SaveError(f"Expected {output.name} to read back the same.")

    return write_atomically(
        output,
        write,
        check,
        overwrite=overwrite,
        suffix=output.suffix,
        least_free=sum(array.nbytes for array in held.values()) + len(about) + 4096,
    )


def write_share(share: EmbeddingShare, file: Path, *, overwrite: bool) -> Path:
    """Write a share whole, or raise `SaveError`."""
    from safetensors.numpy import save_file

    from napari_semst.io.export.atomic import write_atomically

    held = {name: getattr(share, name) for name in _ARRAYS}
    held["names"] = names_as_bytes(share.names)
    about = {
        "kind": _KIND,
        "share": f"{share.number}/{share.of}",
        "n_spots": str(share.n_spots),
        "fingerprint": share.fingerprint,
        "provenance": json.dumps(share.provenance, sort_keys=True),
    }

    def check(written: Path) -> None:
        read_back = read_share(written)
        if not np.array_equal(read_back.vectors, share.vectors):
            raise SaveError(f"Expected {file.name} to read back the same.")

    return write_atomically(
        file,
        lambda place: save_file(held, place, about),
        check,
        overwrite=overwrite,
        suffix=".safetensors",
        least_free=sum(array.nbytes for array in held.values()) + 4096,
    )


def read_share(file: Path) -> EmbeddingShare:
    """Return the share that a file holds, or raise `InputError`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as held:
            about = held.metadata() or {}
            if about.get("kind") != _KIND:
                raise ValueError("it is another kind of file")
            number, of = map(int, about["share"].split("/"))
            n_spots = int(about["n_spots"])
            named = held.get_tensor("names")
            return EmbeddingShare(
                number,
                of,
                n_spots,
                **{name: held.get_tensor(name) for name in _ARRAYS},
                names=names_from_bytes(named, n_spots) if named.size else [],
                fingerprint=about["fingerprint"],
                provenance=parse_json(about["provenance"]),
            )
    # TypeError: numbers that numpy does not know, or of another kind than they were.
    except (
        *(OSError, ValueError, KeyError, TypeError),
        *(AttributeError, SafetensorError, SemanticsError),
    ) as error:
        raise InputError(
            f"Expected a share of an embedding in {file}, as `semst embed --shard` "
            f"writes it; could not read it: {error}. Compute it again."
        ) from error
