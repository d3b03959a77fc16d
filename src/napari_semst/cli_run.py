"""What the commands do, once their options are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from napari_semst.config import Request
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.progress import Progress, exhaust

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.pipeline import DomainResult

_STAGE_NAMES = {
    "read": "Reading",
    "prepare": "Preparing",
    "describe": "Genes speak",
    "train": "Training",
    "assign": "Domains",
}


@dataclass(frozen=True, slots=True)
class Files:
    """Where results go; `None` where not wanted."""

    tissue: Path | None
    csv: Path | None
    figure: Path | None
    overwrite: bool

    def check(self) -> None:
        """Refuse before the work, not after it.

        Raises
        ------
        SaveError
            If a file exists, or its folder does not.
        """
        for path in (self.tissue, self.csv, self.figure):
            if path is None:
                continue
            if not path.absolute().parent.is_dir():
                raise SaveError(
                    f"Expected an existing folder for {path}; found none. Make "
                    f"{path.absolute().parent} first."
                )
            if path.exists() and not self.overwrite:
                raise SaveError(
                    f"Expected {path} not to exist yet; it does. Choose another name "
                    "or add --overwrite."
                )


@dataclass(frozen=True, slots=True)
class Scoring:
    """An annotation to score against, and whether spots without one are left out."""

    truth: str | None
    drop_unannotated: bool

    def choose(self, tissue: AnnData) -> AnnData:
        """Return the spots to cluster: all, unless the user asked otherwise."""
        if not self.drop_unannotated:
            return tissue
        if self.truth is None:
            raise ConfigError(
                "Expected --truth COLUMN with --drop-unannotated; got none. Name the "
                "annotation, or cluster every spot."
            )
        return tissue[_column(tissue, self.truth).notna().to_numpy()].copy()

    def scores(
        self, tissue: AnnData, codes: NDArray[np.int32], coordinates: str
    ) -> dict[str, float]:
        """Return the scores in space and, where there is one, against the annotation.

        Parameters
        ----------
        tissue
            The spots that were clustered.
        codes
            Their domains.
        coordinates
            Where their coordinates stand; empty: found.
        """
        from napari_semst.domains.metrics import spatial_scores, truth_scores
        from napari_semst.io.coordinates import find_coordinates

        found = spatial_scores(codes, find_coordinates(tissue, coordinates or None))
        if self.truth is None:
            return found
        return {**truth_scores(codes, _column(tissue, self.truth)), **found}


def stem(source: Path) -> str:
    """Return the name that results of an input are called after."""
    path = source.absolute()
    if path.is_dir():
        return path.parent.name if path.name == "outs" else path.name
    return path.stem


def build_request(
    preset: str, config: Path | None, **stages: dict[str, Any]
) -> Request:
    """Return the request of a settings file with the options put over it."""
    request = Request.from_file(config) if config else Request(preset)
    if config and preset != "auto":
        request = Request(preset, request.overrides)
    for stage, settings in stages.items():
        request = request.with_settings(stage, **settings)
    return request


def run(
    source: Path,
    request: Request,
    name: str,
    scoring: Scoring,
    files: Files,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Read, find domains, save and report."""
    from napari_semst import keys
    from napari_semst.io.read import read
    from napari_semst.pipeline import attach, find_domains

    keys.check_run_name(name)
    files.check()
    tissue = scoring.choose(read(source))
    if scoring.truth is not None:
        _column(tissue, scoring.truth)
    result = exhaust(_shown(find_domains(tissue, request), quiet=quiet))
    place = result.provenance["config"]["prepare"]["coordinates"]
    scores = scoring.scores(tissue, result.codes, place)
    attach(tissue, result, name, inplace=True)
    written = _write(tissue, files)
    report = _report(source, result, scores, written)
    typer.echo(json.dumps(report, indent=2) if as_json else _words(report))


def _column(tissue: AnnData, name: str) -> Any:
    if name not in tissue.obs:
        raise InputError(
            f"Expected an annotation in obs[{name!r}]; found obs columns "
            f"{', '.join(tissue.obs) or 'none'}. Give one of them to --truth."
        )
    return tissue.obs[name]


