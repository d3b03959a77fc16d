"""Labels and spots as features of GeoJSON, in QuPath's layout."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.io.geojson.outline import outlines
from napari_semst.io.geojson.parse import plain_name
from napari_semst.io.geojson.tiles import unique_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.geojson.outline import Polygon
    from napari_semst.io.geojson.spots import SectionSpots

    Ints = NDArray[np.int64]

# Corners of the polygon that stands for a round spot, a multiple of four.
_CORNERS = 16
_MOST_LABELS = 1000
_NAMESPACE = uuid.UUID("1c2b7e5e-6f0d-5a53-9a7e-5d1a0c0e57a1")


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
        If there is no such column, it holds no labels, more than 1,000 of them, or
        one that would not come back.
    """
    import pandas as pd

    from napari_semst.io.checks import abbreviate
    from napari_semst.palette import domain_colors, hex_colors

    if column not in adata.obs:
        raise InputError(
            f"Expected labels in obs[{column!r}]; found obs columns "
            f"{abbreviate(list(adata.obs))}. Name one of them."
        )
    whole = pd.Categorical(adata.obs[column])
    stored = adata.uns.get(column + keys.COLORS_SUFFIX)
    every = domain_colors(len(whole.categories))
    if stored is not None and len(stored) >= len(whole.categories):
        every = hex_colors(list(stored)[: len(whole.categories)], every)
    there = np.bincount(whole.codes[whole.codes >= 0], minlength=len(every)) > 0
    if not there.any():
        raise InputError(_nothing_in(column))
    if there.sum() > _MOST_LABELS:
        raise InputError(
            f"Expected 1 to {_MOST_LABELS:,} labels in obs[{column!r}]; found "
            f"{int(there.sum()):,}. Name a column of domains or of an annotation."
        )
    order = np.append(np.cumsum(there) - 1, -1)
    kept = np.flatnonzero(there)
    names = [str(whole.categories[code]) for code in kept]
    odd = [name for name in names if plain_name(name) != name or not name]
    if odd:
        raise InputError(
            f"Expected labels of 1 to 200 printable letters in obs[{column!r}], "
            f"without spaces at their ends; found {odd[0][:60]!r}. Rename it."
        )
    return order[whole.codes].astype(np.int64), names, [every[code] for code in kept]


def _nothing_in(column: str) -> str:
    """Return why a column without any label is not written, and what to do."""
    if column == keys.DISCORDANT_REGION:
        return (
            "Nothing was written: the run found no discordant region in this section, "
            "so there is no outline. Warnings of the run say whether anything could be "
            "compared."
        )
    return (
        f"Nothing was written: no spot has a label in obs[{column!r}]. Name another "
        "column."
    )


def region_features(
    adata: AnnData,
    spots: SectionSpots,
    codes: Ints,
    table: list[dict[str, Any]],
    column: str,
    about: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """Yield an annotation for each label, as text.

    Parameters
    ----------
    adata
        The tissue.
    spots, codes
        Of the section; label of each spot, -1 for none.
    table
        Name and colour of each label, as QuPath has a class.
    column
        The obs column of the labels.
    about
        As for `write_geojson`.
    """
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
        more = about.get(group["name"], {})
        yield _line(
            uuid.uuid5(_NAMESPACE, f"{column}\n{group['name']}\n{names}"),
            _geometry(polygons),
            {
                "objectType": "annotation",
                "name": more.get("name", group["name"]),
                "classification": group,
                "measurements": {
                    "Spots": int(own.sum()),
                    **means,
                    **more.get("measurements", {}),
                },
                "metadata": {"column": column, **more.get("metadata", {})},
            },
        )


def detection_features(
    adata: AnnData, spots: SectionSpots, codes: Ints, table: list[dict[str, Any]]
) -> Iterator[str]:
    """Yield a detection for each spot that has a label, as text.

    Parameters
    ----------
    adata, spots, codes, table
        As for `region_features`.
    """
    from scipy.spatial import cKDTree

    shown = np.flatnonzero(codes >= 0)
    places = spots.places[shown]
    widths = np.full(len(places), spots.diameter)
    others, _, _ = unique_places(spots.places)
    if len(others) > 1:
        # No spot's shape reaches the middle of another.
        apart = cKDTree(others).query(places, k=[2])[0][:, 0]
        widths = np.minimum(widths, 1.9 * apart)
    # QuPath reads ellipses by their bounding box, which four of the corners touch.
    turn = 2 * np.pi * np.arange(_CORNERS + 1) / _CORNERS
    turn[-1] = 0.0
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1) / 2
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


def _measured(adata: AnnData, spots: SectionSpots) -> dict[str, NDArray[np.float64]]:
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
