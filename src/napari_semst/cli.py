"""The command line: ``semst run``, ``semst sample``, ``semst inspect``, ..."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="semst",
    help="Find the spatial domains of a tissue section, guided by what genes mean.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

InputPath = Annotated[
    Path,
    typer.Argument(help="An .h5ad file, a Space Ranger folder, or a 10x .h5 matrix."),
]
Domains = Annotated[int, typer.Option("--domains", "-k", help="Number of domains.")]


def _version(wanted: bool) -> None:
    if wanted:
        from napari_semst import __version__

        typer.echo(f"napari-semst {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Find the spatial domains of a tissue section, guided by what genes mean."""


@app.command()
def run(
    source: InputPath,
    n_domains: Domains = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to save; else <name>_semst.h5ad here, or nothing with --json.",
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Recipe; `semst presets` lists them.")
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option(help="Settings file (TOML); options go before it.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Training epochs.")] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:<index> or mps.")
    ] = None,
    semantics: Annotated[
        str | None, typer.Option(help="builtin, none or precomputed.")
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option(help="obsm key or .npy file of a precomputed embedding."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Published SemST weights to begin with (a paper preset; with "
            "--epochs 0 they are used as they are)."
        ),
    ] = None,
    counts_layer: Annotated[
        str | None, typer.Option(help="Layer that holds the raw counts.")
    ] = None,
    coordinates: Annotated[
        str | None, typer.Option(help="obsm key of the coordinates.")
    ] = None,
    name: Annotated[str, typer.Option("--run", help="Name of the run.")] = "default",
    truth: Annotated[
        str | None,
        typer.Option(help="obs column with an annotation: it is scored, never used."),
    ] = None,
    drop_unannotated: Annotated[
        bool,
        typer.Option(
            "--drop-unannotated",
            help="Leave out spots without --truth before everything, as published "
            "comparisons do.",
        ),
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Also write the domains as a table.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the domains (.png, .svg, .pdf).")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
) -> None:
    """Find the spatial domains of a section."""
    from napari_semst import cli_run

    request = cli_run.build_request(
        preset,
        config,
        domains={"n_domains": n_domains or None},
        training={"seed": seed, "epochs": epochs, "device": device},
        semantics={
            "source": semantics or ("precomputed" if embedding else None),
            "embedding": embedding,
        },
        model={"weights": None if weights is None else str(weights)},
        prepare={"counts_layer": counts_layer, "coordinates": coordinates},
    )
    files = cli_run.Files(
        output or (None if as_json else Path(f"{cli_run.stem(source)}_semst.h5ad")),
        csv,
        figure,
        overwrite,
    )
    scoring = cli_run.Scoring(truth, drop_unannotated)
    cli_run.run(source, request, name, scoring, files, as_json=as_json, quiet=quiet)


@app.command()
def inspect(source: InputPath) -> None:
    """Say what a file or folder holds, and whether it can be clustered."""
    from napari_semst import cli_run

    cli_run.inspect(source)


@app.command()
def presets() -> None:
    """List the recipes."""
    from napari_semst.presets import PRESETS

    for name, preset in PRESETS.items():
        typer.echo(f"{name:14} {preset.summary}")


@app.command()
def sample(
    output: Annotated[Path, typer.Argument(help="File to write (.h5ad).")],
    n_spots: Annotated[int, typer.Option("--spots", help="About how many spots.")] = (
        3000
    ),
    platform: Annotated[
        str, typer.Option(help="visium (lattice and H&E) or cells (scattered).")
    ] = "visium",
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that exists.")
    ] = False,
) -> None:
    """Write a simulated section of cortex, with its layers as annotation."""
    from napari_semst.io.save import write
    from napari_semst.sample import simulated_cortex

    tissue = simulated_cortex(n_spots, platform=platform, seed=seed)  # type: ignore[arg-type]
    write(tissue, output, overwrite=overwrite)
    typer.echo(f"Wrote {output}: {tissue.n_obs} spots x {tissue.n_vars} genes.")


def main() -> None:
    """Run the command line; errors that users can act on are one line, no traceback."""
    from napari_semst.errors import SemstError
    from napari_semst.threads import idle_politely

    idle_politely()
    try:
        app()
    except SemstError as error:
        typer.echo(f"semst: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("semst: interrupted; nothing was written.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
