"""Regions of a GeoJSON file as a column of labels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_semst import keys
from napari_semst.errors import ConfigError, InputError, one_of
from napari_semst.io.geojson.inside import PolygonSides, points_in_polygons
from napari_semst.io.geojson.parse import read_geojson
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.geojson.parse import Region, Regions
    from napari_semst.io.geojson.spots import SectionSpots

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RegionsAdded:
    """The labels that regions give to spots.

    Parameters
    ----------
    codes
        Label of each spot of the section, -1 for none, shape ``(n_spots,)``.
    names, colors
        Of the labels; colours ``#rrggbb``.
    counts
        Spots of each label.
    outside
        Spots in no region.
    overlapping
        Spots in regions of several labels, which got that of the smallest.
    notes
        What was left out, for the user to know.
    """

    codes: Ints
    names: tuple[str, ...]
    colors: tuple[str, ...]
    counts: tuple[int, ...]
    outside: int
    overlapping: int
    notes: tuple[str, ...]

    def words(self) -> str:
        """Return what happened, for people."""
        sizes = zip(self.names, self.counts, strict=True)
        lines = [f"  {name:20} {count:,} spots" for name, count in sizes]
        lines.append(f"  {'outside':20} {self.outside:,} spots")
        if self.overlapping:
            lines.append(
                f"  note: {self.overlapping:,} spots lie in regions of several labels; "
                "they got that of the smallest region."
            )
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def add_regions(
    adata: AnnData,
    path: str | Path,
    column: str = "regions",
    *,
    by: Literal["class", "name"] = "class",
    section: str | None = None,
    section_key: str | None = None,
    coordinates: str | None = None,
    pixel_size: float | None = None,
    overwrite: bool = False,
) -> RegionsAdded:
    """Write the regions of a GeoJSON file into a tissue, as a column of labels.

    A spot gets the label of the region that its centre lies in; of several, that of
    the smallest, and of several as small the last in the file. A region of points
    labels the nearest spot to each point, no farther than a spot's diameter.

    Parameters
    ----------
    adata
        The tissue; ``obs[column]`` and its colours are written into it.
    path
        The file: QuPath's, or any GeoJSON in pixels of the full-resolution image.
    column
        Name of the new column; spots in no region have no label.
    by
        Whether a region's class or its name is the label; where the one is missing,
        the other.
    section, section_key, coordinates, pixel_size
        As for `write_geojson`.
    overwrite
        Whether a column that is there may be replaced.

    Returns
    -------
    RegionsAdded
        The labels, how many spots have each, and what was left out.

    Raises
    ------
    InputError
        If the file is not GeoJSON, has no regions, no spot lies in any, or the column
        is there already.
    ConfigError
        If ``by`` or ``pixel_size`` is out of range.
    """
    import pandas as pd

    from napari_semst.io.export.names import check_new_name
    from napari_semst.io.geojson.spots import spots_in_pixels

    if by not in ("class", "name"):
        raise ConfigError(one_of("by", by, ("class", "name")))
    check_new_name(column, "the new column")
    if column in adata.obs and not overwrite:
        raise InputError(
            f"Expected no column obs[{column!r}] yet; there is one. Choose another "
            "name, or allow it to be overwritten."
        )
    spots = spots_in_pixels(adata, section, coordinates, pixel_size, section_key)
    found = label_spots(spots, read_geojson(path), by)
    if found.outside == len(found.codes):
        raise InputError(_nothing_met(spots, path))
    codes = np.full(adata.n_obs, -1)
    codes[spots.rows] = found.codes
    adata.obs[column] = pd.Categorical.from_codes(codes, list(found.names))
    adata.uns[column + keys.COLORS_SUFFIX] = np.array(found.colors, dtype=str)
    return found


def label_spots(
    spots: SectionSpots, regions: Regions, by: Literal["class", "name"] = "class"
) -> RegionsAdded:
    """Return the labels that regions give to spots.

    Parameters
    ----------
    spots
        Of a section.
    regions
        Of a file. Where it has annotations, detections are left out.
    by
        As for `add_regions`.
    """
    drawn = [region for region in regions.regions if not region.found]
    notes = list(regions.notes)
    left = len(regions.regions) - len(drawn)
    if drawn and left:
        notes.append(f"{left:,} detections beside annotations were left out.")
    used = drawn or list(regions.regions)
    labels = [region.label if by == "class" else region.name for region in used]
    names = tuple(dict.fromkeys(labels))
    code = {name: number for number, name in enumerate(names)}
    codes_of = np.array([code[label] for label in labels])
    point, region, areas = _members(spots, used)
    order = np.lexsort((region, -areas[region], point))
    point, members = point[order], codes_of[region[order]]
    codes = np.full(len(spots.places), -1)
    # The last of a spot's regions is the smallest.
    last = np.append(point[1:] != point[:-1], True)[: len(point)]
    codes[point[last]] = members[last]
    differs = members != codes[point]
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    return RegionsAdded(
        codes,
        names,
        _colors(names, labels, used),
        tuple(counts.tolist()),
        int((codes < 0).sum()),
        len(np.unique(point[differs])),
        tuple(notes),
    )


def _members(spots: SectionSpots, regions: list[Region]) -> tuple[Ints, Ints, Floats]:
    """Return the pairs of a spot and a region around it, and the regions' areas."""
    sides, owners, areas = _sides(regions)
    point, polygon = points_in_polygons(spots.places, sides)
    near_point, near_region = _near_points(spots, regions)
    point = np.concatenate([point, near_point])
    region = np.concatenate([owners[polygon], near_region])
    once = np.unique(point * len(regions) + region)
    return once // len(regions), once % len(regions), areas


