"""``semst bench``: methods compared on annotated sections."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.shared_options import (
    AsJson,
    GivenSettings,
    Quiet,
    SettingOptions,
    SettingsFile,
    with_setting_options,
)
from napari_semst.errors import ConfigError
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_semst.bench.plan import BenchPlan
    from napari_semst.bench.prepared import PreparedBench
    from napari_semst.bench.run import BenchResult
    from napari_semst.core.progress import RunControl

_SETTINGS = SettingOptions(
    "training.epochs",
    "training.device",
    "semantics.n_genes",
    "prepare.counts_layer",
    "prepare.coordinates",
    "prepare.part",
)

_Sources = Annotated[
    list[Path] | None, typer.Argument(help="Annotated sections, files or folders.")
]
_Labels = Annotated[
    list[str] | None,
    typer.Option(
        help="obs column of the annotation; again as NAME=COLUMN for a file whose "
        "column is another. It is scored, and gives the number of domains."
    ),
]
_Numbers = Annotated[
    list[str] | None,
    typer.Option(
        "--n-domains",
        "-k",
        help="Number of domains, or auto; else that of the annotation. NAME=7 for one "
        "file.",
    ),
]
_Published = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=DATASET: what the paper published for DATASET stands beside the "
        "file of that name."
    ),
]
_Plan = Annotated[
    Path | None,
    typer.Option(
        help="Plan (TOML or JSON) with files and all else; options change it."
    ),
]
_OutputFolder = Annotated[
    Path,
    typer.Option(
        "--output-dir",
        "-o",
        help="Folder of the comparison. What is finished there is not done again.",
    ),
]


_Tables = Annotated[
    str | None, typer.Option(help="Tables of the paper: of 1,2,3,5; or none. Else all.")
]
_Figures = Annotated[
    str | None,
    typer.Option(help="Figures of the paper: of 3,4,6,7,8; or none. Else 6,7."),
]
_Methods = Annotated[str | None, typer.Option(help="Methods, with commas; else all.")]
_Fusions = Annotated[
    str | None,
    typer.Option(help="Fusions: of none,fsm,concatenation,addition,cross-attention."),
]
_Controls = Annotated[
    str | None,
    typer.Option(help="Controls: of none,random,shuffled,unrelated; else all."),
]
_Semantics = Annotated[
    str | None,
    typer.Option(help="Sources, with commas; the first one is that of the tables."),
]
_Readouts = Annotated[
    str | None,
    typer.Option(
        help="Readouts: own, kmeans, consensus, gmm, gmm-full or leiden; NAME+settled "
        "settles borders. Else kmeans,consensus."
    ),
]
_Seeds = Annotated[int | None, typer.Option(help="How many seeds; else 5.")]
_FirstSeed = Annotated[int | None, typer.Option(help="The first of them; else 0.")]
_Oracle = Annotated[
    int | None,
    typer.Option(
        help="Also tell the best of every so many epochs by the annotation, in columns "
        "named oracle."
    ),
]
_Jobs = Annotated[int, typer.Option(help="Cells at one time; 0: one a core.")]
_MaxMemory = Annotated[
    float,
    typer.Option(help="GiB that all cells at one time may take; 0: what is free."),
]
_Scheduler = Annotated[
    str | None,
    typer.Option(help="Scheduler whose workers do the cells: tcp://host:8786."),
]
_FinishedOnly = Annotated[
    bool,
    typer.Option(
        "--finished-only", help="Do no cell; write the results of those that are there."
    ),
]
_DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say how many cells there are and how long."),
]


@with_setting_options
def bench(
    *,
    sources: _Sources = None,
    labels: _Labels = None,
    number: _Numbers = None,
    published: _Published = None,
    plan: _Plan = None,
    output_dir: _OutputFolder = Path("semst_bench"),
    tables: _Tables = None,
    figures: _Figures = None,
    methods: _Methods = None,
    fusions: _Fusions = None,
    controls: _Controls = None,
    semantics: _Semantics = None,
    readouts: _Readouts = None,
    seeds: _Seeds = None,
    first_seed: _FirstSeed = None,
    oracle: _Oracle = None,
    config: SettingsFile = None,
    settings: Annotated[GivenSettings, _SETTINGS],
    jobs: _Jobs = 0,
    max_memory: _MaxMemory = 0.0,
    dask: _Scheduler = None,
    finished_only: _FinishedOnly = False,
    dry_run: _DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare methods on annotated sections, with seeds and controls."""
    from napari_semst.bench.prepared import prepare_bench
    from napari_semst.bench.run import write_now
    from napari_semst.cli.output import show_progress
    from napari_semst.core.progress import RunControl, run_to_end

    lists = {
        "tables": tables, "figures": figures, "methods": methods, "fusions": fusions,
        "controls": controls, "semantics": semantics, "readouts": readouts,
    }  # fmt: skip
    numbers = {"seeds": seeds, "first_seed": first_seed, "oracle": oracle}
    values = _values(plan, lists, numbers)
    wanted = _planned(
        values, sources or [], labels or [], number or [], published or []
    )
    wanted = _with_settings(wanted, config, settings)
    control = RunControl()
    steps = prepare_bench(wanted, output_dir, control, plan_file=plan, config=config)
    prepared = run_to_end(show_progress(steps, quiet=quiet))
    if dry_run:
        typer.echo(_foreseen(prepared, as_json=as_json))
        return
    if finished_only:
        _tell(write_now(prepared), as_json=as_json)
        return
    result = _all_done(prepared, control, jobs, max_memory, dask, quiet=quiet)
    _tell(result, as_json=as_json)
    if result.failed:
        raise typer.Exit(1)


