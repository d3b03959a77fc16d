"""The settings of gene semantics: where it comes from, and which genes speak."""

from __future__ import annotations

from dataclasses import dataclass

from napari_semst.config.fields import setting as _setting


@dataclass(frozen=True, slots=True)
class SemanticsConfig:
    """Where the meaning of genes comes from."""

    source: str = _setting(
        "builtin",
        "Source of gene semantics.",
        ("builtin", "none", "precomputed", "table", "server", "prompts", "genes"),
        flags=("--semantics",),
        shell_help="builtin, none; prompts[:MODEL] (a language model reads every "
        "spot's list of genes), genes[:MODEL] (it reads every gene), server:URL (an "
        "embedding server), table:FILE (gene vectors), or precomputed:NAME (an obsm "
        "key or a file).",
    )
    control: str = _setting(
        "none",
        "Spoil the semantics on purpose, to learn what it is worth: vectors of equal "
        "covariance, gene names permuted, or unrelated genes or sentences.",
        ("none", "random", "shuffled", "unrelated"),
        shell_help="Spoil the semantics to learn its worth: random, shuffled, "
        "unrelated.",
    )
    embedding: str = _setting(
        "",
        "obsm key, or .npy, .npz, .safetensors, .csv or .tsv file, of a precomputed "
        "embedding, one row per spot.",
    )
    table: str = _setting(
        "", "File of gene vectors (.npz, .csv, .tsv) for the source 'table'."
    )
    model: str = _setting(
        "",
        "Language model of prompts and genes, a Hugging Face id or folder, or of the "
        "server; empty: Qwen/Qwen3-4B-Thinking-2507, or the server's own.",
        flags=("--semantics-model",),
    )
    revision: str = _setting(
        "", "Commit, tag or branch of the model; empty: the one that is here, or main."
    )
    pooling: str = _setting(
        "mean",
        "Tokens whose states are averaged: all, those of gene names, or the last.",
        ("mean", "genes", "last"),
        shell_help="Of a language model: mean over all tokens, genes, or last.",
    )
    template: str = _setting(
        "paper",
        "Words around a spot's genes: the paper's, or with species and tissue.",
        ("paper", "tissue"),
        shell_help="Words around a spot's genes: paper, or tissue (with --tissue).",
    )
    tissue: str = _setting("", "What the section is of, for the template 'tissue'.")
    gene_text: str = _setting(
        "knowledge",
        "What is read of a gene, by the source genes and by servers that read each "
        "gene: symbol, name, HGNC groups and rarest GO terms, or the symbol alone.",
        ("knowledge", "symbol"),
        shell_help="What is read of a gene: knowledge (name, groups), or symbol.",
    )
    summaries: str = _setting(
        "",
        "File of symbol,summary (.csv, .tsv) that the source genes reads.",
        file=True,
    )
    batch_tokens: int = _setting(
        0, "Tokens read at once; 0: 1,024 on CPUs, 8,192 on GPUs.", low=0
    )
    url: str = _setting(
        "", "Address of the embedding server for the source 'server', up to its /v1."
    )
    per: str = _setting(
        "spot",
        "What the server reads: the gene list of each spot, or each gene once, "
        "averaged over the lists afterwards.",
        ("spot", "gene"),
        shell_help="What the server reads: spot (gene lists) or gene (once).",
    )
    batch_texts: int = _setting(
        32, "Texts in one request to the server; halved where it refuses.", low=1
    )
    connections: int = _setting(4, "Requests to the server at one time.", low=1)
    timeout: float = _setting(
        60.0,
        "Seconds of the server's silence after which a request is repeated; an answer "
        "that is not complete after three times as long counts as none.",
        low=0.01,
    )
    keep_vectors: bool = _setting(
        True,
        "Keep what the server says of texts in the cache of this machine, and ask for "
        "nothing twice.",
        flags=("--cache/--no-cache",),
        shell_help="Of a server: keep what it says, and ask for nothing twice; or do "
        "not.",
    )
    n_genes: int = _setting(20, "Top genes that speak for a spot (k_g).", low=1)
    ranking: str = _setting(
        "scaled",
        "What ranks a spot's genes: the scaled value, the plain expression, or the "
        "expression times how few spots have the gene.",
        ("scaled", "expression", "specificity"),
        shell_help="What ranks a spot's genes: {choices}.",
    )
    gene_weights: str = _setting(
        "equal",
        "Weight of a listed gene in its spot's mean: the same for all, or falling "
        "with its place in the list, 1 / log2(1 + place). Of builtin, table, genes, "
        "and servers that read each gene.",
        ("equal", "rank"),
        shell_help="Weight of a listed gene in its spot's mean: equal, or rank (the "
        "first count more).",
    )
    leave_out_uninformative: bool = _setting(
        True,
        "Leave mitochondrial, ribosomal and nameless genes out of the lists.",
        flags=("--keep-uninformative/--leave-out-uninformative",),
        shell_help="List mitochondrial, ribosomal and nameless genes, too, or not.",
    )
    standardise: bool = _setting(
        True,
        "Centre and scale the embedding per dimension, whatever its source; published "
        "weights (model.weights) take it as it is.",
    )
    smoothing_rounds: int = _setting(
        -1,
        "Times that hosts average the vectors of spots over neighbours; -1: as often "
        "as components; 0: each spot has its own, as published.",
        low=-1,
    )
    species: str = _setting("auto", "Species.", ("auto", "human", "mouse"))
