"""``semst inspect``, ``semst score`` and ``semst view``: files that are there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.convert import Positions
from napari_semst.cli.shared_options import AsJson, InputPath, setting_option
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from pathlib import Path


def inspect(
    source: InputPath,
    part: Annotated[str | None, setting_option("prepare.part")] = None,
    positions: Positions = None,
    features: Annotated[str | None, setting_option("prepare.features")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only a preview: the counts are not read.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a file or folder holds, and whether it can be clustered."""
    from napari_semst.pipeline.inspection import inspect_input

    if quick and not as_json:
        ready = _preview(source, part, positions, features)
    else:
        facts = inspect_input(
            source, part=part, positions=positions, features=features, quick=quick
        )
        ready = facts["can_run"]
        facts = _in_shell_words(facts)
        typer.echo(json.dumps(facts, indent=2) if as_json else _in_words(facts))
    if not ready:
        raise typer.Exit(2)


def _preview(
    source: Path, part: str | None, positions: str | None, features: str | None
) -> bool:
    """Print a preview of an input; return whether nothing is missing in it."""
    from napari_semst.io.preview import preview

    seen = preview(source, part=part, positions=positions, features=features)
    typer.echo("\n".join(map(for_shell, seen.sentences())))
    return not seen.missing


def _in_shell_words(value: Any) -> Any:
    """Return nested values with every text as a reader at a shell is told it."""
    if isinstance(value, dict):
        return {key: _in_shell_words(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_in_shell_words(inner) for inner in value]
    return for_shell(value) if isinstance(value, str) else value


def _in_words(facts: dict[str, Any]) -> str:
    """Return what an input holds, for people."""
    counts, places = facts["counts"], facts["coordinates"]
    counted = f"raw counts in {counts['where']}"
    if counts["problem"]:
        counted = f"{counts['problem']} (--counts-layer)"
    kind = "a regular lattice" if places["layout"] == "lattice" else "scattered"
    if places["problem"]:
        option = "" if "--coordinates" in places["problem"] else " (--coordinates)"
        layout = f"{places['problem']}{option}"
    else:
        layout = f"{kind}, spacing {places['spacing']:.4g}"
    images = [f"{i['name']} {i['width']} x {i['height']}" for i in facts["images"]]
    lines = [
        f"{facts['input']}: {facts['n_spots']} spots x {facts['n_genes']} genes",
        f"  counts       {counted}",
        f"  coordinates  {layout}",
        f"  image        {', '.join(images) or 'none'}",
    ]
    if told := facts["gene_semantics"]:
        lines.append(f"  gene names   {_gene_names(told, facts['n_genes'])}")
    lines += [f"  histology    {_spot_image(one)}" for one in facts["spot_images"]]
    lines += [f"  note         {text}" for text in facts["warnings"]]
    ready = "yes: semst run -k K"
    if not facts["can_run"]:
        said = (counts["problem"], places["problem"])
        more = [why for why in facts["why_not"] if why not in said]
        ready = ": ".join(["not as it is", *more[:1]])
    return "\n".join(
        [
            *lines,
            f"  obs columns  {', '.join(facts['columns']) or 'none'}",
            f"  will need    {_needs(facts)}",
            f"  can run      {ready}",
        ]
    )


def _gene_names(told: dict[str, Any], n_genes: int) -> str:
    """Return which genes have a vector, and the most counted that have none."""
    text = f"{told['n_known']:,} of {n_genes:,}"
    if told["share_of_counts"] is not None:
        text += f", {told['share_of_counts']:.1%} of counts,"
    text += f" have a vector (read as {told['species']})"
    parts = [
        f"{one['gene']} {one['share_of_counts']:.2%}"
        for one in told["heaviest_unknown"]
    ]
    return text + (f"; without: {', '.join(parts)}" if parts else "")


def _spot_image(told: dict[str, Any]) -> str:
    if told["problem"]:
        return f"not as it is: {told['problem']}"
    few = " (coarse: name a finer one with --image)" if told["coarse"] else ""
    across = f"{told['pixels_across_spot']:.3g} pixels across a spot"
    return f"{told['source']}: {across}{few}"


def _needs(facts: dict[str, Any]) -> str:
    """Return time and memory of a default run, a quick one, and one with the image."""
    from napari_semst.pipeline.forecast import Forecast

    if facts["forecasts"] is None:
        return "unknown until there are counts"
    told = [
        f"{f['preset']}: {Forecast(f['seconds'], f['memory_bytes'], f['free_bytes'])}"
        for f in facts["forecasts"]
    ]
    where = facts["device"]
    if where != "cpu":
        where += ", which was not measured; told as for its CPU"
    return f"on this machine ({where})\n    " + "\n    ".join(told)


def score(
    source: InputPath,
    truth: Annotated[str, typer.Option(help="obs column of the annotation.")],
    labels: Annotated[str, typer.Option(help="obs column to score.")] = "semst_domain",
    as_json: AsJson = False,
) -> None:
    """Score a column of labels against an annotation."""
    import pandas as pd

    from napari_semst.domains.metrics import truth_scores
    from napari_semst.errors import InputError
    from napari_semst.io.read import read
    from napari_semst.io.text_columns import as_texts

    tissue = read(source)
    for column in (truth, labels):
        if column not in tissue.obs:
            raise InputError(
                f"Expected obs[{column!r}] in {source}; found obs columns "
                f"{', '.join(tissue.obs) or 'none'}."
            )
    kept = tissue.obs[tissue.obs[labels].notna()]
    codes = pd.factorize(as_texts(kept[labels]))[0]
    scores = {k: round(v, 4) for k, v in truth_scores(codes, kept[truth]).items()}
    if as_json:
        typer.echo(json.dumps({"input": str(source), "scores": scores}, indent=2))
    else:
        typer.echo("\n".join(f"{name:14} {value}" for name, value in scores.items()))


def view(source: InputPath) -> None:
    """Open a section in napari, with the dock."""
    from napari_semst.viewer.window import open_window

    open_window(source)
