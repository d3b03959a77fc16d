"""SpatialData: a zarr store of tables, shapes and images of one or several sections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.notes import note
from napari_semst.io.outlines.shapes import remember_shapes
from napari_semst.io.readers import h5ad
from napari_semst.io.readers.anndata_preview import preview_group
from napari_semst.io.readers.spatialdata_images import image_size, show_images
from napari_semst.io.readers.spatialdata_places import (
    Element,
    find_element,
    place_by_elements,
)
from napari_semst.io.readers.zarr import check_store, read_anndata_store
from napari_semst.io.transcripts.points import remember_point_molecules
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

_WHAT = "the SpatialData store"
_ATTRIBUTES = "spatialdata_attrs"
# The second is that of the first versions.
_TABLES = ("tables", "table")


def can_read(path: Path) -> bool:
    """Return whether a folder is a SpatialData store with a table."""
    if not path.is_dir():
        return False
    known = _ATTRIBUTES in ngff.attributes(path)
    elements = any((path / name).is_dir() for name in ("shapes", "labels", "images"))
    return (known or elements) and bool(tables_in(path))


def tables_in(path: Path) -> dict[str, Path]:
    """Return the tables of a store by name."""
    found = {
        group.name: group
        for folder in _TABLES
        for group in (
            sorted((path / folder).iterdir()) if (path / folder).is_dir() else ()
        )
    }
    return {
        name: group
        for name, group in found.items()
        if ngff.attributes(group).get("encoding-type") == "anndata"
    }


def choose_table(path: Path, options: ReadOptions) -> tuple[str, Path]:
    """Return the table to read: the one asked for, or the only one with counts.

    Of several, the one called ``table``.

    Raises
    ------
    InputError
        If there is no such table, or it is not clear which is meant.
    """
    tables = tables_in(path)
    # A table of results, as this program writes them, has no counts.
    counted = [name for name, group in tables.items() if _has_counts(group)]
    name = options.part or (counted[0] if len(counted) == 1 else "table")
    if name not in tables:
        first = (counted or list(tables))[0]
        raise InputError(
            Worded(
                f"Expected one table in {path}, or the name of one; found tables: "
                f"{abbreviate(list(tables))}. ",
                Way(
                    f"Name one: --part {first}.",
                    f"Name one: part={first!r}.",
                    "Choose one under Part.",
                ),
            )
        )
    return name, tables[name]


def _has_counts(table: Path) -> bool:
    matrix = table / "X"
    return matrix.is_dir() and ngff.attributes(matrix).get("encoding-type") != "null"


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return a table of a store, with the places of its elements and an image.

    A table describes shapes, labels or both. Coordinates are those of the coordinate
    system ``global``, or of the first in which the described elements are.

    Raises
    ------
    InputError
        If it is damaged, its table is not clear, or its spots have no places.
    """
    name, group = choose_table(path, options)
    declared = check_store(group)
    with translate_errors(group, _WHAT):
        adata = read_anndata_store(group, declared, options, _WHAT)
        told = ngff.attributes(group)
    placed = None
    if options.positions is None:
        with translate_errors(path, _WHAT):
            usual = _system(path, group)
            placed = place_by_elements(adata, path, told, usual)
    tissue = h5ad.as_section(adata, path, replace(options, part=None))
    note(tissue, table=name)
    if placed is not None:
        note(tissue, coordinate_system=", ".join(placed.systems))
        show_images(tissue, path, placed)
        remember_point_molecules(tissue, path, placed)
        remember_shapes(tissue, path, str(told.get("instance_key", "")), placed)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a store, by the names of `Preview`."""
    import zarr

    name, group = choose_table(path, options)
    check_store(group)
    found = preview_group(zarr.open_group(group, mode="r"), options)
    tables = tuple(tables_in(path))
    elements = elements_of(path, group)
    found["part"] = f"the table {name}"
    found["parts"] = tuple(f"the table {table}" for table in tables)
    if elements and options.positions is None:
        found["coordinates"] = _named(elements)
        found["image"] = image_size(path) or found["image"]
    return found


def elements_of(path: Path, table: Path) -> list[Element]:
    """Return the elements that a table says it describes, none unless all are there."""
    told = ngff.attributes(table).get("region")
    names = [told] if isinstance(told, str) else list(told or ())
    found = [find_element(path, str(name)) for name in names]
    there = [element for element in found if element is not None]
    return there if len(there) == len(names) else []


def _named(elements: list[Element]) -> str:
    """Return elements as text: ``labels a, b; shapes c``."""
    kinds: dict[str, list[str]] = {}
    for element in elements:
        kinds.setdefault(element.kind, []).append(element.group.name)
    return "; ".join(f"{kind} {abbreviate(names)}" for kind, names in kinds.items())


def _system(path: Path, table: Path) -> str:
    """Return the coordinate system in which a section is shown."""
    there = [
        system
        for element in elements_of(path, table)
        for system in ngff.placed_in(element.transforms)
    ]
    return there[0] if there and ngff.USUAL_SYSTEM not in there else ngff.USUAL_SYSTEM
