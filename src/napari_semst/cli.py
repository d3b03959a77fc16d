"""The command line: ``semst run``, ``semst sample``, ``semst inspect``, ..."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_semst.cli_embed_options import (
    Pooling,
    PromptTemplate,
    Summaries,
    TissueName,
    cache,
    embed,
)
from napari_semst.cli_server import server

_DEBUG = "--debug"

app = typer.Typer(
    name="semst",
    help="Find the spatial domains of a tissue section, guided by what genes mean.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
samples = typer.Typer(help="Write a simulated section.", no_args_is_help=True)
app.add_typer(samples, name="sample")
app.add_typer(cache, name="cache")
app.command()(embed)
app.command()(server)

InputPath = Annotated[
    Path,
    typer.Argument(
        help="An .h5ad or .zarr, a Space Ranger folder, or a 10x .h5 matrix."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that exist.")
]


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
    debug: Annotated[
        bool, typer.Option(_DEBUG, help="Show the traceback of errors.")
    ] = False,
) -> None:
    """Find the spatial domains of a tissue section, guided by what genes mean."""


@app.command()
def run(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help=".h5ad or .zarr, Space Ranger folders or 10x .h5 matrices, each a "
            "section. Several are done on their own, with the same settings, unless "
            "--together."
        ),
    ],
    n_domains: Annotated[
        str | None,
        typer.Option(
            "--domains",
            "-k",
            help="Number of domains, or auto: chosen from a curve, runners-up told.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to save; else <name>_semst.h5ad here, or nothing with --json.",
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="semst, or quick: no training, seconds.")
    ] = None,
    semantics: Annotated[
        str | None,
        typer.Option(
            help="builtin, none; prompts[:MODEL] (a language model reads every spot's "
            "list of genes), genes[:MODEL] (it reads every gene), server:URL (an "
            "embedding server), table:FILE (gene vectors), or precomputed:NAME (an "
            "obsm key or a file)."
        ),
    ] = None,
    semantics_model: Annotated[
        str | None, typer.Option(help="Model that the server is asked for.")
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(help="What the server reads: spot (gene lists) or gene (once)."),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            help="Spoil the semantics to learn its worth: random, shuffled, unrelated."
        ),
    ] = None,
    pooling: Pooling = None,
    template: PromptTemplate = None,
    tissue: TissueName = None,
    summaries: Summaries = None,
    preset: Annotated[
        str, typer.Option(help="Recipe; `semst presets` lists them.")
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option(help="Settings file (TOML); options go before it.")
    ] = None,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            help="Join the inputs and find domains common to all, in one result.",
        ),
    ] = False,
    section_key: Annotated[
        str | None,
        typer.Option(
            help="obs column that tells the sections of one file apart: neighbours "
            "stay inside sections, domains are common."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(help="Networks trained, each from a seed of its own."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Training epochs.")] = None,
    readout: Annotated[
        str | None,
        typer.Option(help="consensus, gmm, gmm-full, kmeans or leiden."),
    ] = None,
    refine: Annotated[
        bool | None,
        typer.Option(
            "--refine/--no-refine",
            help="Settle borders by each spot's own expression and its neighbours' "
            "domains, or leave them; without either: as the recipe has it.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:<index>.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Published SemST weights to begin with (a published preset; with "
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
    save_model: Annotated[
        Path | None,
        typer.Option(
            help="Also save a model that labels other sections (.safetensors); see "
            "`semst apply`."
        ),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for <name>_semst.h5ad of several sections; else here. What is "
            "there of the same input, settings and version is skipped."
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Scheduler whose workers do the sections: tcp://host:8786."),
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going/--stop-at-failure",
            help="Of several sections, do the rest when one fails.",
        ),
    ] = True,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
) -> None:
    """Find the spatial domains of a section, or of each of several."""
    from napari_semst import cli_cohort, cli_run
    from napari_semst.cli_embed import semantic_settings
    from napari_semst.config import REFINE_ROUNDS, number_of_domains
    from napari_semst.io.together import stem
    from napari_semst.training.group import joined_group, refuse_cohorts

    request = cli_run.build_request(
        preset,
        config,
        domains={
            "n_domains": None if n_domains is None else number_of_domains(n_domains),
            "readout": readout,
            "refine": None if refine is None else REFINE_ROUNDS * refine,
        },
        training={
            "seed": seed,
            "epochs": epochs,
            "device": device,
            "ensemble": ensemble,
        },
        semantics=semantic_settings(
            semantics,
            semantics_model,
            pooling=pooling,
            template=template,
            tissue=tissue,
            summaries=str(summaries) if summaries else None,
            per=per,
            control=control,
        ),
        model={"method": method, "weights": str(weights) if weights else None},
        prepare={
            "counts_layer": counts_layer,
            "coordinates": coordinates,
            "section_key": section_key,
        },
    )
    scoring = cli_run.Scoring(truth, drop_unannotated)
    cohort = output_dir is not None or dask is not None
    if together:
        cli_run.refuse_apart(sources, output_dir=output_dir, dask=dask)
    elif len(sources) > 1 or cohort:
        refuse_cohorts()
        cli_cohort.refuse_single_files(
            output=output, csv=csv, figure=figure, save_model=save_model
        )
        cli_cohort.run(
            sources,
            request,
            name,
            scoring,
            output_dir or Path(),
            overwrite=overwrite,
            keep_going=keep_going,
            address=dask,
            as_json=as_json,
            quiet=quiet,
        )
        return
    name_of_all = "sections" if together else stem(sources[0])
    files = cli_run.Files(
        output or (None if as_json else Path(f"{name_of_all}_semst.h5ad")),
        csv,
        figure,
        overwrite,
        save_model,
    )
    # What torchrun started trains together; without it this joins nobody.
    with joined_group():
        cli_run.run(
            sources, request, name, scoring, files, as_json=as_json, quiet=quiet
        )


@app.command()
def domains(
    source: Annotated[Path, typer.Argument(help="A file that `semst run` wrote.")],
    n_domains: Annotated[
        int, typer.Option("--domains", "-k", help="Number of domains.")
    ] = 0,
    name: Annotated[
        str | None, typer.Option("--run", help="Name of the run; else the latest.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Save: .h5ad with the file's all, or .csv."
        ),
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(help="Draw the curve that -k auto chose by (.png, .svg, .pdf)."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Give the domains of a saved run at another number, without a new run."""
    from napari_semst import cli_domains

    cli_domains.domains(source, n_domains, name, output, curve, overwrite=overwrite)


