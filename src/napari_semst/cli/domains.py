"""``semst domains``: a saved run at another number of domains, and its curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from napari_semst.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData


def domains(
    source: Path,
    n_domains: int,
    run: str | None,
    output: Path | None,
    curve: Path | None,
    *,
    overwrite: bool,
) -> None:
    """Print or save the domains at another number, and draw the curve.

    Parameters
    ----------
    source
        A file with a result; it is not changed.
    n_domains
        Number of domains; 0 where only the curve is wanted.
    run
        Name of the run; the latest where `None`.
    output
        File to write; `None` prints a table.
    curve
        File to draw the curve to.
    overwrite
        Replace files that exist.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
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
        _draw(tissue, run, curve, overwrite=overwrite)
    if n_domains:
        _write(tissue, n_domains, run, output, overwrite=overwrite)


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
    found: Mapping[str, Any] = facts["number_of_domains"]
    return found
