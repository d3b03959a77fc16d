"""Another image added to a section: histology taken after the run, say.

It becomes an entry of ``uns["spatial"]`` beside the section's own, of all its spots, at
the size of its pixels and with its corner at the origin of the coordinates; landmarks
then put it where it belongs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError, one_of
from napari_semst.io.checks import abbreviate
from napari_semst.io.places.landmark_facts import microns_per_unit
from napari_semst.io.places.landmarks import keep_landmarks, register_image
from napari_semst.io.sections import (
    ADDED,
    added_libraries,
    libraries,
    library_column,
    own_libraries,
)

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.registration.landmarks import Landmarks

# Pixels of an image that are kept in the section, as of those that come with it.
_ENOUGH = 16_000_000
_TIFF = (".tif", ".tiff", ".svs", ".ndpi")
IMAGE_ENDINGS = (*_TIFF, ".png", ".jpg", ".jpeg")
"""Of files that can be added."""


@dataclass(frozen=True, slots=True, eq=False)
class AddedImage:
    """An image as it was read, ready to be an entry of a section.

    Parameters
    ----------
    name
        Of the entry.
    entry
        What ``uns["spatial"]`` is to hold.
    told
        What is to be known of it, in one sentence or several; may be empty.
    """

    name: str
    entry: dict[str, Any]
    told: str = ""


def add_image(
    section: AnnData,
    path: str | Path,
    *,
    name: str = "",
    pixel_size: float | None = None,
    landmarks: Landmarks | None = None,
) -> str:
    """Add an image from a file to a section, and register it if landmarks are given.

    Parameters
    ----------
    section
        The section, of one piece; ``uns["spatial"]`` gets an entry.
    path
        A TIFF (OME-TIFF, SVS), PNG or JPEG file. Of more than 16 million pixels a
        smaller copy is kept; napari draws the file as long as it is there.
    name
        Of the entry; the file's name if not given, with a number where that is taken.
    pixel_size
        Micrometres in a pixel of the file, where that does not state it. If neither
        does, or the section does not tell its scale, the image is made as long as the
        section, and a warning is noted.
    landmarks
        Places on the image, in the unit of the coordinates from its upper left corner,
        and where they belong.

    Returns
    -------
    str
        The name of the entry: the library that `napari_semst.register_image` takes.

    Raises
    ------
    InputError
        If the file is no such image or damaged, the name is taken, the section holds
        several, or the landmarks cannot be used; nothing is changed.
    """
    from napari_semst.io.notes import warn

    added = read_added_image(section, path, name=name, pixel_size=pixel_size)
    if landmarks is not None:
        from napari_semst.registration.landmarks import landmarks_from
        from napari_semst.registration.maps import map_of

        map_of(landmarks_from(landmarks.image, landmarks.spots, landmarks.kind))
    put_added_image(section, added)
    if landmarks is not None:
        register_image(section, added.name, landmarks)
    warn(section, *([added.told] if added.told else []))
    return added.name


def remove_image(section: AnnData, name: str) -> None:
    """Remove an image that was added, with its landmarks; others stay.

    Parameters
    ----------
    section
        The section.
    name
        As `add_image` returned it.

    Raises
    ------
    InputError
        If no image of this name was added.
    """
    from napari_semst.io.manual_alignment import Adjustment, adjust

    if name not in added_libraries(section):
        raise InputError(one_of("added image", name, added_libraries(section)))
    keep_landmarks(section, name, None)
    adjust(section, name, Adjustment())
    kept = dict(section.uns["spatial"])
    del kept[name]
    section.uns["spatial"] = kept


def put_added_image(section: AnnData, added: AddedImage) -> None:
    """Make an image that was read an entry of a section."""
    kept: Any = section.uns.get("spatial")
    known = dict(kept) if hasattr(kept, "items") else {}
    section.uns["spatial"] = {**known, added.name: added.entry}


def read_added_image(
    section: AnnData,
    path: str | Path,
    *,
    name: str = "",
    pixel_size: float | None = None,
) -> AddedImage:
    """Return an image as `add_image` adds it; the section is not changed.

    Raises
    ------
    InputError
        As `add_image`.
    """
    from napari_semst.io.alignment import spot_positions

    place = Path(path).expanduser()
    column = keys.SECTION if keys.SECTION in section.obs else library_column(section)
    if column:
        raise InputError(
            f"Expected a section of one piece; this one holds several, which "
            f"obs[{column!r}] tells apart. Add the image to its section, then join "
            "them."
        )
    name = name.replace("/", "_") or _free_name(section, place)
    if name in libraries(section):
        raise InputError(
            f"Expected another name for the image than those there are, "
            f"{abbreviate(libraries(section))}; got {name!r}. Choose another name."
        )
    if pixel_size is not None and not 0 < pixel_size < math.inf:
        raise InputError(
            "Expected the size of a pixel as a positive number of micrometres; got "
            f"{pixel_size!r}."
        )
    pixels, share, stated = _pixels(place)
    size = pixel_size or stated
    microns = _microns(section)
    told = ""
    if size and microns:
        per_unit = share * microns / size
    else:
        # As long as the section from its origin, so that both are seen.
        reach = float(np.abs(spot_positions(section)).max()) or 1.0
        per_unit = max(pixels.shape[:2]) / reach
        lacking = (
            "the section does not tell its scale" if size else "the file states none"
        )
        told = (
            f"The image {place.name} is shown as long as the section: the size of its "
            f"pixels is not known there, as {lacking}. Landmarks put it right."
        )
    entry = {
        "images": {"hires": pixels},
        "scalefactors": {
            "tissue_hires_scalef": per_unit,
            "tissue_hires_origin_x": 0.0,
            "tissue_hires_origin_y": 0.0,
            **({"microns_per_pixel": microns} if microns else {}),
        },
        "metadata": {ADDED: place.name},
    }
    return AddedImage(name, entry, told)


def _free_name(section: AnnData, path: Path) -> str:
    """Return a file's name, with a number behind it where there is an entry of it."""
    bare = path.name.partition(".")[0] or "image"
    name, count = bare, 1
    while name in libraries(section):
        count += 1
        name = f"{bare}_{count}"
    return name


def _pixels(path: Path) -> tuple[NDArray[np.uint8], float, float | None]:
    """Return pixels as they are kept, their share of the file's, and a pixel's size."""
    from napari_semst.io.formats.tiff import pixel_size_in, read_section_image
    from napari_semst.io.images import read_image

    if path.suffix.lower() not in IMAGE_ENDINGS:
        raise InputError(
            f"Expected an image, {', '.join(IMAGE_ENDINGS)}; got {path.name}. Save it "
            "as one of these."
        )
    if path.suffix.lower() in _TIFF:
        if not path.is_file():
            raise InputError(
                f"Expected the image at {path}; there is none. Check the path."
            )
        found, problem = read_section_image(path, 1.0)
        if found is None:
            raise InputError(" ".join(problem))
        return found.image, found.per_unit, pixel_size_in(path)
    image = read_image(path)[..., :3]
    height, width = image.shape[:2]
    step = max(1, math.ceil(math.sqrt(height * width / _ENOUGH)))
    middle = step // 2
    return np.ascontiguousarray(image[middle::step, middle::step]), 1 / step, None


def _microns(section: AnnData) -> float | None:
    """Return micrometres in a unit of a section's coordinates, None where unknown."""
    for library in own_libraries(section):
        microns = microns_per_unit(section, library, None)
        if microns is not None:
            return microns
    return None
