"""``semst embed``, ``semst cache`` and ``semst server``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.shared_options import (
    AsJson,
    EmbeddingOutput,
    GivenSettings,
    JournalOutput,
    Overwrite,
    PresetName,
    Quiet,
    SettingOptions,
    SettingsFile,
    with_setting_options,
)
from napari_semst.core.memory import memory_limited
from napari_semst.core.progress import Returned, RunControl, run_to_end, with_callback
from napari_semst.errors import ConfigError, InputError
from napari_semst.io.export.destinations import check_destination

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_semst.config import Request
    from napari_semst.core.progress import Progress
    from napari_semst.embedding.embed import EmbeddingShare
    from napari_semst.pipeline.journal import Journal

cache = typer.Typer(
    help="What language models said of texts, kept for later runs.",
    no_args_is_help=True,
)
# Of sentences with the time left, one in so many seconds.
_LOG_SECONDS = 30.0

_Sources = Annotated[
    list[Path] | None,
    typer.Argument(
        help="A section; with --merge the shares, or nothing: those beside OUTPUT."
    ),
]
_Semantics = Annotated[
    str | None,
    typer.Option(
        help="prompts[:MODEL], genes[:MODEL] or builtin; else what --config says, "
        "or prompts."
    ),
]
_Shard = Annotated[
    str | None,
    typer.Option(help="Do the i-th of n shares (i/n), beside OUTPUT; for arrays."),
]
# In the order of the help.
_SEMANTIC_SETTINGS = SettingOptions(
    "semantics.model",
    "semantics.per",
    "semantics.control",
    "semantics.n_genes",
    "semantics.ranking",
    "semantics.leave_out_uninformative",
    "semantics.gene_text",
    "semantics.pooling",
    "semantics.template",
    "semantics.tissue",
    "semantics.summaries",
    "semantics.keep_vectors",
    "semantics.revision",
)


@with_setting_options
def embed(
    *,
    output: EmbeddingOutput,
    sources: _Sources = None,
    semantics: _Semantics = None,
    shard: _Shard = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge shares into OUTPUT.")
    ] = False,
    semantic_settings: Annotated[GivenSettings, _SEMANTIC_SETTINGS],
    preset: PresetName = "auto",
    config: SettingsFile = None,
    run_settings: Annotated[
        GivenSettings,
        SettingOptions(
            "training.device", "training.max_memory", "prepare.counts_layer"
        ),
    ],
    journal: JournalOutput = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compute the semantics of every spot once, for --semantics precomputed:FILE."""
    from napari_semst.cli.journal import opened_journal
    from napari_semst.cli.request import build_request
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.files_read import inputs_of

    source = semantics or (None if config else "prompts")
    chosen = {"semantics": {"source": source}} if source else {}
    request = build_request(preset, config, chosen, semantic_settings, run_settings)
    sources = sources or []
    if merge:
        if shard is not None:
            raise ConfigError(
                "Expected --shard or --merge; got both. Merge at the end."
            )
        merge_shares(sources, output, overwrite=overwrite)
        return
    if len(sources) != 1:
        raise ConfigError(
            f"Expected one input to embed; got {len(sources)}. Embed sections one by "
            "one, or add --merge if these are shares."
        )
    reads = () if config is None else (config,)
    also_read = [*inputs_of(sources[0], resolve(request)), *reads]
    with opened_journal(journal, also_read) as told:
        embed_section(
            sources[0], output, request, shard, reads, told,
            overwrite=overwrite, quiet=quiet,
        )  # fmt: skip


