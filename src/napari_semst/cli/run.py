"""`semst run`: its options, and what they lead to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_semst.cli.options import AsJson, Overwrite, Preset, Quiet
from napari_semst.cli.output import shown, words
from napari_semst.cli.settings import Stages, with_settings
from napari_semst.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_semst.config import Request
    from napari_semst.pipeline.job import RunOutputs, Scoring


def refuse_apart(sources: Sequence[Path], **options: object) -> None:
    """Refuse what does not go with joining the inputs.

    Raises
    ------
    ConfigError
        If there is one input only, or an option of sections done on their own.
    """
    if len(sources) < 2:
        raise ConfigError(
            "Expected several inputs with --together; got one. Give more, or name the "
            "column that tells its sections apart with --section-key."
        )
    for name, value in options.items():
        if value is not None:
            raise ConfigError(
                f"Expected --{name.replace('_', '-')} with sections done on their own; "
                "got --together, which gives one result: name its file with --output."
            )


def run_once(
    sources: Sequence[Path],
    request: Request,
    name: str,
    scoring: Scoring,
    files: RunOutputs,
    *,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Read, find domains, save, score and report; several inputs are joined."""
    from napari_semst.pipeline.job import find_and_save

    account = find_and_save(
        sources,
        request,
        name,
        scoring,
        files,
        through=lambda steps: shown(steps, quiet=quiet),
    )
    typer.echo(json.dumps(account, indent=2) if as_json else words(account))


@with_settings(
    "n_domains",
    "method",
    "morphology",
    "image",
    "image_encoder",
    "image_scale",
    "spot_diameter",
    "context",
    "fdr",
    "semantics",
    "semantics_model",
    "per",
    "cache",
    "control",
    "n_genes",
    "ranking",
    "keep_uninformative",
    "gene_text",
    "gene_weights",
    "pooling",
    "template",
    "tissue",
    "summaries",
    "section_key",
    "seed",
    "ensemble",
    "epochs",
    "readout",
    "refine",
    "device",
    "weights",
    "counts_layer",
    "coordinates",
    "part",
)
def run(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Files or folders, each a section. Several are done on their own, "
            "with the same settings, unless --together."
        ),
    ],
    given: Stages,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to save; else <name>_semst.h5ad here, or nothing with --json.",
        ),
    ] = None,
    preset: Preset = "auto",
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings file (TOML, or JSON of the image-guided method); options go "
            "before it."
        ),
    ] = None,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            help="Join the inputs and find domains common to all, in one result.",
        ),
    ] = False,
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
    quiet: Quiet = False,
) -> None:
    """Find the spatial domains of a section, or of each of several."""
    from napari_semst.cli import cohort as cli_cohort
    from napari_semst.cli.request import build_request, refuse_one_image
    from napari_semst.core.process_group import joined_group, refuse_cohorts
    from napari_semst.io.concat_sections import stem
    from napari_semst.pipeline.job import RunOutputs, Scoring

    refuse_one_image(given.get("morphology", {}).get("image"), len(sources))
    request = build_request(preset, config, given)
    scoring = Scoring(truth, drop_unannotated)
    cohort = output_dir is not None or dask is not None
    if together:
        refuse_apart(sources, output_dir=output_dir, dask=dask)
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
    files = RunOutputs(
        output or (None if as_json else Path(f"{name_of_all}_semst.h5ad")),
        csv,
        figure,
        overwrite,
        save_model,
    )
    # What torchrun started trains together; without it this joins nobody.
    with joined_group():
        run_once(sources, request, name, scoring, files, as_json=as_json, quiet=quiet)
