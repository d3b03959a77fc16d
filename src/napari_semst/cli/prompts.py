"""``semst prompts``: texts for an engine elsewhere, and its vectors back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_semst.cli.options import Overwrite, Preset
from napari_semst.cli.settings import Stages, with_settings

prompts = typer.Typer(
    help="Prompts for a language model that runs elsewhere, and its vectors back.",
    no_args_is_help=True,
)


@prompts.command("write")
@with_settings(
    "n_genes", "ranking", "keep_uninformative", "template", "tissue", "counts_layer"
)
def write(
    source: Annotated[Path, typer.Argument(help="A section.")],
    folder: Annotated[Path, typer.Argument(help="Folder for the prompts.")],
    given: Stages,
    model: Annotated[
        str | None, typer.Option(help="Language model that is to read them.")
    ] = None,
    chat: Annotated[
        str, typer.Option(help="How it is given a conversation: chatml, plain or auto.")
    ] = "auto",
    block: Annotated[int, typer.Option(min=1, help="Texts of one file.")] = 500_000,
    preset: Preset = "auto",
    config: Annotated[
        Path | None, typer.Option(help="Settings file (TOML); options go before it.")
    ] = None,
) -> None:
    """Write each distinct text that the source `prompts` reads once, as Parquet."""
    from napari_semst.cli.request import build_request
    from napari_semst.core.progress import run_to_end
    from napari_semst.embedding.prompts import write_prompts
    from napari_semst.io.read import read

    semantics = given.setdefault("semantics", {})
    semantics["source"] = "prompts"
    if model is not None:
        semantics["model"] = model
    request = build_request(preset, config, given)
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
