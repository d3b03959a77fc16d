"""``semst run`` and ``semst presets``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.shared_options import (
    AsJson,
    CsvOutput,
    FigureOutput,
    GivenSettings,
    JournalOutput,
    Overwrite,
    PresetName,
    Quiet,
    ResultOutput,
    RunName,
    SettingOptions,
    Truth,
    with_setting_options,
)
from napari_semst.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_semst.cohort.task import SectionTask
    from napari_semst.config import Request
    from napari_semst.pipeline.job import RunOutputs, Scoring
    from napari_semst.pipeline.journal import Journal

# In the order of the help.
_METHOD_SETTINGS = SettingOptions(
    "model.method",
    "model.fusion",
    "model.morphology",
    "morphology.image",
    "morphology.encoder",
    "morphology.image_scale",
    "morphology.spot_diameter",
    "morphology.context",
    "image_guided.reference",
    "image_guided.discordance_fdr",
    "semantics.source",
    "semantics.model",
    "semantics.per",
    "semantics.keep_vectors",
    "semantics.control",
    "semantics.n_genes",
    "semantics.ranking",
    "semantics.leave_out_uninformative",
    "semantics.gene_text",
    "semantics.gene_weights",
    "semantics.pooling",
    "semantics.template",
    "semantics.tissue",
    "semantics.summaries",
)
_RUN_SETTINGS = SettingOptions(
    "prepare.section_key",
    "training.seed",
    "training.ensemble",
    "training.epochs",
    "domains.readout",
    "domains.refine",
    "domains.majority",
    "training.device",
    "training.max_memory",
    "model.weights",
    "prepare.counts_layer",
    "prepare.coordinates",
    "prepare.part",
    "prepare.positions",
    "prepare.features",
)


_Sources = Annotated[
    list[Path],
    typer.Argument(
        help="Files or folders, each a section. Several are done on their own, "
        "with the same settings, unless --together."
    ),
]
_AnySettingsFile = Annotated[
    Path | None,
    typer.Option(
        help="Settings file (TOML, or JSON of the image-guided method); options go "
        "before it."
    ),
]
_Together = Annotated[
    bool,
    typer.Option(
        "--together",
        help="Join the inputs and find domains common to all, in one result.",
    ),
]
_DropUnannotated = Annotated[
    bool,
    typer.Option(
        "--drop-unannotated",
        help="Leave out spots without --truth before everything, as published "
        "comparisons do.",
    ),
]
_ModelOutput = Annotated[
    Path | None,
    typer.Option(
        help="Also save a model that labels other sections (.safetensors); see "
        "`semst apply`."
    ),
]
_OutputFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder for <name>_semst.h5ad of several sections; else here. What is "
        "there of the same input, settings and version is skipped."
    ),
]
_Checkpoint = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the checkpoint that a killed run goes on from; else beside "
        "the result."
    ),
]
_NoCheckpoint = Annotated[
    bool, typer.Option("--no-checkpoint", help="Keep no checkpoint.")
]
_Scheduler = Annotated[
    str | None,
    typer.Option(help="Scheduler whose workers do the sections: tcp://host:8786."),
]
_KeepGoing = Annotated[
    bool,
    typer.Option(
        "--keep-going/--stop-at-failure",
        help="Of several sections, do the rest when one fails.",
    ),
]


@with_setting_options
def run(
    *,
    sources: _Sources,
    number: Annotated[GivenSettings, SettingOptions("domains.n_domains")],
    output: ResultOutput = None,
    method_settings: Annotated[GivenSettings, _METHOD_SETTINGS],
    preset: PresetName = "auto",
    config: _AnySettingsFile = None,
    together: _Together = False,
    run_settings: Annotated[GivenSettings, _RUN_SETTINGS],
    name: RunName = "default",
    truth: Truth = None,
    drop_unannotated: _DropUnannotated = False,
    csv: CsvOutput = None,
    figure: FigureOutput = None,
    save_model: _ModelOutput = None,
    output_dir: _OutputFolder = None,
    dask: _Scheduler = None,
    keep_going: _KeepGoing = True,
    checkpoint: _Checkpoint = None,
    no_checkpoint: _NoCheckpoint = False,
    journal: JournalOutput = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the spatial domains of a section, or of each of several."""
    from napari_semst.cli import cohort
    from napari_semst.cli.journal import opened_journal
    from napari_semst.cli.request import build_request
    from napari_semst.core.process_group import joined_group
    from napari_semst.pipeline.job import RunOutputs, Scoring

    _refuse_for_several(method_settings, len(sources), together=together)
    request = build_request(preset, config, number, method_settings, run_settings)
    scoring = Scoring(truth, drop_unannotated)
    checkpoints = _checkpoints(checkpoint, unwanted=no_checkpoint)
    reads = _read_by(sources, request, config)
    if together:
        refuse_apart(sources, output_dir=output_dir, dask=dask)
    elif len(sources) > 1 or output_dir is not None or dask is not None:
        cohort.refuse_single_files(
            output=output, csv=csv, figure=figure, save_model=save_model
        )
        ways = {"overwrite": overwrite, "checkpoints": checkpoints}
        tasks = _tasks(sources, output_dir, request, name, scoring, **ways)
        said = {"keep_going": keep_going, "as_json": as_json, "quiet": quiet}
        with opened_journal(journal, reads) as told:
            cohort.run_sections(tasks, dask, told, **said)
        return
    first = result_path("sections" if together else sources[0])
    if output is None and not as_json:
        output = first
    kept = _kept(checkpoints, output, first)
    also_read = () if config is None else (config,)
    files = RunOutputs(output, csv, figure, overwrite, save_model, also_read, kept)
    # What torchrun started trains together; without it this joins nobody.
    with joined_group(), opened_journal(journal, reads) as told:
        run_one(
            sources, request, name, scoring, files, told, as_json=as_json, quiet=quiet
        )