def _all_done(
    prepared: PreparedBench,
    control: RunControl,
    jobs: int,
    max_memory: float,
    dask: str | None,
    *,
    quiet: bool,
) -> BenchResult:
    """Return the comparison after its cells were done, here or by a scheduler."""
    from napari_semst.bench.here import Limits
    from napari_semst.bench.run import run_bench
    from napari_semst.cli.cohort import scheduler_client
    from napari_semst.cli.output import show_progress
    from napari_semst.core.progress import run_to_end

    with (
        scheduler_client(dask, quiet) as client,
        closing(run_bench(prepared, control, Limits(jobs, max_memory), client)) as done,
    ):
        return run_to_end(show_progress(done, quiet=quiet))


def _tell(result: BenchResult, *, as_json: bool) -> None:
    typer.echo(json.dumps(_account(result), indent=2) if as_json else _said(result))


def _values(
    plan: Path | None, lists: dict[str, str | None], numbers: dict[str, int | None]
) -> dict[str, Any]:
    """Return the values of a plan with the options put over it."""
    from napari_semst.bench.plan_file import read_plan

    values = read_plan(plan).to_dict() if plan is not None else {}
    for name, text in lists.items():
        if text is not None:
            # Fusions and controls have a choice of that name.
            nothing = text == "none" and name in ("tables", "figures")
            values[name] = [] if nothing else [x for x in text.split(",") if x]
    return values | {n: value for n, value in numbers.items() if value is not None}


def _planned(
    values: dict[str, Any],
    sources: Sequence[Path],
    labels: Sequence[str],
    numbers: Sequence[str],
    published: Sequence[str],
) -> BenchPlan:
    """Return the plan of options and files."""
    from napari_semst.bench.plan_file import plan_of
    from napari_semst.io.concat_sections import stem

    known = {"labels": labels, "n_domains": numbers, "published": published}
    files = [dict(file) for file in values.get("files", ())]
    files += [{"path": str(path)} for path in sources]
    names = {file.get("name") or stem(Path(file["path"])) for file in files}
    for option, texts in known.items():
        for_all, for_one = _by_file(option, texts, names)
        for file in files:
            name = file.get("name") or stem(Path(file["path"]))
            given = for_one.get(name, for_all)
            if given is not None:
                file[option] = given
    if any("labels" not in file for file in files):
        raise ConfigError(
            "Expected the obs column of the annotation; got none. Give it with "
            "--labels COLUMN."
        )
    plain = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}
    if not files:
        raise ConfigError(
            "Expected annotated sections; got none. Name their files, or a plan with "
            "--plan."
        )
    return plan_of({**plain, "files": files}, Path.cwd())


def _by_file(
    option: str, texts: Sequence[str], names: set[str]
) -> tuple[str | None, dict[str, str]]:
    """Return what an option says of all files, and of each: ``NAME=VALUE``."""
    flag = f"--{option.replace('_', '-')}"
    for_all, for_one = None, {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals and name in names:
            for_one[name] = value
        elif equals or option == "published":
            raise ConfigError(
                f"Expected {flag} with the name of a file before '='; got {text!r}. "
                f"Files are called {', '.join(sorted(names))}."
            )
        else:
            for_all = text
    return for_all, for_one


def _with_settings(
    plan: BenchPlan, config: Path | None, given: GivenSettings
) -> BenchPlan:
    from dataclasses import replace

    from napari_semst.config import Request

    own = Request(overrides=plan.settings)
    read = Request.from_file(config) if config else Request()
    if read.preset != "auto":
        raise ConfigError(
            f"Expected settings without a preset in {config}; got {read.preset!r}. "
            "Name a preset of SemST for a file in a plan."
        )
    for overrides in (read.overrides, given):
        for stage, values in overrides.items():
            own = own.with_settings(stage, **values)
    return replace(plan, settings=own.overrides)


def _foreseen(prepared: PreparedBench, *, as_json: bool) -> str:
    """Return how many cells there are, and how long they will take."""
    from napari_semst.core.progress import duration_in_words

    whole, waiting = len(prepared.cells.cells), len(prepared.waiting)
    seconds = prepared.seconds()
    if as_json:
        told = {"cells": whole, "finished": whole - waiting, "core_seconds": seconds}
        return json.dumps({**told, "left_out": _left_out(prepared.cells.left_out)})
    lines = [f"{whole} cells: {whole - waiting} finished, {waiting} to do"]
    if waiting:
        lines[0] += f", about {duration_in_words(seconds)} on one core"
    lines += [f"  left out  {one['file']}, {one['method']}: {one['why']}"
              for one in _left_out(prepared.cells.left_out)]  # fmt: skip
    return "\n".join(lines)


def _left_out(found: Sequence[Any]) -> list[dict[str, str]]:
    from dataclasses import asdict

    return [asdict(one) for one in found]


def _account(result: BenchResult) -> dict[str, Any]:
    return {
        "done": result.done,
        "skipped": result.skipped,
        "failed": [{"cell": cell, "message": for_shell(why)}
                   for cell, why in result.failed],
        "left_out": _left_out(result.left_out),
        "rows": len(result.table),
        "written": [str(path) for path in result.written],
    }  # fmt: skip


def _said(result: BenchResult) -> str:
    lines = [
        f"{result.done} cells done, {result.skipped} were there, "
        f"{len(result.failed)} failed"
    ]
    lines += [f"  failed    {cell}: {for_shell(why)}" for cell, why in result.failed]
    lines += [
        f"  left out  {one.file}, {one.method}: {one.why}" for one in result.left_out
    ]
    return "\n".join([*lines, *(f"  wrote     {path}" for path in result.written)])