@app.command()
def explain(
    source: Annotated[Path, typer.Argument(help="A file that `semst run` wrote.")],
    name: Annotated[
        str | None, typer.Option("--run", help="Name of the run; else the latest.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="obs column to explain instead of a run.")
    ] = None,
    semantics: Annotated[
        str,
        typer.Option(
            help="auto: the built-in table where the run had it; builtin: always; "
            "none: genes only."
        ),
    ] = "auto",
    counterfactual: Annotated[
        bool,
        typer.Option(
            "--counterfactual",
            help="Also find the domains again, without semantics and with another "
            "seed: two more runs.",
        ),
    ] = False,
    draws: Annotated[
        int, typer.Option(help="Random connected domains to compare with.")
    ] = 999,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Save: .csv, or .h5ad with the file's all."
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
) -> None:
    """Say why each domain is a domain: genes, meanings, what semantics moved."""
    from napari_semst import cli_explain
    from napari_semst.explanation.explain import Wanted

    cli_explain.explain(
        source,
        Wanted(name, labels, semantics, counterfactual, n_draws=draws),
        output,
        overwrite=overwrite,
        as_json=as_json,
        quiet=quiet,
    )


@app.command()
def apply(
    model: Annotated[
        Path, typer.Argument(help="A model that `semst run --save-model` wrote.")
    ],
    source: InputPath,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to save; else <name>_semst.h5ad here, or nothing with --json.",
        ),
    ] = None,
    counts_layer: Annotated[
        str, typer.Option(help="Layer that holds the raw counts.")
    ] = "",
    coordinates: Annotated[str, typer.Option(help="obsm key of the coordinates.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<index>.")] = (
        "auto"
    ),
    adapt: Annotated[
        bool,
        typer.Option(
            help="Let the model's domains move towards this section's spots first."
        ),
    ] = True,
    name: Annotated[str, typer.Option("--run", help="Name of the run.")] = "default",
    truth: Annotated[
        str | None,
        typer.Option(help="obs column with an annotation: it is scored, never used."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Also write the domains as a table.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the domains (.png, .svg, .pdf).")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
) -> None:
    """Label a section by a saved model, without training."""
    from napari_semst import cli_apply, cli_run
    from napari_semst.io.together import stem

    files = cli_run.Files(
        output or (None if as_json else Path(f"{stem(source)}_semst.h5ad")),
        csv,
        figure,
        overwrite,
    )
    cli_apply.apply(
        model,
        source,
        cli_apply.Reading(counts_layer, coordinates, device, adapt),
        name,
        truth,
        files,
        as_json=as_json,
        quiet=quiet,
    )


@app.command()
def score(
    source: InputPath,
    truth: Annotated[str, typer.Option(help="obs column of the annotation.")],
    labels: Annotated[str, typer.Option(help="obs column to score.")] = "semst_domain",
    as_json: AsJson = False,
) -> None:
    """Score a column of labels against an annotation."""
    from napari_semst import cli_files

    cli_files.score(source, truth, labels, as_json=as_json)


@app.command()
def inspect(source: InputPath) -> None:
    """Say what a file or folder holds, and whether it can be clustered."""
    from napari_semst import cli_files

    if not cli_files.inspect(source):
        raise typer.Exit(2)


@app.command()
def view(source: InputPath) -> None:
    """Open a section in napari, with the dock."""
    from napari_semst.viewer.window import show

    show(source)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for the results.")] = Path(
        "demo-output"
    ),
) -> None:
    """Simulate a section, find its domains and draw them."""
    from napari_semst import cli_files

    cli_files.demo(folder)


