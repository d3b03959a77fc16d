"""``semst export``, ``import``, ``figure``, ``report`` and ``session``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_semst import keys
from napari_semst.cli.shared_options import (
    InputPath,
    Overwrite,
    SavedRun,
    setting_option,
)
from napari_semst.errors import ConfigError, SaveError, one_of

if TYPE_CHECKING:
    import pandas as pd

    from napari_semst.io.geojson.label import RegionsAdded
    from napari_semst.io.import_labels import LabelsAdded

_EXPORTS = (".geojson", ".csv", ".zarr")

Section = Annotated[
    str | None, typer.Option(help="Name of the section, where there are several.")
]
Coordinates = Annotated[str | None, setting_option("prepare.coordinates")]
Shapes = Annotated[
    str,
    typer.Option(
        help="GeoJSON: regions (an annotation for each label), spots (a detection "
        "for each spot) or both."
    ),
]
TableName = Annotated[str, typer.Option(help="SpatialData: name of the table.")]
ShapesElement = Annotated[
    str | None,
    typer.Option(help="SpatialData: the element whose shapes the spots are."),
]
Colors = Annotated[
    list[str] | None,
    typer.Option(
        "--color",
        "-c",
        help="obs column, gene, or column of obsm as X_semst:1; again for more. "
        "Without it: image, domains and modulation.",
    ),
]
Microns = Annotated[
    float | None,
    typer.Option(
        help="Micrometres per unit of the coordinates, for the scale bar; "
        "without it told from the section where it can be."
    ),
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
    shapes: Shapes = "regions",
    section: Section = None,
    coordinates: Coordinates = None,
    pixel_size: PixelSize = None,
    table: TableName = "semst",
    region: ShapesElement = None,
    overwrite: Overwrite = False,
) -> None:
    """Write domains for other programs: GeoJSON for QuPath, CSV, SpatialData."""
    from napari_semst.explanation.region_file import write_regions
    from napari_semst.io.export.destinations import check_destination
    from napari_semst.io.export.h5ad import write_domains_csv
    from napari_semst.io.export.names import check_new_name
    from napari_semst.io.export.spatialdata import write_spatialdata_table
    from napari_semst.io.geojson.write import write_geojson
    from napari_semst.io.read import read
    from napari_semst.pipeline.files_read import inputs_of

    suffix = output.suffix.lower()
    if suffix not in _EXPORTS:
        raise SaveError(one_of("the ending of --output", output.suffix, _EXPORTS))
    if suffix == ".zarr":
        check_new_name(table, "the table (--table)", strict=True)
        # The store is there already: what is refused is a table of that name.
        write_spatialdata_table(
            read(source), output, table=table, region=region, overwrite=overwrite
        )
        typer.echo(f"Wrote the table {table} into {output}.")
        return
    check_destination(output, overwrite=overwrite, reads=inputs_of(source))
    tissue = read(source)
    if suffix == ".csv":
        write_domains_csv(tissue, output, coordinates=coordinates, overwrite=overwrite)
        typer.echo(f"Wrote {output}: {tissue.n_obs} spots.")
        return
    regions = column == keys.DISCORDANT_REGION
    write = write_regions if regions else partial(write_geojson, column=column)
    written = write(
        tissue,
        output,
        shapes=shapes,  # type: ignore[arg-type]
        section=section,
        coordinates=coordinates,
        pixel_size=pixel_size,
        overwrite=overwrite,
    )
    typer.echo(f"Wrote {output}: {column} as {shapes}.")
    for note in written.notes:
        typer.echo(f"  note: {note}")


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
    from napari_semst.io.export.destinations import check_destination
    from napari_semst.io.export.h5ad import write
    from napari_semst.io.export.names import check_new_name
    from napari_semst.io.export.trial import try_writing
    from napari_semst.io.geojson.label import add_regions
    from napari_semst.io.import_labels import add_labels
    from napari_semst.io.notes import warn
    from napari_semst.io.read import read
    from napari_semst.pipeline.files_read import inputs_of

    check_new_name(column, "the new column (--column)")
    check_destination(
        output, (".h5ad",), overwrite=overwrite, reads=[*inputs_of(source), regions]
    )
    tissue = read(source)
    warn(tissue, *try_writing(tissue))
    labelled: LabelsAdded | RegionsAdded
    if regions.suffix.lower() == ".csv":
        labelled = add_labels(tissue, regions, column)
    else:
        labelled = add_regions(
            tissue,
            regions,
            column,
            by=by,  # type: ignore[arg-type]
            section=section,
            coordinates=coordinates,
            pixel_size=pixel_size,
        )
    write(tissue, output, overwrite=overwrite)
    typer.echo(f"{column}: {len(labelled.names)} labels")
    typer.echo(labelled.words())
    typer.echo(f"Wrote {output}.")


def figure(
    source: InputPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to draw (.png, .svg, .pdf).")
    ],
    color: Colors = None,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Run to show without --color; else the latest."),
    ] = None,
    section: Section = None,
    coordinates: Coordinates = None,
    microns: Microns = None,
    image: Annotated[bool, typer.Option(help="The tissue beneath the spots.")] = True,
    dpi: Annotated[int, typer.Option(help="Dots per inch.")] = 200,
    overwrite: Overwrite = False,
) -> None:
    """Draw a section by any column or gene, with legend and scale bar."""
    from napari_semst.figure import colour_figure, domain_figure
    from napari_semst.figure.file import check_file_name
    from napari_semst.io.export.destinations import check_destination
    from napari_semst.io.read import read
    from napari_semst.pipeline.files_read import inputs_of

    colors = tuple(color or ())
    check_file_name(output, dpi)
    if colors and run is not None:
        raise ConfigError(
            "Expected --run or --color; got both. Name the run's column instead: "
            f"--color semst_domain_{run}."
        )
    if not colors and (microns is not None or not image):
        raise ConfigError(
            "Expected --color with --microns and --no-image; got none. Add --color "
            "semst_domain."
        )
    check_destination(output, overwrite=overwrite, reads=inputs_of(source))
    tissue = read(source)
    if colors:
        colour_figure(
            tissue,
            output,
            colors,
            section=section,
            coordinates=coordinates,
            microns=microns,
            image=image,
            dpi=dpi,
            overwrite=overwrite,
        )
    else:
        domain_figure(
            tissue,
            output,
            run=run,
            library=section,
            coordinates=coordinates,
            dpi=dpi,
            overwrite=overwrite,
        )
    typer.echo(f"Wrote {output}.")


def report(
    source: InputPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Page to write (.html).")
    ],
    run: SavedRun = None,
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
    from napari_semst.io.export.destinations import check_destination
    from napari_semst.io.read import read
    from napari_semst.pipeline.files_read import inputs_of
    from napari_semst.report import write_report

    reads = [*inputs_of(source), *([] if markers is None else [markers])]
    check_destination(output, (".html",), overwrite=overwrite, reads=reads)
    marker_table = None if markers is None else read_markers(markers)
    write_report(
        read(source),
        output,
        run=run,
        annotation=annotation,
        markers=marker_table,
        colors=tuple(color or ()),
        source=source,
        coordinates=coordinates,
        overwrite=overwrite,
    )
    typer.echo(f"Wrote {output}.")


def session(
    source: InputPath,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Code to write (.py, .ipynb or .sh)."),
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write what was done to a section in napari as code that does it again."""
    from napari_semst.io.export.destinations import check_destination
    from napari_semst.io.read import read
    from napari_semst.pipeline.files_read import inputs_of
    from napari_semst.session.script import SESSION_ENDINGS, write_session

    check_destination(
        output, SESSION_ENDINGS, overwrite=overwrite, reads=inputs_of(source)
    )
    missing = write_session(read(source), output, overwrite=overwrite)
    typer.echo(f"Wrote {output}.")
    for one in missing:
        typer.echo(f"Not done again: {one}", err=True)


def read_markers(path: Path) -> pd.DataFrame:
    """Return a table of marker genes, unpacked up to a limit where it is packed."""
    import pandas as pd

    from napari_semst.io.checks import (
        MEGABYTE,
        check_columns,
        check_file,
        translate_errors,
    )
    from napari_semst.io.formats.gzipped import open_unpacked

    what = "a table of marker genes (.csv)"
    check_file(path, what, at_most=64 * MEGABYTE)
    with translate_errors(path, what):
        with open_unpacked(path, what) as file:
            columns = len(pd.read_csv(file, header=None, nrows=1).columns)
        check_columns(columns, f"{what} {path}")
        with open_unpacked(path, what) as file:
            table: pd.DataFrame = pd.read_csv(file)
    return table
