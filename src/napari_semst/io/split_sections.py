"""Sections of one table taken apart, each as if it were alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from napari_semst import keys
from napari_semst.io.sections import own_libraries, sections_of, spots_of

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

# What puts images where they lie, by library.
_PLACED = (keys.ALIGNMENT, keys.LANDMARKS)


class SectionView(NamedTuple):
    """One section of a tissue.

    Parameters
    ----------
    name
        Of the section.
    spots
        Indices of its spots in the tissue.
    library
        Its entry in ``uns["spatial"]``, `None` without one.
    tissue
        Its coordinates as ``obsm["spatial"]`` and its entry in ``uns["spatial"]``, and
        nothing else.
    """

    name: str
    spots: NDArray[np.int64]
    library: str | None
    tissue: AnnData


def shown_section_key(adata: AnnData, run: str = "") -> str:
    """Return the obs column by which a tissue is to be shown in sections.

    Parameters
    ----------
    adata
        The tissue.
    run
        Name of a run; empty: the latest.

    Returns
    -------
    str
        The column that the run was told to tell sections apart by, else the one that
        joined sections have, else empty.
    """
    facts: Any = adata.uns.get(keys.RUNS, {})
    for part in (run or str(adata.uns.get(keys.LATEST, "")), "config", "prepare"):
        facts = facts.get(part, {}) if hasattr(facts, "get") else {}
    told = str(facts.get("section_key", "")) if hasattr(facts, "get") else ""
    return next((c for c in (told, keys.SECTION) if c and c in adata.obs), "")


def split_sections(
    adata: AnnData, column: str, coordinates: str | None = None
) -> list[SectionView]:
    """Return the sections of a tissue, in the order of their first spots.

    Parameters
    ----------
    adata
        The tissue.
    column
        The obs column that tells sections apart.
    coordinates
        Where the spots are: an obsm key, or two obs columns as ``"x,y"``; `None`
        looks for them.

    Raises
    ------
    InputError
        If there is no such column or spots have no entry in it, or the coordinates
        cannot be used.
    """
    from napari_semst.io.coordinates import find_coordinates

    places = find_coordinates(adata, coordinates)
    sections = sections_of(adata, column)
    return [
        _section_view(adata, name, spots, places[spots])
        for name, spots in zip(sections.names, sections.spots(), strict=True)
    ]


def _section_view(
    adata: AnnData, name: str, spots: NDArray[np.int64], places: NDArray[np.float64]
) -> SectionView:
    from anndata import AnnData

    library = _library(adata, name, spots)
    entries = {} if library is None else {library: adata.uns["spatial"][library]}
    tissue = AnnData(
        shape=(len(spots), 0),
        obsm={keys.SPATIAL: places},
        uns={"spatial": entries} | {key: adata.uns.get(key, {}) for key in _PLACED},
    )
    return SectionView(name, spots, library, tissue)


def _library(adata: AnnData, name: str, spots: NDArray[np.int64]) -> str | None:
    """Return the library of a section: of its name, else the one that holds it."""
    names = own_libraries(adata)
    if name in names:
        return name
    if len(names) == 1 and keys.SECTION not in adata.obs:
        # Pieces of tissue on one slide, that share its image.
        return names[0]
    if len(names) < 2:
        return None
    for one in names:
        own = spots_of(adata, one)
        # All spots are those of a library that no column names.
        if own[spots].all() and not own.all():
            return one
    return None
