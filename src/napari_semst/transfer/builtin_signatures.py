"""Signatures that ship with the package: ``builtin:cortex`` and its parts."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from napari_semst.errors import InputError, one_of
from napari_semst.transfer.signature_file import read_signature

if TYPE_CHECKING:
    from napari_semst.transfer.signature import Signature

PREFIX = "builtin:"
# What a name stands for, by the species of the target; the first where that is neither.
_BUILTIN: dict[str, dict[str, str]] = {
    "cortex": {"human": "cortex_human", "mouse": "cortex_mouse"},
    "cortex-human": {"human": "cortex_human"},
    "cortex-mouse": {"mouse": "cortex_mouse"},
}


def builtin_names() -> tuple[str, ...]:
    """Return what can be given in place of a reference."""
    return tuple(PREFIX + name for name in _BUILTIN)


def is_builtin(reference: object) -> bool:
    """Return whether a reference is the name of a signature that ships."""
    return isinstance(reference, str) and reference.startswith(PREFIX)


def check_builtin(reference: str) -> None:
    """Raise `InputError` unless there is a signature of this name."""
    if reference not in builtin_names():
        raise InputError(
            one_of("the signature that ships", reference, builtin_names())
            + " Give one of them, a signature file, or an annotated section."
        )


def builtin_for(reference: str, species: str) -> str:
    """Return the name of the one signature that a name stands for.

    Parameters
    ----------
    reference
        One of `builtin_names`.
    species
        Of the target.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    check_builtin(reference)
    files = _BUILTIN[reference.removeprefix(PREFIX)]
    stem = files.get(species, next(iter(files.values())))
    return PREFIX + stem.replace("_", "-")


def builtin_signature(reference: str, species: str) -> Signature:
    """Return a signature that ships, where there are several that of the species.

    Parameters
    ----------
    reference
        One of `builtin_names`.
    species
        Of the target.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    stem = builtin_for(reference, species).removeprefix(PREFIX).replace("-", "_")
    path = resources.files("napari_semst.transfer") / "data" / f"{stem}.npz"
    with resources.as_file(path) as file, file.open("rb") as stream:
        return read_signature(stream, reference)
