"""``semst prompts``: texts for an engine elsewhere, and its vectors back."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads the types of options
from typing import Annotated

import typer

from napari_semst.cli.embed_options import (
    KeepUninformative,
    PromptTemplate,
    Ranking,
    SpeakingGenes,
    TissueName,
)
from napari_semst.cli.options import Overwrite

prompts = typer.Typer(
    help="Prompts for a language model that runs elsewhere, and its vectors back.",
    no_args_is_help=True,
)


@prompts.command("write")
def write(
    source: Annotated[Path, typer.Argument(help="A section.")],
    folder: Annotated[Path, typer.Argument(help="Folder for the prompts.")],
    model: Annotated[
        str | None, typer.Option(help="Language model that is to read them.")
    ] = None,
    chat: Annotated[
        str, typer.Option(help="How it is given a conversation: chatml, plain or auto.")
    ] = "auto",
    block: Annotated[int, typer.Option(min=1, help="Texts of one file.")] = 500_000,
    n_genes: SpeakingGenes = None,
    ranking: Ranking = None,
    keep_uninformative: KeepUninformative = None,
    template: PromptTemplate = None,
    tissue: TissueName = None,
    preset: Annotated[
        str, typer.Option(help="Recipe; `semst presets` lists them.")
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option(help="Settings file (TOML); options go before it.")
    ] = None,
    counts_layer: Annotated[
        str | None, typer.Option(help="Layer that holds the raw counts.")
    ] = None,
) -> None:
    """Write each distinct text that the source `prompts` reads once, as Parquet."""
    from napari_semst.cli import run
    from napari_semst.cli.semantics_options import semantic_settings
    from napari_semst.core.progress import run_to_end
    from napari_semst.embedding.prompts import write_prompts
    from napari_semst.io.read import read

    request = run.build_request(
        preset,
        config,
        semantics=semantic_settings(
            "prompts",
            model,
            template=template,
            tissue=tissue,
            n_genes=n_genes,
            ranking=ranking,
            keep_uninformative=keep_uninformative,
        ),
        prepare={"counts_layer": counts_layer},
    )
    found = run_to_end(write_prompts(read(source), request, folder, chat, block))
    typer.echo(
        f"Wrote {found.n_texts:,} texts of {found.n_spots:,} spots into "
        f"{found.n_files} files of {folder}."
    )


@prompts.command("join")
def join(
    folder: Annotated[Path, typer.Argument(help="Folder with prompts and vectors.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File to write (.npy, .npz or .safetensors)."
        ),
    ],
    overwrite: Overwrite = False,
) -> None:
    """Join an engine's vectors into the embedding, for --semantics precomputed:FILE."""
    from napari_semst.embedding.files import check_place, write_embedding
    from napari_semst.embedding.import_vectors import join_vectors

    check_place(output, overwrite=overwrite)
    found = join_vectors(folder)
    for sentence in found.about["warnings"]:
        typer.echo(f"  note   {sentence}")
    write_embedding(
        found.embedding,
        output,
        found.about,
        found.names,
        overwrite=overwrite,
        listed=found.listed,
    )
    spots, width = found.embedding.shape
    typer.echo(
        f"Wrote {output}: {spots:,} spots x {width} dimensions, by "
        f"{found.about['model']}."
    )
