"""``semst export``, ``semst import``, ``semst figure`` and ``semst report``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from napari_semst.errors import ConfigError, SaveError, one_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_semst.io.export.labels_csv import LabelsAdded
    from napari_semst.io.geojson.label import RegionsAdded

_EXPORTS = (".geojson", ".csv", ".zarr")


@dataclass(frozen=True)
class Wanted:
    """What is written or read.

    Parameters
    ----------
    column
        The obs column.
    how
        Shapes to write, or what of a region is its label.
    section, coordinates, pixel_size
        As for `napari_semst.write_geojson`.
    """

    column: str
    how: str
    section: str | None
    coordinates: str | None
    pixel_size: float | None

    @property
    def place(self) -> dict[str, Any]:
        """Where the spots are."""
        return {
            "section": self.section,
            "coordinates": self.coordinates,
            "pixel_size": self.pixel_size,
        }


@dataclass(frozen=True)
class Drawn:
    """What a figure shows, as for `napari_semst.colour_figure`."""

    colors: tuple[str, ...]
    run: str | None
    section: str | None
    coordinates: str | None
    microns: float | None


@dataclass(frozen=True)
class Reported:
    """What a report tells, as for `napari_semst.write_report`; markers as a file."""

    run: str | None
    annotation: str | None
    markers: Path | None
    colors: tuple[str, ...]


def check_output(source: Path, output: Path, *, overwrite: bool) -> None:
    """Refuse a place before the work.

    Raises
    ------
    SaveError
        If the folder does not exist, the place is the input, or a file stands there.
    """
    if not output.absolute().parent.is_dir():
        raise SaveError(
            f"Expected an existing folder for {output}; found none. Make "
            f"{output.absolute().parent} first."
        )
    if output.exists() and source.exists() and output.samefile(source):
        raise SaveError(
            f"Expected another file than the input for the result; got {output}. The "
            "input is never written over: choose another name."
        )
    if output.exists() and not overwrite:
        raise SaveError(
            f"Expected {output} not to exist yet; it does. Choose another name or add "
            "--overwrite."
        )


def export(
    source: Path,
    output: Path,
    wanted: Wanted,
    table: str,
    region: str | None,
    *,
    overwrite: bool,
) -> None:
    """Write domains as the ending of the output says.

    Parameters
    ----------
    source
        The section; it is not changed.
    output
        ``.geojson``, ``.csv``, or the ``.zarr`` of a SpatialData.
    wanted
        What is written.
    table, region
        Of SpatialData: name of the table, and of the shapes it is about.
    overwrite
        Replace a file, or a table, that exists.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.io.export.h5ad import write_domains_csv
    from napari_semst.io.export.spatialdata import write_spatialdata_table
    from napari_semst.io.geojson.write import write_geojson
    from napari_semst.io.read import read

    suffix = output.suffix.lower()
    if suffix not in _EXPORTS:
        raise SaveError(one_of("the ending of --output", output.suffix, _EXPORTS))
    if suffix == ".zarr":
        # The store is there already: what is refused is a table of that name.
        write_spatialdata_table(
            read(source), output, table=table, region=region, overwrite=overwrite
        )
        typer.echo(f"Wrote the table {table} into {output}.")
        return
    check_output(source, output, overwrite=overwrite)
    tissue = read(source)
    if suffix == ".csv":
        write_domains_csv(
            tissue, output, coordinates=wanted.coordinates, overwrite=overwrite
        )
        typer.echo(f"Wrote {output}: {tissue.n_obs} spots.")
        return
    written = write_geojson(
        tissue,
        output,
        column=wanted.column,
        shapes=wanted.how,  # type: ignore[arg-type]
        **wanted.place,
        overwrite=overwrite,
    )
    typer.echo(f"Wrote {output}: {wanted.column} as {wanted.how}.")
    for note in written.notes:
        typer.echo(f"  note: {note}")


