"""What a run says of each section whose image and expression it compared, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# Shifts of a whole section below which nothing is said of them, in deviations.
_SHIFTED = 0.5
# Share of a section that is like nothing in the reference, from which on it is told.
_MUCH_UNLIKE = 0.02
# How much coarser an image may be than another one of the run.
_COARSER = 1.5


def power_text(spots: int, share: float, deviations: float) -> str:
    """Return how strong a region has to be to be found, as a part of a sentence.

    Parameters
    ----------
    spots
        Of a region.
    share
        Of its expression that is another tissue's; NaN where even all is not enough.
    deviations
        Above usual; NaN where that was not asked.
    """
    if math.isfinite(share):
        said = (
            f"half of the regions of {spots} spots are found where {share:.0%} of "
            "their expression is another tissue's"
        )
    else:
        said = (
            f"fewer than half of the regions of {spots} spots are found, even where "
            "all of their expression is another tissue's"
        )
    if math.isfinite(deviations):
        return (
            f"{said}; what is unexplained is found from {deviations:.1f} deviations "
            "above usual in their mean"
        )
    return f"{said}; what is unexplained was not asked"


def section_lines(trained: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the name of each section of a run, and what is said of it.

    Parameters
    ----------
    trained
        The record of the training; of a single section nothing is said.
    """
    return [(str(row["name"]), _line(row)) for row in section_rows(trained)]


