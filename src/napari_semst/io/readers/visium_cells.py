"""Cells that Space Ranger 4 segments in Visium HD, at the centres of their outlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats import tenx
from napari_semst.io.formats.cell_polygons import (
    centroids_and_areas,
    read_cell_polygons,
)
from napari_semst.io.formats.sample_files import files_of_samples, of_sample
from napari_semst.io.images import read_image, read_scalefactors
from napari_semst.io.notes import note, warn
from napari_semst.io.outlines.cell_outlines import Rings
from napari_semst.io.outlines.sources import remember_outlines
from napari_semst.io.readers.cell_tables import CellTables, tissue_from_cells
from napari_semst.io.readers.visium_files import (
    PictureFiles,
    doubts_of_pictures,
    pictures_near,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

FOLDER = "segmented_outputs"
PARTS = ("cells", "nuclei")
# Other words for them.
_MEANT = {
    "cell": "cells",
    "segmented": "cells",
    "segmentation": "cells",
    FOLDER: "cells",
    "nucleus": "nuclei",
}
_MATRICES = ("filtered_feature_cell_matrix", "raw_feature_cell_matrix")
_OUTLINES = {"cells": "cell_segmentations", "nuclei": "nucleus_segmentations"}
_ENDINGS = (".geojson", ".json")
# Colours of clusters stand in a copy of the file: its outlines are the same.
_COPY = "graphclust_annotated_"
# What scale factors say of bins, not of cells.
_OF_BINS = ("spot_diameter_fullres", "bin_size_um")


@dataclass(frozen=True, slots=True)
class SegmentedFiles:
    """The files of segmented cells: the counts, and the outlines by part."""

    folder: Path
    matrix: Path
    outlines: dict[str, Path]
    sample: str


def segmented_in(path: Path) -> SegmentedFiles | None:
    """Return the files of segmented cells, None without them.

    The path is the folder ``outs``, the one above it, ``segmented_outputs`` in it or
    ``spatial`` in that.
    """
    places = [path / FOLDER, path / "outs" / FOLDER, path]
    if path.name == "spatial":
        places.append(path.absolute().parent)
    for folder in places:
        matrices = _matrices_in(folder)
        if len(matrices) != 1:
            continue
        sample, matrix = next(iter(matrices.items()))
        outlines = {}
        for part, stem in _OUTLINES.items():
            stems = (stem, _COPY + stem)
            files = files_of_samples(folder, stems, _ENDINGS)
            found = of_sample(files, sample, alone=True)
            if found is not None:
                outlines[part] = found
        if outlines:
            return SegmentedFiles(folder, matrix, outlines, sample)
    return None


def missing_of_segmented(path: Path) -> str:
    """Return what a folder lacks of segmented cells, empty where it has none."""
    for folder in (path / FOLDER, path / "outs" / FOLDER, path):
        matrices = [file.name for file in _matrices_in(folder).values()]
        outlines = [
            file.name
            for stem in _OUTLINES.values()
            for file in files_of_samples(folder, (stem,), _ENDINGS).values()
        ]
        if matrices or outlines:
            return (
                "Expected the segmented cells of one sample, "
                "filtered_feature_cell_matrix.h5 and cell_segmentations.geojson; "
                f"{folder} has the matrix {abbreviate(matrices)} and the outlines "
                f"{abbreviate(outlines)}. Put one of each there."
            )
    return ""


def part_meant(part: str | None) -> str | None:
    """Return the part of segmented cells that is asked for, None for another."""
    told = (part or "").strip().lower()
    told = _MEANT.get(told, told)
    return told if told in PARTS else None


def files_of_segmented(files: SegmentedFiles) -> list[Path]:
    """Return the files that are read."""
    pictures = _pictures_of(files)
    beside = [*pictures.images.values(), pictures.factors]
    found = [*tenx.matrix_files(files.matrix), *files.outlines.values(), *beside]
    return [file for file in found if file is not None]


def read_segmented(files: SegmentedFiles, part: str) -> AnnData:
    """Return segmented cells, coordinates in pixels of the full-resolution image.

    Parameters
    ----------
    files
        As `segmented_in` finds them.
    part
        ``cells``, or ``nuclei`` for the centres of these.

    Raises
    ------
    InputError
        If a file is damaged, or counts and outlines are of different runs.
    """
    outlines = _outlines(files, part)
    matrix = tenx.read_matrix(files.matrix)
    polygons = read_cell_polygons(outlines)
    centroids, areas = centroids_and_areas(polygons)
    cells = _table(polygons.ids, centroids, matrix.obs_names)
    pictures = _pictures_of(files)
    factors = {} if pictures.factors is None else read_scalefactors(pictures.factors)
    found = CellTables(
        matrix.X,
        matrix.obs_names,
        list(matrix.var_names),
        cells,
        "x_centroid",
        "y_centroid",
        2 * np.sqrt(areas / np.pi),
        factors.get("microns_per_pixel"),
        (files.matrix.name, outlines.name),
        {name: matrix.var[name].to_numpy() for name in matrix.var},
    )
    tissue = tissue_from_cells(found, _library(files))
    for entry in tissue.uns["spatial"].values():
        kept = {k: v for k, v in factors.items() if k not in _OF_BINS}
        entry["scalefactors"] = {**kept, **entry["scalefactors"]}
        if pictures.factors is not None:
            images = pictures.images.items()
            entry["images"] = {name: read_image(file) for name, file in images}
    note(tissue, part=part)
    warn(tissue, *doubts_of_pictures(pictures))
    # They have been read for the centres: reading the text again would take longer
    # than all else, so that they stay in memory.
    rings = Rings(
        polygons.vertices.astype(np.float32),
        polygons.offsets,
        tissue.obs_names.get_indexer(cells.index)[polygons.cells],
    )
    remember_outlines(tissue, outlines, lambda: rings)
    return tissue


def preview_segmented(files: SegmentedFiles, part: str) -> dict[str, Any]:
    """Return what is known of segmented cells, by the names of `Preview`."""
    from napari_semst.io.images import size_of_image

    outlines = _outlines(files, part)
    n_spots, n_genes = tenx.matrix_size(files.matrix)
    pictures = _pictures_of(files)
    image = next(iter(pictures.images.values()), None)
    return {
        "n_spots": n_spots,
        "n_genes": n_genes,
        "counts": files.matrix.name,
        "coordinates": outlines.name,
        "image": None if image is None else size_of_image(image),
        "columns": ("x_centroid", "y_centroid"),
        "remarks": doubts_of_pictures(pictures),
    }


def _outlines(files: SegmentedFiles, part: str) -> Path:
    if part in files.outlines:
        return files.outlines[part]
    raise InputError(
        f"Expected {_OUTLINES[part]}.geojson in {files.folder}, for the places of "
        f"{part}; found {abbreviate([p.name for p in files.outlines.values()])}. Ask "
        f"for {' or '.join(files.outlines)}."
    )


def _matrices_in(folder: Path) -> dict[str, Path]:
    """Return matrices of cells by sample."""
    for name in _MATRICES:
        found = files_of_samples(folder, (name,), (".h5",))
        if found:
            return found
        if tenx.is_mtx_folder(folder / name):
            return {"": folder / name}
    return {}


def _table(ids: pd.Index, places: Any, names: pd.Index) -> pd.DataFrame:
    """Return the places of cells by the names that the counts have for them.

    Space Ranger counts ``cellid_000000012-1`` and outlines the cell ``12``.
    """
    import pandas as pd

    table = pd.DataFrame(places, ids, ["x_centroid", "y_centroid"])
    if ids.isin(names).any():
        return table
    numbers = _numbers(names)
    if numbers.has_duplicates:
        return table
    rows = numbers.get_indexer(_numbers(ids))
    known = names.to_numpy(dtype=object)[rows]
    table.index = pd.Index(np.where(rows >= 0, known, ids.to_numpy(dtype=object)))
    return table


def _numbers(ids: pd.Index) -> pd.Index:
    """Return the numbers of cells in their ids, the ids where there is none."""
    import pandas as pd

    found = pd.Series(ids).str.extract(r"^(?:cellid_)?0*(\d+)(?:-\d+|\.0)?$")[0]
    return pd.Index(found.where(found.notna(), pd.Series(ids)))


def _pictures_of(files: SegmentedFiles) -> PictureFiles:
    """Return the image of the slide: the cells' own, the run's, or that of its bins."""
    run = files.folder.absolute().parent
    bins = sorted(run.glob("binned_outputs/square_*/spatial"))
    places = [files.folder / "spatial", files.folder, run / "spatial", *bins]
    return pictures_near(places, files.sample)


def _library(files: SegmentedFiles) -> str:
    """Return the section's name: Space Ranger's, else the sample's or the folder's."""
    folder = files.folder.absolute()
    above = folder.parent if folder.name == FOLDER else folder
    above = above.parent if above.name == "outs" else above
    return tenx.library_of(files.matrix) or files.sample or above.name
