"""GeoJSON files, of QuPath or others, as named regions. They are not trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.json_text import parse_json
from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, check_file, translate_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_BYTES = 1024 * MEGABYTE
_WHAT = "a GeoJSON file"
UNNAMED = "unclassified"
# What QuPath finds, unlike what people draw.
_FOUND = ("detection", "cell", "tile")
_LONGEST_NAME = 200
_DEEPEST = 8


@dataclass(frozen=True)
class Region:
    """One object of a GeoJSON file.

    Parameters
    ----------
    label
        Its class, else its name.
    name
        Its name, else its class.
    color
        ``#rrggbb``, empty where there is none.
    found
        Whether it is a detection, not an annotation.
    polygons
        Rings, each ``(n, 2)`` (x, y): for each polygon the outer one, then holes.
    points
        ``(n, 2)`` places of a region of points.
    """

    label: str
    name: str
    color: str
    found: bool
    polygons: tuple[tuple[Floats, ...], ...]
    points: Floats


@dataclass(frozen=True)
class Regions:
    """What a GeoJSON file holds.

    Parameters
    ----------
    regions
        In the order of the file.
    notes
        What was left out, for the user to know.
    """

    regions: tuple[Region, ...]
    notes: tuple[str, ...]


def read_geojson(path: str | Path) -> Regions:
    """Return the regions of a GeoJSON file: a collection, a feature or a list.

    Parameters
    ----------
    path
        The file, of at most 1 GB.

    Raises
    ------
    InputError
        If it is missing, too large, or not GeoJSON with finite coordinates.
    """
    place = check_file(Path(path).expanduser(), _WHAT, at_most=MOST_BYTES)
    with translate_errors(place, _WHAT):
        raw = place.read_bytes()
    if raw.startswith((b"PK", b"\x1f\x8b")):
        raise InputError(
            f"Expected text in {place}; found a compressed file. Unpack it first."
        )
    try:
        value = parse_json(raw)
    except ValueError as error:
        reason = str(error) or type(error).__name__
        raise InputError(
            f"Expected GeoJSON in {place}; it is not JSON that can be read: {reason}. "
            "Export it again (in QuPath: File, Export objects as GeoJSON)."
        ) from error
    regions, skipped = [], 0
    for number, feature in enumerate(_features(value, place)):
        region = _region(feature, f"object {number + 1} of {place}")
        if region is None:
            skipped += 1
        else:
            regions.append(region)
    if not regions:
        raise InputError(
            f"Expected polygons or points in {place}; found none. Draw or classify "
            "regions, and export them again."
        )
    notes: tuple[str, ...] = ()
    if skipped:
        notes = (f"{skipped:,} objects without an area or points were left out.",)
    return Regions(tuple(regions), notes)


def _features(value: Any, place: Path) -> Iterator[Any]:
    """Yield the features of a collection, of a list, or the only one."""
    if isinstance(value, dict) and value.get("type") == "FeatureCollection":
        value = value.get("features")
    elif isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise InputError(
            f"Expected a GeoJSON FeatureCollection, Feature or list in {place}; found "
            "something else. Export it again (in QuPath: File, Export objects as "
            "GeoJSON)."
        )
    waiting = [(feature, 0) for feature in reversed(value)]
    while waiting:
        feature, depth = waiting.pop()
        yield feature
        inner = _map(_map(feature).get("properties"))
        children = inner.get("childObjects", inner.get("children"))
        if isinstance(children, list) and depth < _DEEPEST:
            waiting += [(child, depth + 1) for child in reversed(children)]


def _region(feature: Any, where: str) -> Region | None:
    """Return a feature as a region, None where it has no area and no points."""
    if not isinstance(feature, dict):
        raise InputError(
            f"Expected {where} to be a GeoJSON Feature; found {_kind(feature)}. "
            "Export the file again."
        )
    # A bare geometry is a feature without properties.
    bare = "coordinates" in feature or "geometries" in feature
    geometry = feature if bare else feature.get("geometry")
    properties = {} if bare else _map(feature.get("properties"))
    kind = properties.get("objectType", properties.get("object_type", "annotation"))
    if kind == "root" or geometry is None:
        return None
    polygons, points = _shapes(geometry, where)
    if not polygons and not len(points):
        return None
    group = properties.get("classification")
    name, label = plain_name(properties.get("name")), _class_name(group)
    return Region(
        label or name or UNNAMED,
        name or label or UNNAMED,
        _color(group, properties.get("color")),
        kind in _FOUND,
        polygons,
        points,
    )


def _shapes(geometry: Any, where: str) -> tuple[tuple[tuple[Floats, ...], ...], Floats]:
    """Return the polygons and the points of a geometry; lines have neither."""
    polygons: list[tuple[Floats, ...]] = []
    points = [np.empty((0, 2))]
    waiting = [(geometry, 0)]
    while waiting:
        shape, depth = waiting.pop()
        kind, where_to = _map(shape).get("type"), _map(shape).get("coordinates")
        if kind == "GeometryCollection" and depth < _DEEPEST:
            inner = _list(_map(shape).get("geometries"), where)
            waiting += [(one, depth + 1) for one in reversed(inner)]
        elif kind == "Polygon":
            polygons += _polygon(where_to, where)
        elif kind == "MultiPolygon":
            for one in _list(where_to, where):
                polygons += _polygon(one, where)
        elif kind == "Point":
            points.append(_places([where_to], where))
        elif kind == "MultiPoint":
            points.append(_places(where_to, where))
        elif kind not in ("LineString", "MultiLineString"):
            raise InputError(
                f"Expected a Polygon, MultiPolygon, Point or MultiPoint in {where}; "
                f"found {str(kind)[:40]!r}. Export the file again."
            )
    return tuple(polygons), np.concatenate(points)


def _polygon(rings: Any, where: str) -> list[tuple[Floats, ...]]:
    """Return a polygon in a list, an empty list where it has no area."""
    found = [_places(ring, where) for ring in _list(rings, where)]
    # Closed or not: what matters is that it goes round something.
    kept = [ring for ring in found if len(ring) > 2]
    return [tuple(kept)] if kept and len(found[0]) > 2 else []


def _places(values: Any, where: str) -> Floats:
    """Return a list of coordinates as ``(n, 2)``."""
    values = _list(values, where)
    if not values:
        return np.empty((0, 2))
    try:
        found = np.array(values)
    except ValueError:
        found = np.empty(0)
    if found.dtype.kind not in "iuf" or found.ndim != 2 or found.shape[1] < 2:
        raise InputError(
            f"Expected coordinates as pairs of numbers in {where}; found others. "
            "Export the file again."
        )
    places: Floats = found[:, :2].astype(np.float64)
    if not np.isfinite(places).all():
        raise InputError(
            f"Expected finite coordinates in {where}; found others. Export the file "
            "again."
        )
    return places


def _class_name(group: Any) -> str:
    """Return the class of an object; QuPath's own of several parts, as it writes it."""
    if isinstance(group, dict):
        parts = group.get("names")
        if isinstance(parts, list) and parts:
            return plain_name(": ".join(plain_name(part) for part in parts))
        return plain_name(group.get("name"))
    return plain_name(group)


def plain_name(value: Any) -> str:
    """Return a name without what breaks tables and file formats, empty for none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    plain = "".join(c if c.isprintable() else " " for c in str(value))
    return plain.strip()[:_LONGEST_NAME]


def _color(group: Any, own: Any) -> str:
    """Return the colour of a class, else of the object, as ``#rrggbb``."""
    for value in (_map(group).get("color"), _map(group).get("colorRGB"), own):
        if isinstance(value, int) and not isinstance(value, bool):
            # Before QuPath 0.4: one number, alpha in the highest byte.
            return f"#{value & 0xFFFFFF:06x}"
        if isinstance(value, list) and len(value) == 3:
            good = [type(v) is int and 0 <= v <= 255 for v in value]
            if all(good):
                return "#{:02x}{:02x}{:02x}".format(*value)
    return ""


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(
            f"Expected coordinates in {where}; found {_kind(value)}. Export the file "
            "again."
        )
    return value


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"
