"""Options of `semst embed` and `semst cache`, and those that `semst run` shares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

cache = typer.Typer(
    help="What language models said of texts, kept for later runs.",
    no_args_is_help=True,
)
Pooling = Annotated[
    str | None,
    typer.Option(help="Of a language model: mean over all tokens, genes, or last."),
]
PromptTemplate = Annotated[
    str | None,
    typer.Option(help="Words around a spot's genes: paper, or tissue (with --tissue)."),
]
TissueName = Annotated[
    str | None, typer.Option(help="What the section is of, for --template tissue.")
]
TextOfGenes = Annotated[
    str | None,
    typer.Option(help="What is read of a gene: knowledge (name, groups), or symbol."),
]
Summaries = Annotated[
    Path | None,
    typer.Option(help="Table of symbol,summary (.csv, .tsv) that genes reads."),
]
KeepVectors = Annotated[
    bool | None,
    typer.Option(
        "--cache/--no-cache",
        help="Of a server: keep what it says, and ask for nothing twice; or do not.",
    ),
]

SemanticsModel = Annotated[
    str | None, typer.Option(help="Model of prompts or genes, or of the server.")
]
Per = Annotated[
    str | None,
    typer.Option(help="What the server reads: spot (gene lists) or gene (once)."),
]
Control = Annotated[
    str | None,
    typer.Option(
        help="Spoil the semantics to learn its worth: random, shuffled, unrelated."
    ),
]
SpeakingGenes = Annotated[
    int | None, typer.Option("--n-genes", help="Top genes that speak for a spot (k_g).")
]
Ranking = Annotated[
    str | None,
    typer.Option(help="What ranks a spot's genes: scaled, expression or specificity."),
]
KeepUninformative = Annotated[
    bool | None,
    typer.Option(
        "--keep-uninformative/--leave-out-uninformative",
        help="List mitochondrial, ribosomal and nameless genes, too, or not.",
    ),
]


def embed(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File to write (.npy, .npz or .safetensors)."
        ),
    ],
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A section; with --merge the shares, or nothing: those beside OUTPUT."
        ),
    ] = None,
    semantics: Annotated[
        str | None,
        typer.Option(
            help="prompts[:MODEL], genes[:MODEL] or builtin; else what --config says, "
            "or prompts."
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="Do the i-th of n shares (i/n), beside OUTPUT; for arrays."),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge shares into OUTPUT.")
    ] = False,
    semantics_model: SemanticsModel = None,
    per: Per = None,
    control: Control = None,
    n_genes: SpeakingGenes = None,
    ranking: Ranking = None,
    keep_uninformative: KeepUninformative = None,
    gene_text: TextOfGenes = None,
    pooling: Pooling = None,
    template: PromptTemplate = None,
    tissue: TissueName = None,
    summaries: Summaries = None,
    cache: KeepVectors = None,
    revision: Annotated[
        str | None, typer.Option(help="Commit, tag or branch of the model.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Recipe; `semst presets` lists them.")
    ] = "auto",
    config: Annotated[
        Path | None, typer.Option(help="Settings file (TOML); options go before it.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:<index>.")
    ] = None,
    counts_layer: Annotated[
        str | None, typer.Option(help="Layer that holds the raw counts.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress.")
    ] = False,
) -> None:
    """Compute the semantics of every spot once, for --semantics precomputed:FILE."""
    from napari_semst.cli import embed as cli_embed
    from napari_semst.cli import run
    from napari_semst.cli.semantics_options import semantic_settings

    request = run.build_request(
        preset,
        config,
        semantics=semantic_settings(
            semantics or (None if config else "prompts"),
            semantics_model,
            per=per,
            control=control,
            n_genes=n_genes,
            ranking=ranking,
            keep_uninformative=keep_uninformative,
            gene_text=gene_text,
            pooling=pooling,
            template=template,
            tissue=tissue,
            summaries=str(summaries) if summaries else None,
            revision=revision,
            keep_vectors=cache,
        ),
        training={"device": device},
        prepare={"counts_layer": counts_layer},
    )
    cli_embed.embed(
        sources or [],
        output,
        request,
        shard,
        merge=merge,
        overwrite=overwrite,
        quiet=quiet,
    )


@cache.command("list")
def list_cache() -> None:
    """Say what is kept, and where."""
    from napari_semst.cli import embed as cli_embed

    cli_embed.list_cache()


@cache.command("clear")
def clear_cache(
    model: Annotated[
        str, typer.Option(help="Id or folder of the model whose vectors go; else all.")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove all without asking.")
    ] = False,
) -> None:
    """Remove what is kept."""
    from napari_semst.cli import embed as cli_embed

    cli_embed.clear_cache(model, yes=yes)
