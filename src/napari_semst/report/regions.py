"""What a report tells of discordant regions: a list, their genes, their image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import SemstError
from napari_semst.explanation.region_list import RegionRow, region_rows

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure

    from napari_semst.explanation.region_patches import RegionPatches
    from napari_semst.methods.section_texts import SectionTold
    from napari_semst.report.figures import ReportPicture

_PIXELS = 160
# Pictures of more regions would make a page that no program opens well.
_MOST_PICTURED = 12
_TITLES = ("In the region", "Looks alike, is as expected")


@dataclass(frozen=True)
class ReportedRegions:
    """Discordant regions of the run of a report.

    Parameters
    ----------
    rows
        The list.
    sentences
        What is told of each, in the same order.
    pictures
        Of the regions beside places that look alike; none without an image.
    notes
        To be read along.
    sections
        What was made of each section; none of a single one.
    """

    rows: tuple[RegionRow, ...]
    sentences: tuple[str, ...]
    pictures: tuple[ReportPicture, ...]
    notes: tuple[str, ...]
    sections: tuple[SectionTold, ...] = ()


def discordant_regions(adata: AnnData, run: str, dpi: int) -> ReportedRegions | None:
    """Return what is told of a run's discordant regions, `None` if it did not look.

    Parameters
    ----------
    run
        Its name, empty for the latest; only of the latest run the regions are kept.
    dpi
        Dots per inch of the pictures.
    """
    from napari_semst.explanation.discordance import explain_discordance
    from napari_semst.methods.section_texts import section_table
    from napari_semst.pipeline.provenance import python_values

    latest = str(adata.uns.get(keys.LATEST, run))
    if keys.DISCORDANT_REGION not in adata.obs or run not in ("", latest):
        return None
    recorded = python_values(adata.uns.get(keys.RUNS, {}).get(latest, {}))
    sections = tuple(section_table(recorded.get("training", {})))
    try:
        told = explain_discordance(adata)
    except SemstError as error:
        return ReportedRegions((), (), (), (str(error),), sections)
    sentences = tuple(one["sentence"] for one in told["regions"].values())
    pictures = _pictures(adata, latest, told, dpi) if sentences else ()
    notes = tuple(map(str, told["notes"]))
    rows = tuple(region_rows(told))
    return ReportedRegions(rows, sentences, pictures, notes, sections)


def _pictures(
    adata: AnnData, run: str, told: dict[str, Any], dpi: int
) -> tuple[ReportPicture, ...]:
    """Return a picture of each region, none where the image cannot be read."""
    from napari_semst.explanation.comparison_patches import PatchBook
    from napari_semst.explanation.region_list import KIND_WORDS
    from napari_semst.explanation.region_patches import look_at_region
    from napari_semst.report.figures import ReportPicture, picture_data

    column = adata.obs[keys.DISCORDANT_REGION].astype(object)
    found = []
    try:
        book = PatchBook(adata, run)
        for name in list(told["regions"])[:_MOST_PICTURED]:
            inside = np.flatnonzero(column == name).tolist()
            patches = look_at_region(book, adata, inside, _PIXELS)
            words = KIND_WORDS[told["regions"][name]["kind"]]
            caption = f"Region {name}, {words}. {patches.scale}"
            picture = picture_data(_drawn(patches, dpi), dpi)
            found.append(ReportPicture(caption, picture))
    except SemstError:
        # The list stands without pictures: the slide may lie elsewhere by now.
        return tuple(found)
    return tuple(found)


def _drawn(patches: RegionPatches, dpi: int) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    columns = len(patches.spots)
    size = (1.4 * columns, 3.3)
    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    for row, group, title in zip(
        axes, (patches.spots, patches.alike), _TITLES, strict=True
    ):
        row[0].set_title(title, fontsize=7, loc="left")
        for place, one in enumerate(row):
            one.axis("off")
            if place >= len(group):
                continue
            picture = patches.pictures[group[place]]
            one.imshow(picture)
            middle = (len(picture) - 1) / 2
            radius = patches.share * len(picture) / 2
            one.add_patch(
                Circle((middle, middle), radius, fill=False, color="white", linewidth=1)
            )
    return figure
