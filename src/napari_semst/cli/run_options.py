"""Options of `semst run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_semst.cli.embed_options import (
    Control,
    KeepUninformative,
    KeepVectors,
    Per,
    Pooling,
    PromptTemplate,
    Ranking,
    SemanticsModel,
    SpeakingGenes,
    Summaries,
    TextOfGenes,
    TissueName,
)
from napari_semst.cli.image_options import (
    Context,
    Image,
    ImageEncoder,
    ImageScale,
    Rate,
    SpotDiameter,
)
from napari_semst.cli.options import AsJson, Overwrite


def run(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Files or folders, each a section. Several are done on their own, "
            "with the same settings, unless --together."
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
        str | None,
        typer.Option(
            help="semst; quick: no training, seconds; image-guided: also where image "
            "and expression disagree."
        ),
    ] = None,
    morphology: Annotated[
        str | None,
        typer.Option(
            help="What semst takes of the image: view (beside expression), modulation "
            "(beside semantics) or none."
        ),
    ] = None,
    image: Image = None,
    image_encoder: ImageEncoder = None,
    image_scale: ImageScale = None,
    spot_diameter: SpotDiameter = None,
    context: Context = None,
    fdr: Rate = None,
    semantics: Annotated[
        str | None,
        typer.Option(
            help="builtin, none; prompts[:MODEL] (a language model reads every spot's "
            "list of genes), genes[:MODEL] (it reads every gene), server:URL (an "
            "embedding server), table:FILE (gene vectors), or precomputed:NAME (an "
            "obsm key or a file)."
        ),
    ] = None,
    semantics_model: SemanticsModel = None,
    per: Per = None,
    cache: KeepVectors = None,
    control: Control = None,
    n_genes: SpeakingGenes = None,
    ranking: Ranking = None,
    keep_uninformative: KeepUninformative = None,
    gene_text: TextOfGenes = None,
    gene_weights: Annotated[
        str | None,
        typer.Option(
            help="Weight of a listed gene in its spot's mean: equal, or rank (the "
            "first count more)."
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
    part: Annotated[
        str | None,
        typer.Option(
            help="Part to read of an input that holds several: bin size of Visium HD "
            "(micrometres) or Stereo-seq (spots of the chip), table of SpatialData."
        ),
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
    from napari_semst.cli import cohort as cli_cohort
    from napari_semst.cli import run as cli_run
    from napari_semst.cli.image_options import image_settings, refuse_one_image
    from napari_semst.cli.semantics_options import semantic_settings
    from napari_semst.config import REFINE_ROUNDS, number_of_domains
    from napari_semst.core.process_group import joined_group, refuse_cohorts
    from napari_semst.io.concat_sections import stem
    from napari_semst.pipeline.job import RunOutputs, Scoring

    refuse_one_image(image, len(sources))
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
            gene_text=gene_text,
            gene_weights=gene_weights,
            pooling=pooling,
            template=template,
            tissue=tissue,
            summaries=str(summaries) if summaries else None,
            per=per,
            keep_vectors=cache,
            control=control,
            n_genes=n_genes,
            ranking=ranking,
            keep_uninformative=keep_uninformative,
        ),
        morphology=image_settings(
            image, image_encoder, image_scale, spot_diameter, context
        ),
        image_guided={"discordance_fdr": fdr},
        model={
            "method": method,
            "morphology": morphology,
            "weights": str(weights) if weights else None,
        },
        prepare={
            "counts_layer": counts_layer,
            "coordinates": coordinates,
            "part": part,
            "section_key": section_key,
        },
    )
    scoring = Scoring(truth, drop_unannotated)
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
    files = RunOutputs(
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