def section_rows(trained: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is recorded of each section, by name of the column."""
    table = trained.get("sections_compared", {})
    columns = list(table)
    rows = zip(*(list(table[column]) for column in columns), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _line(row: Mapping[str, Any]) -> str:
    """Return what was done with a section."""
    if row["asked"] and not row["power_spots"]:
        return "compared, but its image predicts nothing that could be contradicted"
    if row["asked"]:
        power = power_text(
            int(row["power_spots"]), row["power_share"], row["power_deviations"]
        )
        said = "compared; " + power
        if row["unlike"]:
            said += f"; {int(row['unlike'])} spots look like nothing in the reference"
        return said
    if row["image"] in ("fits", "other tissue") and row["teaches"]:
        return "reference: teaches, and is not asked"
    if row["image"] == "fits" and row["unlike"]:
        return "not compared: all of it looks like nothing in the reference"
    return f"not compared: {_WHY.get(str(row['image']), _NOBODY)}"


_NOBODY = "no section teaches what images lead to expect"
_WHY = {
    "no image": "it has no image to rely upon",
    "beside": "its image lies beside its spots",
    "wrong image": "its image goes with another section, and not with its own",
    "tells nothing": "its image tells nothing of its expression",
    "other tissue": "its image does not go with its expression as in the others",
}


class SectionTold(NamedTuple):
    """A row of the table of sections, in words.

    Parameters
    ----------
    name, spots
        Of the section.
    role
        Whether it taught, and was asked.
    image
        What was noticed about its image.
    contradicts, unexplained
        How strong a region has to be to be found; empty where nothing was asked.
    """

    name: str
    spots: str
    role: str
    image: str
    contradicts: str
    unexplained: str


def section_table(trained: Mapping[str, Any]) -> list[SectionTold]:
    """Return the sections of a run, none of a run of a single one."""
    return [_told_of(row) for row in section_rows(trained)]


def _told_of(row: Mapping[str, Any]) -> SectionTold:
    role = "reference" if row["reference"] else "asked"
    if not row["reference"]:
        role = "asked, and teaches" if row["asked"] and row["teaches"] else role
        role = role if row["asked"] else "not compared"
    elif not row["teaches"]:
        role = "reference, but teaches nothing"
    image = _IMAGE.get(str(row["image"]), str(row["image"]))
    if row["image"] == "wrong image":
        image = f"goes with {row['image_of']}"
    elif row["image"] == "other tissue" and row["reference"]:
        image = "its own, and unlike the others"
    if row["unlike"]:
        image += f"; {int(row['unlike']):,} spots like nothing in the reference"
    return SectionTold(
        str(row["name"]), f"{int(row['spots']):,}", role, image, *_weakest(row)
    )


def _weakest(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the weakest regions that are found, of either kind."""
    if not row["asked"]:
        return "", ""
    if not row["power_spots"]:
        return "image predicts nothing", ""
    share, deviations = row["power_share"], row["power_deviations"]
    size = f"{int(row['power_spots'])} spots"
    contradicts = f"none of {size}"
    if math.isfinite(share):
        contradicts = f"{size}, {share:.0%} another tissue's expression"
    if not math.isfinite(deviations):
        return contradicts, "not asked"
    return contradicts, f"{size}, {deviations:.1f} deviations above usual"


_IMAGE = {
    "fits": "its own",
    "no image": "none to rely upon",
    "beside": "lies beside its spots",
    "tells nothing": "tells nothing of its expression",
    "other tissue": "unlike those of the others",
}


def section_warnings(trained: Mapping[str, Any]) -> list[str]:
    """Return warnings of sections that could not be compared, or not all of them."""
    rows = section_rows(trained)
    found = [text for row in rows for text in _of_section(row)]
    reference = [row for row in rows if row["reference"]]
    teach = [row for row in rows if row["teaches"]]
    if rows and not teach:
        found.append(
            "No section is left that teaches what images lead to expect: nothing was "
            "compared, and no spot is discordant."
        )
    elif reference and not any(row["asked"] for row in rows):
        found.append(
            "No section besides the reference is left that could be compared: no spot "
            "is discordant."
        )
    elif reference and len(teach) == 1:
        found.append(
            f"One reference section alone ({teach[0]['name']!r}) cannot tell how much "
            "sections differ by themselves. What contradicts is held against two nulls "
            "in its place, and weaker regions of it are not found. Give a second one."
        )
    return found


def _of_section(row: Mapping[str, Any]) -> list[str]:
    """Return the warnings of one section."""
    name, image, found = f"Section {row['name']!r}", row["image"], []
    role = "it teaches nothing" if row["reference"] else "nothing is compared there"
    if image == "wrong image":
        found.append(
            f"{name}: its image predicts none of its expression, neither by what the "
            "other sections teach nor by itself. It goes with the expression of "
            f"section {str(row['image_of'])!r}: are they swapped, or is "
            f"it turned? As it is, {role}."
        )
    elif image == "tells nothing":
        found.append(
            f"{name}: its image tells no more of its expression than it does moved "
            "elsewhere on the slide, neither by what the other sections teach nor by "
            "itself. It may be another section's image or turned, or show too little: "
            f"few spots, few pixels, tissue all alike. As it is, {role}."
        )
    elif image == "no image":
        found.append(f"{name} has no image to rely upon: {role}.")
    elif image == "beside":
        found.append(
            f"{name}: its image seems to lie beside its spots. Taken from "
            f"({row['offset_x']:+.4g}, {row['offset_y']:+.4g}) away (x and y in units "
            f"of the coordinates, {row['offset_pitches']:.1f} distances between spots) "
            "it predicts more of what they express. Align it and run again; as it is, "
            f"{role}."
        )
    elif image == "other tissue" and not row["reference"]:
        found.append(
            f"{name}: its image goes with its expression, and not as in the sections "
            "that teach: another tissue, another stain or too few spots. Nothing is "
            "compared there. Run it by itself, or with sections of its kind."
        )
    if row["unlike"] > _MUCH_UNLIKE * row["spots"]:
        found.append(
            f"{name}: {int(row['unlike'])} of {int(row['spots'])} spots look like "
            "nothing in the reference. Nothing tells what they are to express, and "
            "they are not compared (ig_compared)."
        )
    if row["asked"] and row["expression_shift"] >= _SHIFTED:
        found.append(
            f"{name} as a whole expresses otherwise than its image leads to expect, by "
            f"{row['expression_shift']:.1f} deviations. That is taken out, as handling "
            "would be: a state of the whole section is not found."
        )
    return found


def pixel_warnings(images: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a warning where images of sections are not of one sharpness.

    Parameters
    ----------
    images
        What was noted of each image, by its name.
    """
    across = {
        name: float(one["pixels_per_spot"])
        for name, one in images.items()
        if "pixels_per_spot" in one
    }
    if len(across) < 2:
        return []
    coarse, fine = (
        min(across, key=across.__getitem__),
        max(across, key=across.__getitem__),
    )
    if across[fine] < _COARSER * across[coarse]:
        return []
    return [
        f"Images differ in sharpness: a spot is {across[coarse]:.1f} pixels wide in "
        f"{coarse!r} and {across[fine]:.1f} in {fine!r}. Texture and nuclei look "
        "otherwise for that alone. Give images of one scale to all sections."
    ]