@app.command()
def presets() -> None:
    """List the recipes."""
    from napari_semst.presets import PRESETS

    for name, preset in PRESETS.items():
        typer.echo(f"{name:14} {preset.summary}")


@samples.command()
def cortex(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write (.h5ad).")
    ],
    n_spots: Annotated[int, typer.Option("--spots", help="How many spots.")] = 3000,
    n_genes: Annotated[int, typer.Option("--genes", help="How many genes.")] = 1500,
    platform: Annotated[
        str, typer.Option(help="visium (lattice and H&E) or cells (scattered).")
    ] = "visium",
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Cerebral cortex with its layers as annotation."""
    from napari_semst.errors import ConfigError, one_of
    from napari_semst.io.save import write
    from napari_semst.sample import simulated_cortex

    if platform not in ("visium", "cells"):
        raise ConfigError(one_of("--platform", platform, ("visium", "cells")))
    tissue = simulated_cortex(n_spots, n_genes, platform=platform, seed=seed)  # type: ignore[arg-type]
    write(tissue, output, overwrite=overwrite)
    typer.echo(f"Wrote {output}: {tissue.n_obs} spots x {tissue.n_vars} genes.")


def main() -> None:
    """Run the command line; errors are one line, with a traceback after --debug."""
    from napari_semst.errors import SemstError, ShareDone
    from napari_semst.threads import idle_politely

    idle_politely()
    # Users add it where they notice that they need it: at the end.
    debug = _DEBUG in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != _DEBUG]
    try:
        app(arguments)
    except ShareDone:
        # The first of the processes that torchrun started saves and reports. This one
        # holds nothing that is to be closed, and ends without unloading libraries.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    except SemstError as error:
        if debug:
            raise
        typer.echo(f"semst: {error}", err=True)
        sys.exit(2)
    except Exception as error:
        if debug:
            raise
        typer.echo(
            f"semst: unexpected {type(error).__name__}: {error}. Nothing of yours was "
            "changed. Run again with --debug and report what it says.",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
