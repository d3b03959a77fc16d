"""``semst prompts``: texts for an engine elsewhere, and its vectors back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_semst.cli.shared_options import (
    EmbeddingOutput,
    GivenSettings,
    Overwrite,
    PresetName,
    SettingOptions,
    SettingsFile,
    with_setting_options,
)
from napari_semst.io.export.destinations import check_destination

prompts = typer.Typer(
    help="Prompts for a language model that runs elsewhere, and its vectors back.",
    no_args_is_help=True,
)


@prompts.command("write")
@with_setting_options
def write(
    *,
    source: Annotated[Path, typer.Argument(help="A section.")],
    folder: Annotated[Path, typer.Argument(help="Folder for the prompts.")],
    model: Annotated[
        str | None, typer.Option(help="Language model that is to read them.")
    ] = None,
    chat: Annotated[
        str, typer.Option(help="How it is given a conversation: chatml, plain or auto.")
    ] = "auto",
    block: Annotated[int, typer.Option(min=1, help="Texts of one file.")] = 500_000,
    semantic_settings: Annotated[
        GivenSettings,
        SettingOptions(
            "semantics.n_genes",
            "semantics.ranking",
            "semantics.leave_out_uninformative",
            "semantics.template",
            "semantics.tissue",
        ),
    ],
    preset: PresetName = "auto",
    config: SettingsFile = None,
    counts: Annotated[GivenSettings, SettingOptions("prepare.counts_layer")],
) -> None:
    """Write each distinct text that the source `prompts` reads once, as Parquet."""
    from napari_semst.cli.request import build_request
    from napari_semst.core.progress import run_to_end
    from napari_semst.embedding.prompts import write_prompts
    from napari_semst.io.read import read

    source_settings = {"source": "prompts"} | ({"model": model} if model else {})
    request = build_request(
        preset, config, {"semantics": source_settings}, semantic_settings, counts
    )
    written = run_to_end(write_prompts(read(source), request, folder, chat, block))
    typer.echo(
        f"Wrote {written.n_texts:,} texts of {written.n_spots:,} spots into "
        f"{written.n_files} files of {folder}."
    )


@prompts.command("join")
def join(
    folder: Annotated[Path, typer.Argument(help="Folder with prompts and vectors.")],
    output: EmbeddingOutput,
    overwrite: Overwrite = False,
) -> None:
    """Join an engine's vectors into the embedding, for --semantics precomputed:FILE."""
    from napari_semst.embedding.files import SUFFIXES, write_embedding
    from napari_semst.embedding.import_vectors import join_vectors

    check_destination(output, SUFFIXES, overwrite=overwrite, reads=[folder])
    joined = join_vectors(folder)
    for warning in joined.about["warnings"]:
        typer.echo(f"  note   {warning}")
    write_embedding(
        joined.embedding,
        output,
        joined.about,
        joined.names,
        overwrite=overwrite,
        listed=joined.listed,
    )
    spots, width = joined.embedding.shape
    typer.echo(
        f"Wrote {output}: {spots:,} spots x {width} dimensions, by "
        f"{joined.about['model']}."
    )
