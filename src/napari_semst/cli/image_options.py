"""Options on the image around spots, and whether they fit the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.errors import ConfigError
from napari_semst.methods.registry import method_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.config import Config

Image = Annotated[
    Path | None,
    typer.Option(
        help="Image file of the section (TIFF, OME-TIFF, SVS, PNG, JPEG, OME-Zarr), in "
        "whose pixels coordinates are; else the section's own."
    ),
]
ImageEncoder = Annotated[
    str | None,
    typer.Option(
        help="What describes the image around a spot: builtin (stains, intensity, "
        "texture, nuclei), timm:ID or hf:ID (a network, by name or folder), obsm:KEY "
        "(features that the section holds), or none."
    ),
]
ImageScale = Annotated[
    float | None,
    typer.Option(help="Pixels of --image per unit of the coordinates; else 1."),
]
SpotDiameter = Annotated[
    float | None,
    typer.Option(
        help="Diameter of a spot in units of the coordinates; else from the file."
    ),
]
Context = Annotated[
    float | None,
    typer.Option(help="Side of the wider patch around a spot, in its diameters."),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--fdr",
        help="Of image-guided: false discovery rate at which spots are called "
        "discordant.",
    ),
]

# Options that are read where patches are, and those that only go with a file.
_OF_PATCHES = {
    "image": "--image",
    "image_scale": "--image-scale",
    "spot_diameter": "--spot-diameter",
    "context": "--context",
}


def image_settings(
    image: Path | None,
    encoder: str | None,
    image_scale: float | None,
    spot_diameter: float | None,
    context: float | None,
) -> dict[str, Any]:
    """Return the settings of morphology that the options stand for.

    Parameters
    ----------
    image, encoder, image_scale, spot_diameter, context
        As given; `None` where not.
    """
    return {
        "image": None if image is None else str(image),
        "encoder": encoder,
        "image_scale": image_scale,
        "spot_diameter": spot_diameter,
        "context": context,
    }


def refuse_one_image(image: Path | None, n_sections: int) -> None:
    """Refuse one image file for several sections.

    Raises
    ------
    ConfigError
        If there is one.
    """
    if image is not None and n_sections > 1:
        raise ConfigError(
            f"Expected one section with --image; got {n_sections}. Run each with its "
            "own image, or let every section bring its image."
        )


def check_image(given: Mapping[str, Any], rate: float | None, config: Config) -> None:
    """Refuse options on the image that the run would not read.

    Parameters
    ----------
    given
        As `image_settings` returned it.
    rate
        The false discovery rate; `None` where not given.
    config
        All settings.

    Raises
    ------
    ConfigError
        If one of them would be without effect, or the image file is not there.
    """
    method, wanted = config.model.method, config.morphology
    if rate is not None and not method_spec(method).discordance:
        raise ConfigError(
            f"Expected --fdr with --method image-guided; got the method {method!r}, "
            "which compares nothing with an image. Leave --fdr out, or choose that "
            "method."
        )
    told = [name for key, name in _OF_PATCHES.items() if given.get(key) is not None]
    unread = wanted.encoder == "none" or wanted.encoder.startswith("obsm:")
    if told and unread:
        raise ConfigError(
            f"Expected a run that reads an image with {told[0]}; got the method "
            f"{method!r} and the image encoder {wanted.encoder!r}, which read none. "
            "Add --method image-guided, or --image-encoder builtin, timm:ID or hf:ID."
        )
    if given.get("image_scale") is not None and not wanted.image:
        raise ConfigError(
            "Expected --image FILE with --image-scale; got none. The section's own "
            "image brings its scale."
        )
    if given.get("image") is not None and not Path(wanted.image).expanduser().exists():
        raise ConfigError(
            f"Expected an image at {wanted.image}; there is none. Check the path."
        )
