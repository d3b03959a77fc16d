"""``semst sample`` and ``semst demo``: simulated sections to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_semst.cli.shared_options import Overwrite

if TYPE_CHECKING:
    from anndata import AnnData

samples = typer.Typer(help="Write a simulated section.", no_args_is_help=True)

_Output = Annotated[Path, typer.Option("--output", "-o", help="File to write (.h5ad).")]
_Spots = Annotated[int, typer.Option("--spots", help="How many spots.")]
_Genes = Annotated[int, typer.Option("--genes", help="How many genes.")]
_Platform = Annotated[
    str, typer.Option(help="visium (lattice and H&E) or cells (scattered).")
]
_Seed = Annotated[int, typer.Option(help="Seed.")]


@samples.command()
def cortex(
    output: _Output,
    n_spots: _Spots = 3000,
    n_genes: _Genes = 1500,
    platform: _Platform = "visium",
    seed: _Seed = 0,
    hard: Annotated[
        bool,
        typer.Option(
            "--hard",
            help="Thin layers in a fold, cell types that mix, uneven sequencing, "
            "a planted discordance; for tests and benchmarks.",
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Cerebral cortex with its layers as annotation."""
    from napari_semst.io.export.rows import write_by_rows
    from napari_semst.sample.simulate_cortex import uncounted_cortex

    _check(platform)
    drawn = uncounted_cortex(
        n_spots,
        n_genes,
        platform=platform,  # type: ignore[arg-type]
        seed=seed,
        hard=hard,
    )
    write_by_rows(drawn.tissue, drawn.counts(), output, overwrite=overwrite)
    _say_written(drawn.tissue, output)


@samples.command()
def discordant(
    output: _Output,
    kinds: Annotated[
        str,
        typer.Option(
            help="What is planted, with commas between: programme, infiltration, "
            "precancer, image; or none."
        ),
    ] = "programme",
    strength: Annotated[
        str,
        typer.Option(
            help="both (a strong and a weak region of each kind), strong, weak, or a "
            "number up to 1."
        ),
    ] = "both",
    artefacts: Annotated[
        str,
        typer.Option(
            help="What is no discordance and may look like it, with commas between: "
            "stroma, necrosis, fold, gradient, shift."
        ),
    ] = "none",
    cohort: Annotated[
        int | None,
        typer.Option(
            help="Number of a cohort: sections of other seeds have the same genes, and "
            "a preparation of their own.",
        ),
    ] = None,
    n_spots: _Spots = 3000,
    n_genes: _Genes = 1500,
    platform: _Platform = "visium",
    seed: _Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Cerebral cortex with regions where image and expression disagree."""
    from napari_semst.sample import simulated_discordance

    _check(platform)
    tissue = simulated_discordance(
        n_spots,
        n_genes,
        seed=seed,
        kinds=tuple(kind.strip() for kind in kinds.split(",")),
        strength=_strength(strength),  # type: ignore[arg-type]
        platform=platform,  # type: ignore[arg-type]
        artefacts=tuple(kind.strip() for kind in artefacts.split(",")),
        cohort=cohort,
    )
    _write(tissue, output, overwrite)
    for name, planted in tissue.uns["dataset_info"]["planted"].items():
        typer.echo(
            f"  {name:20} {planted['spots']} spots of {planted['layer']}: "
            f"{planted['planted']}"
        )


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for the results.")] = Path(
        "demo-output"
    ),
) -> None:
    """Simulate a section, find its domains and draw them."""
    from napari_semst.cli.run import run_one
    from napari_semst.config import Request
    from napari_semst.io.export.h5ad import write
    from napari_semst.pipeline.job import RunOutputs, Scoring
    from napari_semst.sample import simulated_cortex

    folder.mkdir(parents=True, exist_ok=True)
    sample = folder / "cortex.h5ad"
    write(simulated_cortex(), sample, overwrite=True)
    files = RunOutputs(
        folder / "cortex_semst.h5ad",
        folder / "cortex_domains.csv",
        folder / "cortex_domains.png",
        overwrite=True,
    )
    request = Request().with_settings("domains", n_domains=7)
    scoring = Scoring("ground_truth", drop_unannotated=False)
    run_one([sample], request, "default", scoring, files)


def _strength(text: str) -> str | float:
    """Return a number where the text is one."""
    try:
        return float(text)
    except ValueError:
        return text


def _check(platform: str) -> None:
    """Refuse an unknown platform by the name of its option."""
    from napari_semst.errors import ConfigError, one_of

    if platform not in ("visium", "cells"):
        raise ConfigError(one_of("--platform", platform, ("visium", "cells")))


def _write(tissue: AnnData, output: Path, overwrite: bool) -> None:
    from napari_semst.io.export.h5ad import write

    write(tissue, output, overwrite=overwrite)
    _say_written(tissue, output)


def _say_written(tissue: AnnData, output: Path) -> None:
    typer.echo(f"Wrote {output}: {tissue.n_obs} spots x {tissue.n_vars} genes.")
