"""``semst convert``: any input written as AnnData or SpatialData."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.shared_options import (
    AsJson,
    InputPath,
    Overwrite,
    Quiet,
    setting_option,
)

if TYPE_CHECKING:
    from napari_semst.pipeline.convert import Conversion

SCHEMA = 1
"""Rises where a field of ``--json`` is taken away or means another thing."""

Positions = Annotated[
    str | None,
    typer.Option(
        help="Where the spots are: an obsm key, two obs columns as x,y, or the "
        "positions file of a 10x matrix or a table."
    ),
]


def convert(
    source: InputPath,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File or store to write (.h5ad, .zarr)."),
    ],
    part: Annotated[str | None, setting_option("prepare.part")] = None,
    positions: Positions = None,
    features: Annotated[str | None, setting_option("prepare.features")] = None,
    counts_layer: Annotated[
        str, typer.Option(help="Layer with the counts, or raw: it becomes X.")
    ] = "",
    output_format: Annotated[
        str,
        typer.Option("--format", help="anndata, or spatialdata (a .zarr store)."),
    ] = "anndata",
    image: Annotated[
        Path | None,
        typer.Option(help="Image to add to the section (.tif, .png, .jpg): H&E, say."),
    ] = None,
    image_pixel_size: Annotated[
        float | None,
        typer.Option(help="Micrometres in a pixel of it, where its file states none."),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(help="Table (CSV) of landmarks by which it is registered."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write any input that is read as AnnData or SpatialData, with its provenance."""
    from napari_semst.cli.output import show_progress
    from napari_semst.core.progress import run_to_end
    from napari_semst.pipeline.convert import convert_steps

    steps = convert_steps(
        source,
        output,
        part=part,
        positions=positions,
        features=features,
        counts_layer=counts_layer,
        output_format=output_format,
        image=image,
        pixel_size=image_pixel_size,
        landmarks=landmarks,
        overwrite=overwrite,
    )
    account = _account(source, run_to_end(show_progress(steps, quiet=quiet)))
    typer.echo(json.dumps(account, indent=2) if as_json else _in_words(account))


def _account(source: Path, made: Conversion) -> dict[str, Any]:
    """Return the machine-readable account of a conversion."""
    from napari_semst.io.matrices import named_layers
    from napari_semst.io.sections import libraries, part

    tissue, facts = made.tissue, made.facts
    return {
        "schema": SCHEMA,
        "input": str(source),
        "format": facts["format"],
        "output": str(made.path),
        "written_as": facts["written_as"],
        "n_spots": tissue.n_obs,
        "n_genes": tissue.n_vars,
        "layers": sorted(named_layers(tissue)),
        "images": [
            f"{library} {name}"
            for library in libraries(tissue)
            for name in part(tissue, library, "images")
        ],
        "warnings": list(made.warnings),
    }


def _in_words(account: dict[str, Any]) -> str:
    lines = [
        f"Wrote {account['output']}: {account['n_spots']} spots x "
        f"{account['n_genes']} genes.",
        f"  from        {account['format']}",
        f"  images      {', '.join(account['images']) or 'none'}",
        f"  layers      {', '.join(account['layers']) or 'none'}",
    ]
    lines += [f"  note        {text}" for text in account["warnings"]]
    return "\n".join(lines)
