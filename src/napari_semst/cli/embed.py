"""What `semst embed` and `semst cache` do, once their options are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.options import Overwrite, Preset, Quiet
from napari_semst.cli.settings import Stages, with_settings
from napari_semst.core.progress import run_to_end
from napari_semst.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_semst.config import Request


cache = typer.Typer(
    help="What language models said of texts, kept for later runs.",
    no_args_is_help=True,
)


def compute_embedding(
    sources: Sequence[Path],
    output: Path,
    request: Request,
    shard: str | None,
    *,
    merge: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Compute an embedding or a share of it, or merge shares."""
    from napari_semst.embedding.embed import embed as computed
    from napari_semst.embedding.embed import parse_share
    from napari_semst.embedding.files import (
        check_place,
        share_file,
        write_embedding,
        write_share,
    )
    from napari_semst.embedding.merge import account, merged
    from napari_semst.io.read import read

    if merge:
        if shard is not None:
            raise ConfigError(
                "Expected --shard or --merge; got both. Merge at the end."
            )
        check_place(output, overwrite=overwrite)
        _merge(sources, output, overwrite=overwrite)
        return
    if len(sources) != 1:
        raise ConfigError(
            f"Expected one input to embed; got {len(sources)}. Embed sections one by "
            "one, or add --merge if these are shares."
        )
    share = parse_share(shard or "1/1")
    place = output if shard is None else share_file(output, *share)
    check_place(output, overwrite=overwrite or shard is not None)
    check_place(place, overwrite=overwrite)
    tissue = read(sources[0])
    found = run_to_end(_shown(computed(tissue, request, share=share), quiet=quiet))
    about = found.provenance if shard else account([found])
    for sentence in about.get("warnings", ()):
        typer.echo(f"  note   {sentence}")
    if shard is None:
        embedding = merged([found])
        write_embedding(
            embedding,
            place,
            about,
            found.names,
            overwrite=overwrite,
            listed=found.listed,
        )
        shape = f"{embedding.shape[0]} spots x {embedding.shape[1]} dimensions"
    else:
        write_share(found, place, overwrite=overwrite)
        shape = f"share {shard}, {len(found.vectors)} lists of genes"
    typer.echo(f"Wrote {place}: {shape}, by {found.provenance['model']}.")


def _merge(sources: Sequence[Path], output: Path, *, overwrite: bool) -> None:
    from napari_semst.embedding.files import read_share, share_files, write_embedding
    from napari_semst.embedding.merge import account, merged

    files = list(sources) or share_files(output)
    if not files:
        raise InputError(
            f"Expected shares beside {output}, named {output.stem}.1-of-8.safetensors "
            "and so on; found none. Name their files, or compute them with --shard."
        )
    shares = [read_share(file) for file in files]
    embedding = merged(shares)
    first = next(one for one in shares if one.number == 1)
    write_embedding(
        embedding,
        output,
        account(shares),
        first.names,
        overwrite=overwrite,
        listed=first.listed,
    )
    typer.echo(
        f"Wrote {output}: {embedding.shape[0]} spots x {embedding.shape[1]} "
        f"dimensions, merged of {len(shares)} shares."
    )


def _shown(steps: Any, *, quiet: bool) -> Any:
    """Pass events on: as a bar in a terminal, as lines in the log of a job."""
    import sys
    import time

    from napari_semst.cli.output import shown
    from napari_semst.core.progress import with_callback

    if quiet or sys.stderr.isatty():
        return shown(steps, quiet=quiet)
    last, when = "", float("-inf")

    def line(event: Any) -> None:
        nonlocal last, when
        now = time.monotonic()
        # Of the sentences with the time left, one in half a minute.
        due = not event.message.endswith(" left") or now - when > _EVERY
        if due and event.message not in ("", last):
            typer.echo(event.message, err=True)
            last, when = event.message, now

    return with_callback(steps, line)


_EVERY = 30.0


@cache.command("list")
def show_cached() -> None:
    """Print what the cache holds: vectors of texts, and features of images."""
    from napari_semst.cache.vectors import CACHE_VARIABLE, cache_entries, cache_folder

    found = list(cache_entries())
    typer.echo(f"{cache_folder()} ({CACHE_VARIABLE} moves it)")
    for entry in found:
        about = {name: str(value) for name, value in entry.about.items()}
        way = f"pooling {about.get('pooling', '?')}  {about.get('dtype', '?')}"
        typer.echo(
            f"  {about.get('model', 'unknown')}  {about.get('revision', '')[:19]}  "
            f"{about.get('kind', way)}  "
            f"{entry.n_vectors:,} vectors  {entry.n_bytes / 1e6:,.1f} MB"
        )
        if about.get("path"):
            typer.echo(f"    from {about['path']}")
    total = sum(entry.n_bytes for entry in found) / 1e6
    count = sum(entry.n_vectors for entry in found)
    typer.echo(f"{count:,} vectors, {total:,.1f} MB in all")


@cache.command("clear")
def remove_cached(
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on standard output.")
    ] = False,
) -> None:
    """Ask an embedding server for a few vectors; a key is read from SEMST_API_KEY."""
    from napari_semst.semantics.server.source import probe

    found, per_text = probe(url, model, timeout)
    account = {
        "url": found.url,
        "host": found.host,
        "model": found.model,
        "dimension": found.dimension,
        "norm": round(found.norm, 4),
        "seconds_first": round(found.seconds, 3),
        "seconds_per_text": round(per_text, 4),
    }
    if as_json:
        typer.echo(json.dumps(account, indent=2))
        return
    length = "unit length" if abs(found.norm - 1) < 1e-3 else "not normalised"
    typer.echo(
        f"{found.host} answers.\n"
        f"  model       {found.model}\n"
        f"  dimension   {found.dimension}\n"
        f"  norm        {found.norm:.4f} ({length})\n"
        f"  first text  {found.seconds:.3f} s\n"
        f"  per text    {per_text:.4f} s in a batch, one connection"
    )


@with_settings(
    "semantics_model",
    "per",
    "control",
    "n_genes",
    "ranking",
    "keep_uninformative",
    "gene_text",
    "pooling",
    "template",
    "tissue",
    "summaries",
    "cache",
    "revision",
    "device",
    "counts_layer",
)
def embed(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File to write (.npy, .npz or .safetensors)."
        ),
    ],
    given: Stages,
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
    preset: Preset = "auto",
    config: Annotated[
        Path | None, typer.Option(help="Settings file (TOML); options go before it.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compute the semantics of every spot once, for --semantics precomputed:FILE."""
    from napari_semst.cli.request import build_request

    source = semantics or (None if config else "prompts")
    if source is not None:
        given.setdefault("semantics", {})["source"] = source
    request = build_request(preset, config, given)
    compute_embedding(
        sources or [],
        output,
        request,
        shard,
        merge=merge,
        overwrite=overwrite,
        quiet=quiet,
    )