def _tasks(
    sources: Sequence[Path],
    output_dir: Path | None,
    request: Request,
    name: str,
    scoring: Scoring,
    **options: Any,
) -> list[SectionTask]:
    """Return what is to be done of each of several sections."""
    from napari_semst.cohort.plan import plan_cohort
    from napari_semst.core.process_group import refuse_cohorts

    refuse_cohorts()
    folder = output_dir or Path()
    return plan_cohort(sources, folder, request, run=name, scoring=scoring, **options)


def _kept(wanted: Path | bool, output: Path | None, first: Path) -> Path | None:
    """Return where the checkpoint of one result is kept, `None` for nowhere.

    Without a result to be beside of, it is kept where that was asked for.
    """
    from napari_semst.pipeline.job import checkpoint_place

    if wanted is False or (wanted is True and output is None):
        return None
    return checkpoint_place(output or first, wanted)


def _checkpoints(folder: Path | None, *, unwanted: bool) -> Path | bool:
    """Return where checkpoints are kept: a folder, True for beside results, or not."""
    if unwanted and folder is not None:
        raise ConfigError(
            "Expected --checkpoint or --no-checkpoint; got both. Leave one of them out."
        )
    return not unwanted if folder is None else folder


def _read_by(
    sources: Sequence[Path], request: Request, config: Path | None
) -> list[Path]:
    """Return all that a run reads."""
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.files_read import inputs_of

    settings = resolve(request)
    read = [path for source in sources for path in inputs_of(source, settings)]
    return read if config is None else [*read, config]


def result_path(source: Path | str) -> Path:
    """Return where the result of an input is saved unless told otherwise."""
    from napari_semst.io.concat_sections import stem

    return Path(f"{source if isinstance(source, str) else stem(source)}_semst.h5ad")


def run_one(
    sources: Sequence[Path],
    request: Request,
    name: str,
    scoring: Scoring,
    files: RunOutputs,
    journal: Journal | None = None,
    *,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Read, find domains, save, score and report; several inputs are joined."""
    from napari_semst.cli.output import format_summary, show_progress
    from napari_semst.pipeline.job import find_and_save

    account = find_and_save(
        sources,
        request,
        name,
        scoring,
        files,
        through=lambda steps: show_progress(steps, quiet=quiet),
        journal=journal,
    )
    typer.echo(json.dumps(account, indent=2) if as_json else format_summary(account))


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


def _refuse_for_several(
    given: GivenSettings, n_sections: int, *, together: bool
) -> None:
    if n_sections > 1 and "image" in given.get("morphology", {}):
        raise ConfigError(
            f"Expected one section with --image; got {n_sections}. Run each with its "
            "own image, or let every section bring its image."
        )
    if n_sections > 1 and not together and "reference" in given.get("image_guided", {}):
        raise ConfigError(
            "Expected --together with --reference: sections of a reference teach the "
            f"others in one run; got {n_sections} sections done on their own. Add "
            "--together."
        )


def presets() -> None:
    """List the recipes."""
    from napari_semst.config.presets import PRESETS

    for name, preset in PRESETS.items():
        typer.echo(f"{name:14} {preset.summary}")
