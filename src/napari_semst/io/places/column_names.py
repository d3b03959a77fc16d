"""What columns of places are called: one rule for obs, obsm and tables of text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# (x, y) in lower case; pixels and micrometres before places on the array.
_USUAL = (
    ("x", "y"),
    ("x_centroid", "y_centroid"),
    ("center_x", "center_y"),
    ("centerx_global_px", "centery_global_px"),
    ("pxl_col_in_fullres", "pxl_row_in_fullres"),
    ("pxl_col", "pxl_row"),
    ("imagecol", "imagerow"),
    ("x_coord", "y_coord"),
    ("coord_x", "coord_y"),
    ("xcoord", "ycoord"),
    ("sdimx", "sdimy"),
)
_NUMBERED = (("spatial_1", "spatial_2"), ("spatial1", "spatial2"))
_ARRAYS = (("array_col", "array_row"), ("array_x", "array_y"), ("col", "row"))

_AXES = {"x": "x", "col": "x", "column": "x", "y": "y", "row": "y"}
# What stands beside the axis in names of places, and in names of nothing else.
_PLACE_WORD = re.compile(
    r"\*|abs(olute)?|cell|cent(er|re|roid)s?|coord(inate)?s?|fullres|global|image|img|in"
    r"|loc(ation)?|microns?|mm|nm|nucleus|pix(el)?s?|pos(ition)?|pxl?|s?dim|slide"
    r"|spatial|spot|stage|um"
)
_JOINED = re.compile(
    r"(?P<before>s?dim|cent(?:er|re|roid)|coord|pos|loc|image|img|pxl|array|spatial)"
    r"(?P<end>x|y|col|row)"
    r"|(?P<start>x|y)(?P<after>cent(?:er|re|roid)|coords?|pos|position|loc|px|um|mm)"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Tables of more columns are of genes, whose names may look like anything.
_MOST_COLUMNS = 500


class _Axis(NamedTuple):
    """Which axis a name is of, and its other words."""

    axis: str
    others: tuple[str, ...]


class ColumnOrder(NamedTuple):
    """Which columns of a table of places are x and y.

    Parameters
    ----------
    x, y
        Their numbers.
    doubt
        What users should know where the names do not say it; else empty.
    """

    x: int
    y: int
    doubt: str = ""


def place_pairs(names: Sequence[object]) -> list[tuple[str, str]]:
    """Return the pairs of names that are of places, as (x, y), the best one first.

    Parameters
    ----------
    names
        Of columns, in any case and order. Names of local places, in a field of view,
        are not among those that are found.
    """
    texts = [name for name in names if isinstance(name, str)]
    # Of x, y and X, Y side by side, the small ones.
    lower = {name.lower(): name for name in texts}
    lower |= {name: name for name in texts if name == name.lower()}
    found = [(lower[x], lower[y]) for x, y in _USUAL if {x, y} <= lower.keys()]
    found += [("X", "Y")] if {"X", "Y"} <= set(texts) else []
    # A bare col and row is the array's.
    found += [pair for pair in _pairs(texts, _PLACE_WORD) if len(pair[0]) > 3]
    rest = (*_NUMBERED, *_ARRAYS)
    found += [(lower[x], lower[y]) for x, y in rest if {x, y} <= lower.keys()]
    return list(dict.fromkeys(found))


def axis_pairs(names: Sequence[object]) -> list[tuple[str, str]]:
    """Return all pairs of names that differ only in their axis, as (x, y).

    Parameters
    ----------
    names
        Of columns; what the pairs are places in is not asked.
    """
    return _pairs([name for name in names if isinstance(name, str)], re.compile(".*"))


def order_columns(names: Sequence[object]) -> ColumnOrder:
    """Return which columns are x and y, of a table that holds places.

    Parameters
    ----------
    names
        Of its columns, two or more.
    """
    texts = [str(name) for name in names]
    for x, y in place_pairs(texts):
        return ColumnOrder(texts.index(x), texts.index(y))
    axes = [_axis_of(text) for text in texts]
    by_axis = {
        axis: [i for i, found in enumerate(axes) if found and found.axis == axis]
        for axis in "xy"
    }
    for one in by_axis["x"]:
        for two in by_axis["y"]:
            if axes[one].others == axes[two].others:  # type: ignore[union-attr]
                return ColumnOrder(one, two)
    numbered = _numbered(texts)
    if numbered is not None:
        return ColumnOrder(*numbered)
    shown = ", ".join(repr(text) for text in texts[:2])
    if len(by_axis["x"]) == len(by_axis["y"]) == 1:
        one, two = by_axis["x"][0], by_axis["y"][0]
        doubt = f"{texts[one]!r} is taken as x and {texts[two]!r} as y"
        return ColumnOrder(one, two, f"{doubt}, though their names do not match.")
    if len(texts) == 2 and [len(by_axis[axis]) for axis in "xy"] in ([1, 0], [0, 1]):
        turned = by_axis["x"] == [1] or by_axis["y"] == [0]
        one, two = (1, 0) if turned else (0, 1)
        doubt = f"one of its columns {shown} does not say its axis"
        return ColumnOrder(one, two, f"{doubt}: {texts[one]!r} is taken as x.")
    doubt = f"its columns {shown} do not say which is x"
    return ColumnOrder(0, 1, f"{doubt}: the first is taken as x.")


def turned_names(x: str, y: str) -> bool:
    """Return whether two names say that they stand for y and x, in this order."""
    first, second = _axis_of(x), _axis_of(y)
    return (
        first is not None
        and second is not None
        and (first.axis, second.axis) == ("y", "x")
    )


def unfold_array(
    xy: NDArray[np.float64], x: str, y: str
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return places as they lie on the slide where they are numbers on an array.

    Rows of Visium's array are sqrt(3) apart where its columns count half distances.

    Parameters
    ----------
    xy
        Shape ``(n_spots, 2)``.
    x, y
        What the columns are called.

    Returns
    -------
    places, remarks
        As given, and nothing, where they are no places on such an array.
    """
    if (x.lower(), y.lower()) not in _ARRAYS:
        return xy, ()
    sums = xy[np.isfinite(xy).all(axis=1)].sum(axis=1)
    if len(sums) <= 10 or not (sums % 2 == 0).all():
        return xy, ()
    rows = np.unique(xy[np.isfinite(xy).all(axis=1), 1])
    # Pixels may be even too; rows of an array follow one another.
    if len(rows) < 2 or np.diff(rows).min() != 1:
        return xy, ()
    remark = "Coordinates are places on the array, not pixels."
    return xy * np.array([1.0, np.sqrt(3.0)]), (remark,)