def embed_section(
    source: Path,
    output: Path,
    request: Request,
    shard: str | None,
    also_read: Sequence[Path],
    journal: Journal,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Compute an embedding, or a share of it."""
    from napari_semst.embedding.embed import embed as compute
    from napari_semst.embedding.embed import parse_share
    from napari_semst.embedding.files import SUFFIXES, share_path
    from napari_semst.embedding.merge import merge_provenance
    from napari_semst.io.read import read
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.files_read import inputs_of
    from napari_semst.pipeline.input_files import input_record

    config = resolve(request)
    journal.started("embed", config, inputs=[source], outputs=[output])
    number = parse_share(shard or "1/1")
    path = output if shard is None else share_path(output, *number)
    reads = [*inputs_of(source, config), *also_read]
    check_destination(
        output, SUFFIXES, overwrite=overwrite or shard is not None, reads=reads
    )
    check_destination(path, SUFFIXES, overwrite=overwrite, reads=reads)
    journal.stage("read")
    if journal.is_kept:
        journal.inputs(run_to_end(input_record([source], config, RunControl())))
    with memory_limited(config.training.max_memory):
        steps = compute(read(source), request, share=number)
        steps = with_callback(steps, journal.hear)
        share = run_to_end(_show_or_log(steps, quiet=quiet))
    journal.stage("write")
    about = share.provenance if shard else merge_provenance([share])
    for warning in about.get("warnings", ()):
        journal.warn(warning)
        typer.echo(f"  note   {warning}")
    shape = _write_vectors(share, path, shard, about, overwrite=overwrite)
    journal.wrote([path], None)
    typer.echo(f"Wrote {path}: {shape}, by {share.provenance['model']}.")


def _write_vectors(
    share: EmbeddingShare,
    path: Path,
    shard: str | None,
    about: dict[str, Any],
    *,
    overwrite: bool,
) -> str:
    """Write an embedding, or a share of it; return what it holds."""
    from napari_semst.embedding.files import write_embedding, write_share
    from napari_semst.embedding.merge import merge_embedding

    if shard is not None:
        write_share(share, path, overwrite=overwrite)
        return f"share {shard}, {len(share.vectors)} lists of genes"
    embedding = merge_embedding([share])
    write_embedding(
        embedding, path, about, share.names, overwrite=overwrite, listed=share.listed
    )
    return f"{embedding.shape[0]} spots x {embedding.shape[1]} dimensions"


def merge_shares(sources: Sequence[Path], output: Path, *, overwrite: bool) -> None:
    """Merge shares, those beside the output where none are named."""
    from napari_semst.embedding.files import (
        SUFFIXES,
        find_shares,
        read_share,
        write_embedding,
    )
    from napari_semst.embedding.merge import merge_embedding, merge_provenance

    files = list(sources) or find_shares(output)
    check_destination(output, SUFFIXES, overwrite=overwrite, reads=files)
    if not files:
        raise InputError(
            f"Expected shares beside {output}, named {output.stem}.1-of-8.safetensors "
            "and so on; found none. Name their files, or compute them with --shard."
        )
    shares = [read_share(file) for file in files]
    embedding = merge_embedding(shares)
    first = next(share for share in shares if share.number == 1)
    write_embedding(
        embedding,
        output,
        merge_provenance(shares),
        first.names,
        overwrite=overwrite,
        listed=first.listed,
    )
    typer.echo(
        f"Wrote {output}: {embedding.shape[0]} spots x {embedding.shape[1]} "
        f"dimensions, merged of {len(shares)} shares."
    )


def _show_or_log(
    steps: Generator[Progress, None, Returned], *, quiet: bool
) -> Generator[Progress, None, Returned]:
    """Pass events on: as a bar in a terminal, as lines in the log of a job."""
    import sys
    import time

    from napari_semst.cli.output import show_progress

    if quiet or sys.stderr.isatty():
        return show_progress(steps, quiet=quiet)
    last, when = "", float("-inf")

    def line(event: Progress) -> None:
        nonlocal last, when
        now = time.monotonic()
        due = not event.message.endswith(" left") or now - when > _LOG_SECONDS
        if due and event.message not in ("", last):
            typer.echo(event.message, err=True)
            last, when = event.message, now

    return with_callback(steps, line)


@cache.command("list")
def list_cache() -> None:
    """Say what is kept, and where."""
    from napari_semst.cache.vectors import CACHE_VARIABLE, cache_entries, cache_folder

    kept = list(cache_entries())
    typer.echo(f"{cache_folder()} ({CACHE_VARIABLE} moves it)")
    for entry in kept:
        about = {name: str(value) for name, value in entry.about.items()}
        way = f"pooling {about.get('pooling', '?')}  {about.get('dtype', '?')}"
        typer.echo(
            f"  {about.get('model', 'unknown')}  {about.get('revision', '')[:19]}  "
            f"{about.get('kind', way)}  "
            f"{entry.n_vectors:,} vectors  {entry.n_bytes / 1e6:,.1f} MB"
        )
        if about.get("path"):
            typer.echo(f"    from {about['path']}")
    total = sum(entry.n_bytes for entry in kept) / 1e6
    count = sum(entry.n_vectors for entry in kept)
    typer.echo(f"{count:,} vectors, {total:,.1f} MB in all")


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
    from napari_semst.cache.vectors import cache_folder, clear_vectors

    if not model and not yes:
        typer.confirm(f"Remove all vectors in {cache_folder()}?", abort=True, err=True)
    typer.echo(f"Removed {clear_vectors(model) / 1e6:,.1f} MB of vectors.")


def server(
    url: Annotated[
        str, typer.Argument(help="Address up to /v1, as http://localhost:8000/v1.")
    ],
    model: Annotated[
        str, typer.Option(help="Model to ask for; else the server's own.")
    ] = "",
    timeout: Annotated[
        float, typer.Option(min=0.01, help="Seconds to wait for an answer.")
    ] = 60.0,
    send_key: Annotated[
        bool,
        typer.Option(
            "--send-key", help="Let the key go to this server, from now on too."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask an embedding server for a few vectors; a key is read from SEMST_API_KEY."""
    from napari_semst.semantics.server.source import probe

    if send_key:
        _allow_key(url)
    answer, per_text = probe(url, model, timeout)
    account = {
        "url": answer.url,
        "host": answer.host,
        "model": answer.model,
        "dimension": answer.dimension,
        "norm": round(answer.norm, 4),
        "seconds_first": round(answer.seconds, 3),
        "seconds_per_text": round(per_text, 4),
    }
    if as_json:
        typer.echo(json.dumps(account, indent=2))
        return
    length = "unit length" if abs(answer.norm - 1) < 1e-3 else "not normalised"
    typer.echo(
        f"{answer.host} answers.\n"
        f"  model       {answer.model}\n"
        f"  dimension   {answer.dimension}\n"
        f"  norm        {answer.norm:.4f} ({length})\n"
        f"  first text  {answer.seconds:.3f} s\n"
        f"  per text    {per_text:.4f} s in a batch, one connection"
    )


def _allow_key(url: str) -> None:
    """Remember that the key in the environment may go to a server."""
    from napari_semst.semantics.server.credentials import (
        key_from_environment,
        parse_address,
    )
    from napari_semst.semantics.server.key_consent import allow_key

    address = parse_address(url)
    key = key_from_environment(encrypted=address.is_encrypted)
    if key:
        allow_key(address, key.variable)