def _sides(regions: list[Region]) -> tuple[PolygonSides, Ints, Floats]:
    """Return the sides of all polygons, the region of each, and regions' areas."""
    rings = [np.empty((0, 2))]
    polygon: list[int] = []
    owners: list[int] = []
    hole: list[int] = []
    for number, region in enumerate(regions):
        for one in region.polygons:
            rings += one
            polygon += [len(owners)] * len(one)
            hole += [0, *[1] * (len(one) - 1)]
            owners.append(number)
    many = np.array([len(ring) for ring in rings[1:]], dtype=np.int64)
    start, owner = np.concatenate(rings), np.array(owners, dtype=np.int64)
    first = np.cumsum(many) - many
    onward = np.arange(1, len(start) + 1)
    onward[first + many - 1] = first
    ring = np.repeat(np.arange(len(many)), many)
    which, end = np.array(polygon, dtype=np.int64), start[onward]
    # From the ring's own corner: far from the origin little would be left of it.
    (x0, y0), (x1, y1) = (start - start[first[ring]]).T, (end - start[first[ring]]).T
    area = np.abs(np.bincount(ring, x0 * y1 - x1 * y0, len(many))) / 2
    sign = 1.0 - 2.0 * np.array(hole, dtype=np.float64)
    areas: Floats = np.zeros(len(regions))
    np.add.at(areas, owner[which], sign * area)
    return PolygonSides(start, end, which[ring], len(owner)), owner, areas


def _near_points(spots: SectionSpots, regions: list[Region]) -> tuple[Ints, Ints]:
    """Return the nearest spot to each point of the regions of points."""
    from scipy.spatial import cKDTree

    many = [len(region.points) for region in regions]
    region = np.repeat(np.arange(len(regions)), many)
    if not len(region):
        return region, region
    points = np.concatenate([one.points for one in regions])
    distance, spot = cKDTree(spots.places).query(points)
    near = distance <= spots.diameter
    return np.asarray(spot[near], dtype=np.int64), region[near]


def _colors(
    names: tuple[str, ...], labels: list[str], regions: list[Region]
) -> tuple[str, ...]:
    """Return the file's colours, and our own where it has none."""
    from napari_semst.palette import PALETTE

    told: dict[str, str] = {}
    for label, region in zip(labels, regions, strict=True):
        if region.color:
            told.setdefault(label, region.color)
    taken = set(told.values())
    spare = cycle([c for c in PALETTE if c not in taken] or PALETTE)
    return tuple(told.get(name) or next(spare) for name in names)


def _nothing_met(spots: SectionSpots, path: str | Path) -> str:
    low, high = spots.places.min(axis=0), spots.places.max(axis=0)
    return Worded(
        f"Expected spots inside the regions of {path}; none is. The spots lie between "
        f"({low[0]:.4g}, {low[1]:.4g}) and ({high[0]:.4g}, {high[1]:.4g}): use pixels "
        "of the same image at full resolution",
        Way(
            ", or give the size of a pixel (--pixel-size) where the coordinates are no "
            "pixels.",
            ", or give the size of a pixel (pixel_size) where the coordinates are no "
            "pixels.",
            ".",
        ),
    )