def _pairs(names: list[str], words: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return pairs of which all other words are of some kind."""
    if len(names) > _MOST_COLUMNS:
        return []
    ys: dict[tuple[str, ...], str] = {}
    xs: dict[tuple[str, ...], str] = {}
    for name in names:
        found = _axis_of(name)
        if found is not None and all(map(words.fullmatch, found.others)):
            (xs if found.axis == "x" else ys).setdefault(found.others, name)
    return [(xs[key], ys[key]) for key in xs if key in ys]


def _axis_of(name: str) -> _Axis | None:
    """Return which axis a name is of, `None` for another name."""
    # Both signs for micro are no letters of a word.
    words = [w.lower() for w in _WORD.findall(re.sub("[\u00b5\u03bc]", "u", name))]
    for place, word in enumerate(words):
        axis, left = _AXES.get(word), []
        joined = None if axis else _JOINED.fullmatch(word)
        if joined:
            axis = _AXES[joined["end"] or joined["start"]]
            left = [joined["before"] or joined["after"]]
        if axis:
            return _Axis(axis, (*words[:place], *left, "*", *words[place + 1 :]))
    return None


def _numbered(names: list[str]) -> tuple[int, int] | None:
    """Return which columns are first and second where names count them."""
    parts = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    if len(names) > 3 or not all(parts) or len({p[1] for p in parts if p}) > 1:
        return None
    numbers = [int(p[2]) for p in parts if p]
    if sorted(numbers) not in [list(range(s, s + len(numbers))) for s in (0, 1)]:
        return None
    order = np.argsort(numbers)
    return int(order[0]), int(order[1])