def import_regions(
    source: Path, regions: Path, output: Path, wanted: Wanted, *, overwrite: bool
) -> None:
    """Label spots by the regions or the table of a file, and save.

    Parameters
    ----------
    source
        The section; it is not changed.
    regions
        GeoJSON, or a ``.csv`` of spots and labels.
    output
        ``.h5ad`` to write.
    wanted
        What is read, and the name of the new column.
    overwrite
        Replace a file that exists.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.io.export.h5ad import write
    from napari_semst.io.export.labels_csv import add_labels
    from napari_semst.io.geojson.label import add_regions
    from napari_semst.io.read import read

    if output.suffix.lower() != ".h5ad":
        raise SaveError(f"Expected a name that ends in .h5ad; got {output}.")
    check_output(source, output, overwrite=overwrite)
    tissue = read(source)
    told: LabelsAdded | RegionsAdded
    if regions.suffix.lower() == ".csv":
        told = add_labels(tissue, regions, wanted.column)
    else:
        told = add_regions(
            tissue,
            regions,
            wanted.column,
            by=wanted.how,  # type: ignore[arg-type]
            **wanted.place,
        )
    write(tissue, output, overwrite=overwrite)
    typer.echo(f"{wanted.column}: {len(told.names)} labels")
    typer.echo(told.words())
    typer.echo(f"Wrote {output}.")


def figure(
    source: Path, output: Path, drawn: Drawn, *, image: bool, dpi: int, overwrite: bool
) -> None:
    """Draw a section.

    Parameters
    ----------
    source
        The section.
    output
        ``.png``, ``.svg`` or ``.pdf``.
    drawn
        What is shown.
    image
        Whether the tissue's image is drawn beneath.
    dpi
        Dots per inch.
    overwrite
        Replace a file that exists.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.figure import colour_figure, domain_figure
    from napari_semst.figure.file import check_file_name
    from napari_semst.io.read import read

    check_file_name(output, dpi)
    if drawn.colors and drawn.run is not None:
        raise ConfigError(
            "Expected --run or --color; got both. Name the run's column instead: "
            f"--color semst_domain_{drawn.run}."
        )
    if not drawn.colors and (drawn.microns is not None or not image):
        raise ConfigError(
            "Expected --color with --microns and --no-image; got none. Add --color "
            "semst_domain."
        )
    check_output(source, output, overwrite=overwrite)
    tissue, place = read(source), drawn.coordinates
    if drawn.colors:
        colour_figure(
            tissue,
            output,
            drawn.colors,
            section=drawn.section,
            coordinates=place,
            microns=drawn.microns,
            image=image,
            dpi=dpi,
            overwrite=overwrite,
        )
    else:
        domain_figure(
            tissue,
            output,
            run=drawn.run,
            library=drawn.section,
            coordinates=place,
            dpi=dpi,
            overwrite=overwrite,
        )
    typer.echo(f"Wrote {output}.")


def report(
    source: Path,
    output: Path,
    reported: Reported,
    coordinates: str | None,
    *,
    overwrite: bool,
) -> None:
    """Write a report.

    Parameters
    ----------
    source
        A file with domains.
    output
        ``.html``.
    reported
        What is told.
    coordinates
        Where the spots are; None looks for them.
    overwrite
        Replace a file that exists.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    import pandas as pd

    from napari_semst.io.checks import MEGABYTE, check_file, translate_errors
    from napari_semst.io.read import read
    from napari_semst.report import write_report

    if output.suffix.lower() != ".html":
        raise SaveError(f"Expected a name that ends in .html; got {output}.")
    check_output(source, output, overwrite=overwrite)
    markers = None
    if reported.markers is not None:
        what = "a table of marker genes (.csv)"
        check_file(reported.markers, what, at_most=64 * MEGABYTE)
        with translate_errors(reported.markers, what):
            markers = pd.read_csv(reported.markers)
    write_report(
        read(source),
        output,
        run=reported.run,
        annotation=reported.annotation,
        markers=markers,
        colors=reported.colors,
        source=source,
        coordinates=coordinates,
        overwrite=overwrite,
    )
    typer.echo(f"Wrote {output}.")
