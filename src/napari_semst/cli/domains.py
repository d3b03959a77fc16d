"""``semst domains``: a saved run at another number of domains, and its curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.shared_options import Overwrite, ResultPath, SavedRun
from napari_semst.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData


def domains(
    source: ResultPath,
    n_domains: Annotated[
        int, typer.Option("--domains", "-k", help="Number of domains.")
    ] = 0,
    name: SavedRun = None,
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
    from napari_semst.io.read import read
    from napari_semst.pipeline.job import RunOutputs

    if not n_domains and curve is None:
        raise ConfigError(
            "Expected a number of domains or a file for the curve; got neither. Add "
            "-k 5, or --curve FILE.png."
        )
    table = output is not None and output.suffix.lower() == ".csv"
    RunOutputs(
        None if table else output, output if table else None, curve, overwrite
    ).check(source)
    tissue = read(source)
    if curve is not None:
        _draw(tissue, name, curve, overwrite=overwrite)
    if n_domains:
        _write(tissue, n_domains, name, output, overwrite=overwrite)


def _write(
    tissue: AnnData, k: int, run: str | None, output: Path | None, *, overwrite: bool
) -> None:
    from napari_semst.domains.hierarchy import domains_at
    from napari_semst.domains.levels import write_level
    from napari_semst.io.export.h5ad import write, write_table

    if output is None:
        typer.echo(domains_at(tissue, k, run).to_csv(index_label="spot"), nl=False)
        return
    if output.suffix.lower() == ".csv":
        table = domains_at(tissue, k, run).rename_axis("spot").reset_index()
        write_table(table, output, overwrite=overwrite)
    else:
        write_level(tissue, k, run)
        write(tissue, output, overwrite=overwrite)
    typer.echo(f"Wrote {output}: {k} domains of {tissue.n_obs} spots.")


def _draw(tissue: AnnData, run: str | None, path: Path, *, overwrite: bool) -> None:
    """Draw the curve that a number of domains was chosen by."""
    from matplotlib.figure import Figure

    from napari_semst.figure.file import check_not_empty
    from napari_semst.io.export.atomic import write_atomically

    curve = _curve(tissue, run)
    figure = Figure(figsize=(6, 5), layout="constrained")
    panels = figure.subplots(2, sharex=True)
    panels[0].plot(curve["k"], curve["score"], marker="o", color="#0072b2")
    panels[0].set_ylabel("Criterion below its best")
    for name, color in (("stability", "#d55e00"), ("coherence", "#009e73")):
        panels[1].plot(curve["k"], curve[name], marker="o", color=color, label=name)
    panels[1].set(xlabel="Number of domains", ylabel="1: perfect, 0: by chance")
    panels[1].legend(frameon=False)
    for panel in panels:
        panel.axvline(int(curve["chosen"]), color="#888888", linewidth=0.8)
        panel.set_xticks([int(k) for k in curve["k"]])
        panel.spines[["top", "right"]].set_visible(False)
    kind = path.suffix.lower()
    write_atomically(
        path,
        lambda temporary: figure.savefig(temporary, format=kind[1:], dpi=150),
        check_not_empty,
        overwrite=overwrite,
        suffix=path.suffix,
    )
    typer.echo(f"Wrote {path}.")


def _curve(tissue: AnnData, run: str | None) -> Mapping[str, Any]:
    from napari_semst import keys

    wanted = str(tissue.uns.get(keys.LATEST, keys.DEFAULT_RUN)) if run is None else run
    facts = tissue.uns.get(keys.RUNS, {}).get(wanted, {})
    if "number_of_domains" not in facts:
        raise InputError(
            f"Expected a run {wanted!r} that chose its number of domains; found none. "
            "Find domains with -k auto."
        )
    curve: Mapping[str, Any] = facts["number_of_domains"]
    return curve
