"""The section's images and scale factors, as Space Ranger writes them."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

from napari_semst.core.json_text import parse_json
from napari_semst.core.memory import check_fits
from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, check_file, translate_errors
from napari_semst.io.formats.gzipped import open_bytes, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

RESOLUTIONS = ("hires", "lowres")
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
# 12,000 x 12,000: Space Ranger's largest (Visium HD) is 6,000 x 6,000.
LARGEST_IMAGE = 144_000_000
_PIXEL_BYTES = 12
_LARGEST_FILE = 1000 * MEGABYTE
_FORMATS = ("PNG", "JPEG", "TIFF")
_WHAT = "the image"


def size_of_image(path: Path) -> tuple[int, int]:
    """Return the height and width of an image, packed or not, without reading it."""
    from PIL import Image

    with (
        open_bytes(path, _WHAT, _LARGEST_FILE) as file,
        Image.open(file, formats=_FORMATS) as opened,
    ):
        width, height = opened.size
    return height, width


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return an image as uint8, shape ``(height, width, 3)`` or with 4 channels.

    Raises
    ------
    InputError
        If it is damaged, no PNG, JPEG or TIFF, or claims more than `LARGEST_IMAGE`
        pixels.
    """
    import numpy as np
    from PIL import Image

    check_file(path, _WHAT, at_most=_LARGEST_FILE)
    with translate_errors(path, _WHAT):
        held = io.BytesIO(read_bytes(path, _WHAT, _LARGEST_FILE))
    try:
        with warnings.catch_warnings():
            # The bound below is ours; Pillow's warning comes at half of its own.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(held, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(path, "far more")) from error
    except Exception as error:
        raise InputError(
            f"Expected a PNG, JPEG or TIFF image at {path}; it could not be opened. "
            "Replace it, or move it away to open the spots without it."
        ) from error
    with translate_errors(path, _WHAT), opened as image:
        width, height = image.size
        if width * height > LARGEST_IMAGE:
            raise InputError(_too_large(path, f"{width:,} x {height:,}"))
        # Unpacked, turned into colours, and copied.
        check_fits(width * height * _PIXEL_BYTES, path, _WHAT)
        mode = "RGBA" if image.mode in ("RGBA", "LA", "PA") else "RGB"
        return np.array(_eight_bit(image).convert(mode), dtype=np.uint8)


def read_scalefactors(path: Path) -> dict[str, float]:
    """Return the numbers in ``scalefactors_json.json``.

    Raises
    ------
    InputError
        If it is no such file or a value is not a positive number.
    """
    what = "the scale factors"
    check_file(path, what, at_most=MEGABYTE)
    with translate_errors(path, what):
        values: Any = parse_json(read_bytes(path, what, MEGABYTE))
    if not isinstance(values, dict):
        raise InputError(f"Expected {what} at {path} to be names and numbers.")
    numbers = {
        str(name): _float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    for name, number in numbers.items():
        if name.startswith(("tissue_", "spot_")) and not _is_size(number):
            raise InputError(
                f"Expected {name} in {path} to be a positive number; got {number}."
            )
    return numbers


def _float(value: float) -> float:
    """Return a number, infinity for whole ones that are larger than any float."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_size(number: float) -> bool:
    return math.isfinite(number) and number > 0


def _eight_bit(image: Any) -> Any:
    """Return an image of 16 bits per channel scaled to 8; others as they are."""
    if not image.mode.startswith("I"):
        return image
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    return Image.fromarray((np.clip(values, 0, 65535) // 257).astype(np.uint8))


def _too_large(path: Path, found: str) -> str:
    return (
        f"Expected an image of at most {LARGEST_IMAGE // 1_000_000} million pixels at "
        f"{path}; it claims {found}. Use the hires image that Space Ranger wrote."
    )
