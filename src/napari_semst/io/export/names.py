"""Names of columns and entries that every file format can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

UNNAMED = "unnamed"
# What a path takes for the folder itself and for the one above it.
_PLACES = ("", ".", "..")


def storable_names(
    names: Iterable[Any],
    reserved: Collection[str] = (),
    *,
    strict: bool = False,
    in_store: bool = False,
) -> list[str]:
    """Return names that can be written, in the order given, each once.

    A name that can be written stays as it is. Others lose what stands in the way:
    what is no text becomes text, a slash (which opens a group inside the group)
    becomes ``_``, and nothing at all becomes ``unnamed``. One that is then taken gets
    a number at its end.

    Parameters
    ----------
    names
        Of columns, or of entries of a mapping.
    reserved
        Names that the format keeps for itself.
    strict
        Whether only letters, digits, ``_``, ``-`` and ``.`` are taken, and names must
        differ by more than capitals, as SpatialData asks.
    in_store
        Whether they are of a zarr store, where groups whose names differ by capitals
        alone cannot be told apart once their metadata are collected.
    """
    asked = list(names)
    is_good = _is_strict if strict else is_storable_name
    good = [is_good(name) and name not in reserved for name in asked]
    # File systems of some machines do not tell capitals.
    same: Callable[[str], str] = str.casefold if strict or in_store else str
    taken = {same(name) for name, fits in zip(asked, good, strict=True) if fits}
    kept: set[str] = set()
    found = []
    for name, fits in zip(asked, good, strict=True):
        if fits and same(name) not in kept:
            kept.add(same(name))
            found.append(str(name))
            continue
        plain = _strict(_plain(name)) if strict else _plain(name)
        plain = f"{plain}_" if plain in reserved else plain
        new, count = plain, 0
        while same(new) in taken:
            count += 1
            new = f"{plain}-{count}"
        taken.add(same(new))
        found.append(new)
    return found


def is_storable_name(name: Any) -> bool:
    """Return whether a name can stand in every format as it is."""
    return (
        isinstance(name, str)
        and name not in _PLACES
        and "/" not in name
        and is_storable_text(name)
    )


def _is_strict(name: Any) -> bool:
    return is_storable_name(name) and _strict(name) == name


def _strict(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "_-." else "_" for c in name)
    return kept.removeprefix("_") if kept.startswith("__") else kept


def check_new_name(name: str, what: str, *, strict: bool = False) -> None:
    """Refuse a name that files cannot hold, before anything is read for it.

    Parameters
    ----------
    name
        Of a column, or of a table, to be written.
    what
        What it names, as sentences call it.
    strict
        As for `storable_names`.

    Raises
    ------
    ConfigError
        With a name that can be written.
    """
    reserved = ("_index",)
    kept = storable_names([name], reserved, strict=strict)[0]
    if kept == name:
        return
    rule = "letters, digits, '_', '-' and '.'" if strict else "text without '/'"
    raise ConfigError(
        f"Expected the name of {what} to be one that files can hold ({rule}); got "
        f"{name!r}. Call it otherwise, as {kept!r}."
    )


def is_storable_text(text: str) -> bool:
    """Return whether every format holds a text: without NUL, and in Unicode."""
    if "\0" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a character, from a file of another encoding
        return False
    return True


def storable_text(text: str) -> str:
    """Return a text without what formats cannot hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _plain(name: Any) -> str:
    # Pandas 3 makes NaN, which equals nothing, of a name that is None.
    if name is None or (isinstance(name, float) and name != name):
        return UNNAMED
    parts = name if isinstance(name, tuple) else (name,)
    text = storable_text("_".join(map(str, parts))).replace("/", "_")
    return UNNAMED if text in _PLACES else text
