"""Options of ``semst export``, ``import``, ``figure`` and ``run_summary``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_semst.cli.options import InputPath, Overwrite

Section = Annotated[
    str | None, typer.Option(help="Name of the section, where there are several.")
]
Coordinates = Annotated[
    str | None,
    typer.Option(help="obsm key of the coordinates, or two obs columns as x,y."),
]
RegionsPath = Annotated[
    Path, typer.Argument(help="GeoJSON of QuPath, or a .csv of spot and label.")
]
PixelSize = Annotated[
    float | None,
    typer.Option(
        help="Units of the coordinates per pixel of the image, as 0.2125 for Xenium; "
        "without it the coordinates are pixels."
    ),
]


def export(
    source: InputPath,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help=".geojson, .csv, or a SpatialData .zarr."),
    ],
    column: Annotated[
        str, typer.Option(help="obs column to write as GeoJSON.")
    ] = "semst_domain",
    shapes: Annotated[
        str,
        typer.Option(
            help="GeoJSON: regions (an annotation for each label), spots (a detection "
            "for each spot) or both."
        ),
    ] = "regions",
    section: Section = None,
    coordinates: Coordinates = None,
    pixel_size: PixelSize = None,
    table: Annotated[
        str, typer.Option(help="SpatialData: name of the table.")
    ] = "semst",
    region: Annotated[
        str | None,
        typer.Option(help="SpatialData: the element whose shapes the spots are."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write domains for other programs: GeoJSON for QuPath, CSV, SpatialData."""
    from napari_semst.cli import share

    wanted = share.Wanted(column, shapes, section, coordinates, pixel_size)
    share.export(source, output, wanted, table, region, overwrite=overwrite)


def import_regions(
    source: InputPath,
    regions: RegionsPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write (.h5ad).")
    ],
    column: Annotated[
        str, typer.Option(help="Name of the new obs column.")
    ] = "regions",
    by: Annotated[
        str, typer.Option(help="The label of a region: its class, or its name.")
    ] = "class",
    section: Section = None,
    coordinates: Coordinates = None,
    pixel_size: PixelSize = None,
    overwrite: Overwrite = False,
) -> None:
    """Label spots by regions drawn in QuPath or elsewhere."""
    from napari_semst.cli import share

    wanted = share.Wanted(column, by, section, coordinates, pixel_size)
    share.import_regions(source, regions, output, wanted, overwrite=overwrite)


def figure(
    source: InputPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to draw (.png, .svg, .pdf).")
    ],
    color: Annotated[
        list[str] | None,
        typer.Option(
            "--color",
            "-c",
            help="obs column, gene, or column of obsm as X_semst:1; again for more. "
            "Without it: image, domains and modulation.",
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Run to show without --color; else the latest."),
    ] = None,
    section: Section = None,
    coordinates: Coordinates = None,
    microns: Annotated[
        float | None,
        typer.Option(
            help="Micrometres per unit of the coordinates, for the scale bar; "
            "without it told from the section where it can be."
        ),
    ] = None,
    image: Annotated[bool, typer.Option(help="The tissue beneath the spots.")] = True,
    dpi: Annotated[int, typer.Option(help="Dots per inch.")] = 200,
    overwrite: Overwrite = False,
) -> None:
    """Draw a section by any column or gene, with legend and scale bar."""
    from napari_semst.cli import share

    drawn = share.Drawn(tuple(color or ()), run, section, coordinates, microns)
    share.figure(source, output, drawn, image=image, dpi=dpi, overwrite=overwrite)


def report(
    source: InputPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Page to write (.html).")
    ],
    run: Annotated[
        str | None, typer.Option("--run", help="Name of the run; else the latest.")
    ] = None,
    annotation: Annotated[
        str | None,
        typer.Option(help="obs column to show and to compare the domains with."),
    ] = None,
    markers: Annotated[
        Path | None,
        typer.Option(help="Table of marker genes to print (.csv)."),
    ] = None,
    color: Annotated[
        list[str] | None,
        typer.Option("--color", "-c", help="More pictures, as in semst figure."),
    ] = None,
    coordinates: Coordinates = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a report of a run as one HTML page."""
    from napari_semst.cli import share

    reported = share.Reported(run, annotation, markers, tuple(color or ()))
    share.report(source, output, reported, coordinates, overwrite=overwrite)