def _write(tissue: AnnData, files: Files) -> list[str]:
    from napari_semst.io.save import write, write_domains_csv

    written = []
    if files.tissue is not None:
        write(tissue, files.tissue, overwrite=files.overwrite)
        written.append(str(files.tissue))
    if files.csv is not None:
        write_domains_csv(tissue, files.csv, overwrite=files.overwrite)
        written.append(str(files.csv))
    if files.figure is not None:
        from napari_semst.figure import domain_figure

        domain_figure(tissue, files.figure)
        written.append(str(files.figure))
    return written


def _report(
    source: Path, result: DomainResult, scores: dict[str, float], written: list[str]
) -> dict[str, Any]:
    import numpy as np

    facts = result.provenance
    return {
        "input": str(source),
        "n_spots": len(result.codes),
        "n_domains": len(result.names),
        "domains": dict(
            zip(result.names, np.bincount(result.codes).tolist(), strict=True)
        ),
        "scores": {key: round(value, 4) for key, value in scores.items()},
        "preset": facts["config"]["preset"],
        "seed": facts["seed"],
        "device": facts["device"],
        "section": facts["section"],
        "semantics": facts["semantics"],
        "epochs": facts["training"]["epochs"],
        "seconds": facts["seconds"],
        "warnings": facts["warnings"],
        "written": written,
    }


def _words(report: dict[str, Any]) -> str:
    sizes = "  ".join(f"{name}: {size}" for name, size in report["domains"].items())
    seconds = sum(report["seconds"].values())
    lines = [
        f"{report['n_domains']} domains of {report['n_spots']} spots, {seconds:.0f} s "
        f"({report['device']['name']}: {report['device']['reason']})",
        f"  spots per domain   {sizes}",
        f"  genes              {report['section']['genes']}, "
        f"neighbours: {report['section']['spatial_graph']}",
    ]
    semantics = report["semantics"]
    if semantics:
        known = semantics.get("coverage")
        covers = "" if known is None else f", covers {known:.0%} of the genes listed"
        lines.append(f"  semantics          {semantics['source']}{covers}")
    shown = ("ari", "nmi", "acc", "chaos", "pas")
    scores = [f"{n} {report['scores'][n]:.3f}" for n in shown if n in report["scores"]]
    lines.append(f"  scores             {'  '.join(scores)}")
    lines += [f"  note               {text}" for text in report["warnings"]]
    lines += [f"  wrote              {path}" for path in report["written"]]
    return "\n".join(lines)


def _shown(
    steps: Generator[Progress, None, DomainResult], *, quiet: bool
) -> Generator[Progress, None, DomainResult]:
    """Pass events on, drawing them on the terminal's error stream."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    bars = Bars(
        TextColumn("{task.description:12}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    )
    with bars:
        task = bars.add_task("Starting", total=None, note="")
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                result: DomainResult = end.value
                return result
            loss = event.metrics.get("loss")
            bars.update(
                task,
                description=_STAGE_NAMES.get(event.stage, event.stage),
                completed=event.step,
                total=event.steps or None,
                note=event.message or (f"loss {loss:.4f}" if loss else ""),
            )
            yield event


def inspect(source: Path) -> None:
    """Print what an input holds."""
    from napari_semst.errors import SemstError
    from napari_semst.io.coordinates import find_coordinates
    from napari_semst.io.counts import find_counts
    from napari_semst.io.read import read
    from napari_semst.prepare.graphs import detect_lattice

    tissue = read(source)
    lines = [f"{source}: {tissue.n_obs} spots x {tissue.n_vars} genes"]
    try:
        counts = f"raw counts in {find_counts(tissue).where}"
    except SemstError as error:
        counts = str(error)
    lines.append(f"  counts       {counts}")
    try:
        lattice = detect_lattice(find_coordinates(tissue))
        kind = "a regular lattice" if lattice.regular else "scattered"
        lines.append(f"  coordinates  {kind}, spacing {lattice.pitch:.4g}")
    except SemstError as error:
        lines.append(f"  coordinates  {error}")
    images = [
        f"{name} {image.shape[1]} x {image.shape[0]}"
        for library in tissue.uns.get("spatial", {}).values()
        for name, image in library.get("images", {}).items()
    ]
    lines.append(f"  image        {', '.join(images) or 'none'}")
    lines.append(f"  obs columns  {', '.join(tissue.obs) or 'none'}")
    typer.echo("\n".join(lines))
