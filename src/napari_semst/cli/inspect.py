"""``semst inspect``, ``semst score`` and ``semst view``: files that are there."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from napari_semst.cli.options import AsJson, InputPath, setting_option
from napari_semst.errors import SemstError
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def inspect(
    source: InputPath,
    part: Annotated[str | None, setting_option("prepare.part")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only a preview: the counts are not read.")
    ] = False,
) -> None:
    """Say what a file or folder holds, and whether it can be clustered."""
    if not (_preview if quick else _describe)(source, part):
        raise typer.Exit(2)


def _preview(source: Path, part: str | None) -> bool:
    """Print a preview of an input; return whether nothing is missing in it."""
    from napari_semst.io.preview import preview

    seen = preview(source, part=part)
    typer.echo("\n".join(map(for_shell, seen.sentences())))
    return not seen.missing


def _describe(source: Path, part: str | None) -> bool:
    """Print what an input holds; return whether it can be clustered as it is."""
    from napari_semst.io.coordinates import find_coordinates
    from napari_semst.io.counts import find_counts
    from napari_semst.io.read import read
    from napari_semst.prepare.graphs import detect_lattice

    tissue = read(source, part=part)
    lines = [f"{source}: {tissue.n_obs} spots x {tissue.n_vars} genes"]
    ready = True
    needs = "unknown until there are counts"
    try:
        counted = find_counts(tissue)
        counts = f"raw counts in {counted.where}"
        size = (tissue.n_obs, tissue.n_vars, counted.matrix.nnz)
        needs = _needs(*size, image=bool(_images(tissue)))
    except SemstError as error:
        counts, ready = f"{for_shell(error)} (--counts-layer)", False
    lines.append(f"  counts       {counts}")
    try:
        lattice = detect_lattice(find_coordinates(tissue))
        kind = "a regular lattice" if lattice.regular else "scattered"
        layout = f"{kind}, spacing {lattice.pitch:.4g}"
    except SemstError as error:
        layout, ready = f"{for_shell(error)} (--coordinates)", False
    lines.append(f"  coordinates  {layout}")
    lines.append(f"  image        {', '.join(_images(tissue)) or 'none'}")
    lines += [f"  histology    {text}" for text in _histology(tissue)]
    lines += [f"  note         {for_shell(text)}" for text in _noticed(tissue)]
    lines.append(f"  obs columns  {', '.join(tissue.obs) or 'none'}")
    lines.append(f"  will need    {needs}")
    lines.append(f"  can run      {'yes: semst run -k K' if ready else 'not as it is'}")
    typer.echo("\n".join(lines))
    return ready


def _noticed(tissue: AnnData) -> list[str]:
    """Return what reading noticed, and an image on which few spots lie."""
    from napari_semst.io.coordinates import find_coordinates
    from napari_semst.io.notes import input_warnings
    from napari_semst.io.places.on_image import few_on_image

    found = input_warnings(tissue)
    with suppress(SemstError):  # said of the coordinates
        found.append(few_on_image(tissue, find_coordinates(tissue)))
    return list(filter(None, found))


def _needs(n_spots: int, n_genes: int, n_counts: int, *, image: bool) -> str:
    """Return time and memory of a default run, a quick one, and one with the image."""
    from napari_semst.config import Request
    from napari_semst.core.device import choose_device
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.forecast import forecast

    forecasts = [
        f"{name}: {forecast(n_spots, n_genes, n_counts, resolve(Request(name)))}"
        for name in ("default", "quick", "image-guided")[: 3 if image else 2]
    ]
    where = choose_device().name
    if where != "cpu":
        where += ", which was not measured; told as for its CPU"
    return f"on this machine ({where})\n    " + "\n    ".join(forecasts)


def _histology(tissue: AnnData) -> list[str]:
    """Return whether the image around spots can be read, and how fine it is."""
    from napari_semst.config import MorphologyConfig
    from napari_semst.io.coordinates import find_coordinates
    from napari_semst.morphology.describe import FEWEST_PIXELS
    from napari_semst.morphology.sections import diameter_of, imaged_parts, slide_of

    wanted, lines = MorphologyConfig(), []
    try:
        places = find_coordinates(tissue)
        for part in imaged_parts(tissue, wanted):
            slide = slide_of(tissue, part.library, wanted)
            diameter, _ = diameter_of(tissue, part.library, places[part.spots], wanted)
            across = diameter / max(slide.unit)
            few = " (coarse: name a finer one with --image)"
            lines.append(
                f"{slide.source}: {across:.3g} pixels across a spot"
                + (few if across < FEWEST_PIXELS else "")
            )
    except SemstError as error:
        lines.append(f"not as it is: {for_shell(error)}")
    return lines


def _images(tissue: object) -> list[str]:
    from collections.abc import Mapping

    libraries = getattr(tissue, "uns", {}).get("spatial", {})
    sections = libraries.values() if isinstance(libraries, Mapping) else ()
    return [
        f"{name} {image.shape[1]} x {image.shape[0]}"
        for library in sections
        if isinstance(library, Mapping)
        for name, image in library.get("images", {}).items()
    ]


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
