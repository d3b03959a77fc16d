"""HDF5 files that hold what they say, and nothing of other files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Packing shrinks to a thousandth at best. What declares more than that of its bytes
# was never written: reading it would fill the memory with nothing.
_MOST_SHRUNK = 1200
_HARMLESS = 64 * 2**20
_ITSELF = "."


@contextmanager
def open_hdf5(
    path: Path, what: str, content: IO[bytes] | Path | None = None
) -> Iterator[Any]:
    """Open a file for reading once nothing in it leads elsewhere.

    Parameters
    ----------
    path, what
        The file, and what it should be, as a user says it.
    content
        Where its bytes are, if not at the path.

    Raises
    ------
    InputError
        As `check_hdf5`.
    """
    import h5py

    with h5py.File(path if content is None else content, "r") as file:
        check_hdf5(file, path, what)
        yield file


def check_hdf5(file: Any, path: Path, what: str) -> None:
    """Refuse a file that takes data from other files, or declares what it has not.

    HDF5 follows such links and mappings without a word, with the rights of the user: a
    file from elsewhere would bring parts of the user's own files into a result.

    Parameters
    ----------
    file
        The open file; none of its values are read.
    path, what
        As for `open_hdf5`.

    Raises
    ------
    InputError
        If a link, a dataset kept elsewhere or a virtual dataset names another file, or
        a dataset declares far more than is there.
    """
    import h5py

    def leads_out(name: bytes | str, about: Any) -> bytes | str | None:
        return name if about.type == h5py.h5l.TYPE_EXTERNAL else None

    def look_at(name: str, held: Any) -> None:
        if not isinstance(held, h5py.Dataset):
            return
        if held.external:
            raise InputError(_leads_elsewhere(path, what, name, "data kept"))
        if held.is_virtual:
            for source in held.virtual_sources():
                if source.file_name != _ITSELF:
                    raise InputError(
                        _leads_elsewhere(path, what, name, "a virtual dataset")
                    )
            return
        stored = held.id.get_storage_size()
        if held.nbytes > _MOST_SHRUNK * stored + _HARMLESS:
            raise InputError(
                f"Expected {what} {path} to hold what it declares; {name} declares "
                f"{held.nbytes / 1e6:,.0f} MB and holds {stored / 1e6:,.1f} MB. It is "
                "damaged, or was never filled: copy or download it again."
            )

    link = file.id.links.visit(leads_out, info=True)
    if link is not None:
        raise InputError(_leads_elsewhere(path, what, _text(link), "a link"))
    file.visititems(look_at)


def _leads_elsewhere(path: Path, what: str, name: str, how: str) -> str:
    return (
        f"Expected {what} {path} to hold all of its data itself; {name} is {how} in "
        "another file. Nothing was read. If you trust it, save it anew where both "
        "files are, with the data inside."
    )


def _text(name: bytes | str) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name
