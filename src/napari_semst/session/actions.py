"""One thing that was done to a section, as plain values."""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_RANGE = re.compile(r"[0-9]{1,12}(-[0-9]{1,12})?")
# Beyond so many ranges the bits of all spots, compressed, are shorter.
_MOST_RANGES = 500
_PACKED = "bits:"
ORIGINS = ("read", "sample", "join", "unknown")
"""Actions with which a section begins."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done to a section, or with it.

    Parameters
    ----------
    name
        What: one of those that `session.python_code` knows.
    given
        With what, in values that JSON holds.
    """

    name: str
    given: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "given", _plain(self.given))


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back: paths as text, spots as ranges."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, Action):
        return [value.name, value.given]
    if isinstance(value, np.ndarray) and value.dtype == bool:
        return ranges_of_spots(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def actions_from(listed: Iterable[Any]) -> tuple[Action, ...]:
    """Return actions as a log holds them.

    Raises
    ------
    InputError
        If they are none.
    """
    try:
        made = tuple(Action(str(name), dict(given)) for name, given in listed)
    except (TypeError, ValueError) as error:
        raise InputError(
            "Expected what was done to the section as names with their arguments; "
            f"found something else: {error}. The record is damaged."
        ) from error
    return made


def ranges_of_spots(spots: NDArray[np.bool_]) -> str:
    """Return which spots are chosen, as ``"0-11 40 52-60"``.

    Many scattered ones are ``"bits:"`` and a text that `spots_in_ranges` reads.

    Parameters
    ----------
    spots
        Which ones, shape ``(n_spots,)``.
    """
    padded = np.concatenate([[False], spots, [False]]).astype(np.int8)
    steps = np.flatnonzero(np.diff(padded))
    if len(steps) > 2 * _MOST_RANGES:
        packed = zlib.compress(np.packbits(spots).tobytes(), 6)
        return _PACKED + base64.b85encode(packed).decode("ascii")
    pairs = zip(steps[::2].tolist(), (steps[1::2] - 1).tolist(), strict=True)
    return " ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in pairs)


def spots_in_ranges(ranges: str, n_spots: int) -> NDArray[np.bool_]:
    """Return which spots ranges choose, shape ``(n_spots,)``.

    Parameters
    ----------
    ranges
        Numbers of spots from 0 and ranges with both ends, as ``"0-11 40 52-60"``, or
        what `ranges_of_spots` made of many.
    n_spots
        How many there are.

    Raises
    ------
    InputError
        If they are no ranges, or of another number of spots.
    """
    if ranges.startswith(_PACKED):
        return _unpacked(ranges.removeprefix(_PACKED), n_spots)
    chosen = np.zeros(n_spots, bool)
    for part in ranges.split():
        first, _, last = part.partition("-")
        if not _RANGE.fullmatch(part):
            raise InputError(
                f"Expected numbers of spots as '0-11 40'; found {part[:40]!r}."
            )
        if int(last or first) >= n_spots:
            raise InputError(
                f"Expected spots below {n_spots:,}; found {part}. This is another "
                "section."
            )
        chosen[int(first) : int(last or first) + 1] = True
    return chosen


def _unpacked(text: str, n_spots: int) -> NDArray[np.bool_]:
    n_bytes = -(-n_spots // 8)
    try:
        packed = base64.b85decode(text)
        # One more than there should be: another section, or a text made to fill memory.
        found = zlib.decompressobj().decompress(packed, n_bytes + 1)
    except (ValueError, zlib.error) as error:
        raise InputError(
            f"Expected spots that were chosen as bits; found something else: {error}. "
            "The record is damaged."
        ) from error
    bits = np.unpackbits(np.frombuffer(found, np.uint8)).astype(bool)
    if len(found) != n_bytes or bits[n_spots:].any():
        raise InputError(
            f"Expected as many bits as the section has spots, {n_spots:,}; found "
            f"others. This is another section."
        )
    return bits[:n_spots]
