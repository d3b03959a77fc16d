"""``semst server``: whether an embedding server can be used."""

from __future__ import annotations

import json
from typing import Annotated

import typer


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
