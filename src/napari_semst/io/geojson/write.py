"""Labels of spots as GeoJSON in QuPath's layout."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_semst import keys
from napari_semst.errors import ConfigError, InputError, SaveError, one_of
from napari_semst.io.atomic import write_atomically
from napari_semst.io.geojson.outline import outlines
from napari_semst.io.geojson.tiles import unique_places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.geojson.outline import Polygon
    from napari_semst.io.geojson.spots import Spots

    Ints = NDArray[np.int64]

    Shapes = Literal["regions", "spots", "both"]


class Written(NamedTuple):
    """A file that was written.

    Parameters
    ----------
    path
        The file.
    notes
        What it cannot hold, for the user to know.
    """

    path: Path
    notes: tuple[str, ...]


SHAPES = ("regions", "spots", "both")
# Corners of the polygon that stands for a round spot.
_CORNERS = 16
_MOST_LABELS = 1000
_NAMESPACE = uuid.UUID("1c2b7e5e-6f0d-5a53-9a7e-5d1a0c0e57a1")


def write_geojson(
    adata: AnnData,
    path: str | Path,
    *,
    column: str = keys.DOMAIN,
    shapes: Shapes = "regions",
    section: str | None = None,
    coordinates: str | None = None,
    pixel_size: float | None = None,
    overwrite: bool = False,
) -> Written:
    """Write a column of labels as GeoJSON that QuPath opens.

    Each label is one annotation, a polygon or several around its spots, with its
    colour as that of the class. The file is read back, and every spot must get its
    label again, before it takes its place.

    Parameters
    ----------
    adata
        The tissue.
    path
        Where to, ending in ``.geojson``.
    column
        The obs column; spots without a label are left out.
    shapes
        ``"regions"``: annotations; ``"spots"``: each spot as a detection, with
        confidence and modulation as measurements; ``"both"``.
    section
        Name of the section, where the tissue holds several.
    coordinates
        Where the spots are: an obsm key, or two obs columns as ``"x,y"``; None looks
        for them.
    pixel_size
        Units of the coordinates per pixel of the image, as micrometres; None where
        the coordinates are pixels.
    overwrite
        Whether a file that stands there may be replaced.

    Returns
    -------
    Written
        The file, and what it cannot hold.

    Raises
    ------
    InputError
        If there is no such column, section or coordinates.
    ConfigError
        If ``shapes`` or ``pixel_size`` is out of range.
    SaveError
        If the file cannot be written, or did not read back the same.

    Notes
    -----
    Layout: https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html
    and RFC 7946.
    """
    from napari_semst.io.geojson.spots import spots_in_pixels

    if shapes not in SHAPES:
        raise ConfigError(one_of("shapes", shapes, SHAPES))
    spots = spots_in_pixels(adata, section, coordinates, pixel_size)
    codes, names, colors = labels_of(adata, column)
    codes = codes[spots.rows]
    table = [
        {"name": name, "color": [int(color[i : i + 2], 16) for i in (1, 3, 5)]}
        for name, color in zip(names, colors, strict=True)
    ]

    def lines() -> Iterator[str]:
        if shapes != "spots":
            yield from _regions(adata, spots, codes, table, column)
        if shapes != "regions":
            yield from _detections(adata, spots, codes, table)

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write('{"type": "FeatureCollection", "features": [\n')
            for number, line in enumerate(lines()):
                file.write((",\n" if number else "") + line)
            file.write("\n]}\n")

    place = write_atomically(
        path,
        write,
        lambda temporary: _check(temporary, spots, codes, names),
        overwrite=overwrite,
        suffix=".geojson",
    )
    return Written(place, _notes(spots, codes))


def labels_of(adata: AnnData, column: str) -> tuple[Ints, list[str], list[str]]:
    """Return the codes, -1 for none, names and colours of a column of labels.

    Parameters
    ----------
    adata
        The tissue.
    column
        The obs column. Labels without spots are left out.

    Raises
    ------
    InputError
        If there is no such column, it holds no labels, or more than 1,000 of them.
    """
    import pandas as pd

    from napari_semst.io.guard import a_few
    from napari_semst.palette import domain_colors, hex_colors

    if column not in adata.obs:
        raise InputError(
            f"Expected labels in obs[{column!r}]; found obs columns "
            f"{a_few(list(adata.obs))}. Name one of them."
        )
    whole = pd.Categorical(adata.obs[column])
    stored = adata.uns.get(column + keys.COLORS_SUFFIX)
    every = domain_colors(len(whole.categories))
    if stored is not None and len(stored) >= len(whole.categories):
        every = hex_colors(list(stored)[: len(whole.categories)], every)
    there = np.bincount(whole.codes[whole.codes >= 0], minlength=len(every)) > 0
    if not there.any() or there.sum() > _MOST_LABELS:
        raise InputError(
            f"Expected 1 to {_MOST_LABELS:,} labels in obs[{column!r}]; found "
            f"{int(there.sum()):,}. Name a column of domains or of an annotation."
        )
    order = np.append(np.cumsum(there) - 1, -1)
    kept = np.flatnonzero(there)
    names = [str(whole.categories[code]) for code in kept]
    return order[whole.codes].astype(np.int64), names, [every[code] for code in kept]


def _regions(
    adata: AnnData,
    spots: Spots,
    codes: Ints,
    table: list[dict[str, Any]],
    column: str,
) -> Iterator[str]:
    """Yield an annotation for each label that has spots."""
    places, first, _ = unique_places(spots.places)
    found = outlines(places, codes[first], len(table), spots.diameter)
    measured = _measured(adata, spots)
    names = "\n".join(map(str, adata.obs_names[spots.rows]))
    for code, (group, polygons) in enumerate(zip(table, found, strict=True)):
        own = codes == code
        if not polygons:
            continue
        means = {
            f"Mean {name}": round(float(np.nanmean(values[own])), 6)
            for name, values in measured.items()
            if np.isfinite(values[own]).any()
        }
        yield _line(
            uuid.uuid5(_NAMESPACE, f"{column}\n{group['name']}\n{names}"),
            _geometry(polygons),
            {
                "objectType": "annotation",
                "name": group["name"],
                "classification": group,
                "measurements": {"Spots": int(own.sum()), **means},
                "metadata": {"column": column},
            },
        )


def _detections(
    adata: AnnData, spots: Spots, codes: Ints, table: list[dict[str, Any]]
) -> Iterator[str]:
    """Yield a detection for each spot that has a label."""
    from scipy.spatial import cKDTree

    shown = np.flatnonzero(codes >= 0)
    places = spots.places[shown]
    widths = np.full(len(places), spots.diameter)
    others, _, _ = unique_places(spots.places)
    if len(others) > 1:
        # No spot's shape reaches the middle of another.
        apart = cKDTree(others).query(places, k=[2])[0][:, 0]
        widths = np.minimum(widths, 1.9 * apart)
    turn = 2 * np.pi * np.arange(_CORNERS + 1) / _CORNERS
    turn[-1] = 0.0
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1) / 2
    # For bounding boxes, by which QuPath reads ellipses, every fourth corner counts.
    digits = max(2, 3 - int(np.floor(np.log10(max(spots.diameter, 1e-9)))))
    measured = {
        name: np.round(values[shown], 6).tolist()
        for name, values in _measured(adata, spots).items()
    }
    names = adata.obs_names[spots.rows][shown].astype(str)
    # A file of text has a line for every spot: this is the one loop over spots.
    rows = zip(names, codes[shown].tolist(), places, widths, strict=True)
    for row, (name, code, place, width) in enumerate(rows):
        ring = np.round(place + width * circle, digits).tolist()
        values = {key: column[row] for key, column in measured.items()}
        yield _line(
            uuid.uuid5(_NAMESPACE, f"spot\n{name}"),
            {"type": "Polygon", "coordinates": [ring], "isEllipse": True},
            {
                "objectType": "detection",
                "name": name,
                "classification": table[code],
                "measurements": {k: v for k, v in values.items() if v == v},
            },
        )


def _measured(adata: AnnData, spots: Spots) -> dict[str, NDArray[np.float64]]:
    """Return the scores of spots that go along, under names for people."""
    wanted = {"confidence": keys.CONFIDENCE, "modulation": keys.MODULATION}
    return {
        name: adata.obs[key].to_numpy(dtype=np.float64)[spots.rows]
        for name, key in wanted.items()
        if key in adata.obs
    }


def _geometry(polygons: list[Polygon]) -> dict[str, Any]:
    rings = [[ring.tolist() for ring in polygon] for polygon in polygons]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def _line(number: uuid.UUID, geometry: Any, properties: dict[str, Any]) -> str:
    feature = {
        "type": "Feature",
        "id": str(number),
        "geometry": geometry,
        "properties": properties,
    }
    return json.dumps(feature, ensure_ascii=False, allow_nan=False)


def _check(temporary: Path, spots: Spots, codes: Ints, names: list[str]) -> None:
    """Refuse a file from which a spot would get another label."""
    from napari_semst.io.geojson.label import label_spots
    from napari_semst.io.geojson.parse import read_geojson

    found = label_spots(spots, read_geojson(temporary))
    back = np.append(np.array([names.index(n) for n in found.names]), -1)[found.codes]
    wrong = (back != codes) & ~_mixed(spots, codes)
    if wrong.any():
        raise SaveError(
            f"Expected every spot to read back with its label; {int(wrong.sum()):,} of "
            f"{len(codes):,} did not. Nothing was changed."
        )


def _mixed(spots: Spots, codes: Ints) -> NDArray[np.bool_]:
    """Return the spots whose place is also that of a spot with another label."""
    found, _, place = unique_places(spots.places)
    n = len(found)
    low, high = np.full(n, codes.max()), np.full(n, -1)
    np.minimum.at(low, place, codes)
    np.maximum.at(high, place, codes)
    mixed: NDArray[np.bool_] = (low != high)[place]
    return mixed


def _notes(spots: Spots, codes: Ints) -> tuple[str, ...]:
    mixed = int(_mixed(spots, codes).sum())
    if not mixed:
        return ()
    return (
        f"{mixed:,} spots share their place with a spot of another label: shapes "
        "cannot tell them apart.",
    )
