"""HDF5 files that hold what they say, and nothing of other files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from napari_semst.core.memory import (
    MOST_SHRUNK,
    MOST_SHRUNK_BY_OTHERS,
    declares_too_much,
)
from napari_semst.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ITSELF = "."
# Numbers of HDF5: Deflate, shuffling, checksums, SZIP, and LZF of h5py.
_USUAL_PACKING = (1, 2, 3, 4, 32000)


@contextmanager
def open_hdf5(
    path: Path,
    what: str,
    content: IO[bytes] | Path | None = None,
    *,
    datasets: bool = True,
) -> Iterator[Any]:
    """Open a file for reading once nothing in it leads elsewhere.

    Parameters
    ----------
    path, what
        The file, and what it should be, as a user says it.
    content
        Where its bytes are, if not at the path.
    datasets
        Whether every dataset is looked at; of many thousands only those that are read
        should be, with `check_dataset`.

    Raises
    ------
    InputError
        If a link leads to another file, or `check_dataset` refuses a dataset.
    """
    import h5py

    with h5py.File(path if content is None else content, "r") as file:
        check_links(file, path, what)
        if datasets:
            check_datasets(file, path, what)
        yield file


def check_links(file: Any, path: Path, what: str) -> None:
    """Refuse a file with a link to another one.

    HDF5 follows such links without a word, with the rights of the user: a file from
    elsewhere would bring parts of the user's own files into a result.

    Parameters
    ----------
    file
        The open file; none of its values are read.
    path, what
        As for `open_hdf5`.

    Raises
    ------
    InputError
        Naming the link.
    """
    import h5py

    def leads_out(name: bytes | str, about: Any) -> bytes | str | None:
        return name if about.type == h5py.h5l.TYPE_EXTERNAL else None

    link = file.id.links.visit(leads_out, info=True)
    if link is not None:
        raise InputError(_leads_elsewhere(path, what, _text(link), "a link"))


def check_datasets(file: Any, path: Path, what: str) -> int:
    """Return the bytes that all datasets declare, if `check_dataset` refuses none."""
    import h5py

    declared = 0

    def is_wrong(name: bytes | str, about: Any) -> str | None:
        nonlocal declared
        if about.type != h5py.h5o.TYPE_DATASET:
            return None
        held = h5py.h5d.open(file.id, name)
        declared += _declared(held)
        return _what_is_wrong(held, _text(name), path, what)

    # An error raised in there would be lost.
    wrong = h5py.h5o.visit(file.id, is_wrong, info=True)
    if wrong is not None:
        raise InputError(wrong)
    return declared


def _declared(held: Any) -> int:
    n_values = held.get_space().get_simple_extent_npoints()
    return int(n_values * held.get_type().get_size())


def check_dataset(dataset: Any, path: Path, what: str) -> None:
    """Refuse a dataset whose values are in another file, or are not there at all.

    Parameters
    ----------
    dataset
        An open one; its values are not read.
    path, what
        As for `open_hdf5`.

    Raises
    ------
    InputError
        If it is kept elsewhere, maps another file, or declares far more than it holds.
    """
    wrong = _what_is_wrong(dataset.id, dataset.name.lstrip("/"), path, what)
    if wrong is not None:
        raise InputError(wrong)


def _what_is_wrong(held: Any, name: str, path: Path, what: str) -> str | None:
    """Return what to say of a dataset that is kept elsewhere, or not at all."""
    import h5py

    made = held.get_create_plist()
    if made.get_external_count():
        return _leads_elsewhere(path, what, name, "data kept")
    if made.get_layout() == h5py.h5d.VIRTUAL:
        sources = (
            made.get_virtual_filename(n) for n in range(made.get_virtual_count())
        )
        if any(source != _ITSELF for source in sources):
            return _leads_elsewhere(path, what, name, "a virtual dataset")
        return None
    stored = held.get_storage_size()
    declared = _declared(held)
    filters = {made.get_filter(n)[0] for n in range(made.get_nfilters())}
    usual = filters <= {*_USUAL_PACKING}
    shrunk = MOST_SHRUNK if usual else MOST_SHRUNK_BY_OTHERS
    if not declares_too_much(declared, stored, shrunk):
        return None
    return (
        f"Expected {what} {path} to hold what it declares; {name} declares "
        f"{declared / 1e6:,.0f} MB and holds {stored / 1e6:,.1f} MB. It is damaged, or "
        "was never filled: copy or download it again."
    )


def _leads_elsewhere(path: Path, what: str, name: str, how: str) -> str:
    return (
        f"Expected {what} {path} to hold all of its data itself; {name} is {how} in "
        "another file. Nothing was read. If you trust it, save it anew where both "
        "files are, with the data inside."
    )


def _text(name: bytes | str) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name
