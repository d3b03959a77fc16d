"""What an input holds and whether it can be clustered, as values that stay the same."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import SemstError
from napari_semst.wording import message

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.preview import Preview
    from napari_semst.prepare.rows import CountRows

SCHEMA = 1
"""Rises where a field is taken away or means another thing; fields may be added."""

PIXEL, MICROMETRE, CHIP = "pixel", "micrometre", "spot of the chip"
# Of the instruments' own files. What other programs wrote does not say it.
_UNITS = {
    "visium": PIXEL,
    "visium_hd": PIXEL,
    "10x_h5": PIXEL,
    "cosmx": PIXEL,
    "xenium": MICROMETRE,
    "merscope": MICROMETRE,
    "gef": CHIP,
    "gem": CHIP,
}
# Micrometres between spots of Stereo-seq's chip.
_CHIP_MICRONS = 0.5
_PRESETS = ("default", "quick", "image-guided")


def inspect_input(
    source: str | Path,
    *,
    part: str | int | None = None,
    positions: str | Path | None = None,
    features: str | None = None,
    quick: bool = False,
) -> dict[str, Any]:
    """Return what an input holds, and whether its domains can be found as it is.

    Parameters
    ----------
    source
        A file or folder; it is not changed.
    part, positions, features
        As for `napari_semst.read`.
    quick
        Whether only to look inside: counts are not read, and what that would tell is
        None.

    Returns
    -------
    dict
        Plain values. The page *Inspect* names every field; the JSON Schema is
        ``inspection.schema.json`` beside this file.

    Raises
    ------
    InputError
        If the path holds nothing that can be read as a tissue section.
    """
    from napari_semst.io.preview import Preview, preview
    from napari_semst.io.read import format_of, read
    from napari_semst.io.stored_counts import counts_open

    place = Path(source).expanduser()
    seen = None
    try:
        seen = preview(place, positions=positions, part=part, features=features)
    except SemstError:
        if quick:
            raise
    if quick and seen is not None:
        return _previewed(place, seen, quick=True)
    # Reading says better what is wrong with an input, and does without a look inside.
    tissue = read(
        place, positions=positions, part=part, features=features, on_disk=True
    )
    if seen is None:
        kind = format_of(place)
        seen = Preview(kind.name, kind.title)
    with counts_open(tissue):
        return {**_previewed(place, seen, quick=False), **_measured(tissue, seen)}


def schema_file() -> Path:
    """Return the JSON Schema of what `inspect_input` returns."""
    return Path(__file__).with_name("inspection.schema.json")


def _previewed(place: Path, seen: Preview, *, quick: bool) -> dict[str, Any]:
    """Return what is known without reading; what is not is None."""
    from napari_semst.pipeline.provenance import versions

    size = seen.image
    why_not = [
        f"{what} {'are' if what.endswith('s') else 'is'} missing"
        for what in seen.missing
    ]
    if seen.n_spots is not None:
        why_not += _too_small(None, None, seen.n_spots)
    return {
        "schema": SCHEMA,
        "program": versions()["napari-semst"],
        "input": str(place),
        "quick": quick,
        "format": seen.kind,
        "title": seen.title,
        "part": seen.part or None,
        "parts": list(seen.parts),
        "n_spots": seen.n_spots,
        "n_genes": seen.n_genes,
        "counts": {
            "where": seen.counts or None,
            "places": list(seen.counts_places),
            "n_nonzero": None,
            "problem": "none were found" if seen.counts == "" else None,
        },
        "coordinates": {
            "where": seen.coordinates or None,
            "places": list(seen.coordinates_places),
            "unit": _UNITS.get(seen.kind),
            "micrometres_per_unit": None,
            "layout": None,
            "spacing": None,
            "problem": None if seen.coordinates else "none were found",
        },
        "images": [] if size is None else [_image(None, None, size)],
        "spot_images": None,
        "annotations": list(seen.annotations),
        "columns": list(seen.columns),
        "section_key": None,
        "sections": None,
        "left_out": None if seen.left_out is None else dict(seen.left_out),
        "gene_semantics": None,
        "runs": None,
        "warnings": [message(text) for text in seen.remarks],
        "can_run": not why_not,
        "why_not": why_not,
        "device": None,
        "forecasts": None,
    }


def _measured(tissue: AnnData, seen: Preview) -> dict[str, Any]:
    """Return what only reading tells."""
    from napari_semst.io.matrices import is_stored, stored_matrices

    counts, matrix = _counts(tissue, seen)
    coordinates, places = _coordinates(tissue, seen)
    images = _images(tissue)
    key, sections = _sections(tissue)
    problems = [x["problem"] for x in (counts, coordinates) if x["problem"]]
    device, forecasts = None, None
    left_out, on_disk = _left_out(tissue), is_stored(tissue.X)
    # Where any matrix stays on disk the reader leaves none out.
    n_others = sum(left_out.values()) if stored_matrices(tissue) else 0
    if matrix is not None:
        problems += _too_small(tissue, matrix)
        shown = bool(images) and _some_spots_on_image(tissue)
        numbers = int(matrix.nnz), on_disk
        device, forecasts = _forecasts(tissue, *numbers, image=shown)
    return {
        "n_spots": tissue.n_obs,
        "n_genes": tissue.n_vars - n_others,
        "counts": counts,
        "coordinates": coordinates,
        "images": images,
        "spot_images": _spot_images(tissue, places),
        "annotations": _annotations(tissue),
        "columns": list(map(str, tissue.obs)),
        "section_key": key,
        "sections": sections,
        "left_out": left_out,
        "gene_semantics": _gene_semantics(tissue, matrix),
        "runs": _runs(tissue),
        "warnings": _noticed(tissue, places),
        "can_run": not problems,
        "why_not": problems,
        "device": device,
        "forecasts": forecasts,
    }


def _too_small(
    tissue: AnnData | None, counts: CountRows | None, n_spots: int = 0
) -> list[str]:
    """Return why there are too few spots or genes to run, nothing where there are not.

    Parameters
    ----------
    tissue, counts
        As they were read; None where only their number of spots is known.
    n_spots
        That number.
    """
    from napari_semst.config import PrepareConfig
    from napari_semst.core.sections import Sections
    from napari_semst.io.sections import sections_of
    from napari_semst.prepare.section import check_genes, check_sizes

    try:
        sections = Sections.one(n_spots) if tissue is None else sections_of(tissue)
        check_sizes(sections)
        if counts is not None:
            check_genes(counts, PrepareConfig())
    except SemstError as error:
        return [message(error)]
    return []


def _counts(tissue: AnnData, seen: Preview) -> tuple[dict[str, Any], CountRows | None]:
    import numpy as np

    from napari_semst.io.counts import CountsFound, find_counts
    from napari_semst.io.gene_features import genes_of
    from napari_semst.io.matrices import named_layers, stored_matrices
    from napari_semst.io.stored_counts import stored_counts

    there = [*(["X"] if tissue.X is not None else []), *named_layers(tissue)]
    places = list(seen.counts_places) or there
    told: dict[str, Any] = {"where": None, "places": places, "n_nonzero": None}
    try:
        stored = stored_counts(tissue)
        found = find_counts(tissue) if stored is None else CountsFound(stored, "X")
        genes = np.flatnonzero(genes_of(tissue).genes)
        if stored is not None:
            found = CountsFound(stored.of_genes(genes), "X")
            # Which looks at every count.
            n_counts = int(found.matrix.summary.lengths.sum())
        elif stored_matrices(tissue) and len(genes) < tissue.n_vars:
            found = CountsFound(found.matrix[:, genes], found.where)
    except SemstError as error:
        return {**told, "problem": message(error)}, None
    if stored is None:
        n_counts = int(found.matrix.nnz)
    told |= {"where": found.where, "n_nonzero": n_counts, "problem": None}
    return told, found.matrix


def _coordinates(
    tissue: AnnData, seen: Preview
) -> tuple[dict[str, Any], NDArray[np.float64] | None]:
    from napari_semst.io.coordinates import find_coordinates
    from napari_semst.io.notes import INPUT
    from napari_semst.prepare.graphs import detect_lattice

    noted = tissue.uns.get(INPUT, {})
    told: dict[str, Any] = {
        "where": None,
        "places": list(seen.coordinates_places),
        "unit": None,
        "micrometres_per_unit": None,
        "layout": None,
        "spacing": None,
    }
    try:
        places = find_coordinates(tissue)
    except SemstError as error:
        return {**told, "problem": message(error)}, None
    lattice = detect_lattice(places)
    microns = _microns(tissue, places, seen.kind)
    unit = _UNITS.get(seen.kind, MICROMETRE if microns == 1 else None)
    found = {
        "where": str(noted.get("coordinates", "obsm['spatial']")),
        "unit": unit,
        "micrometres_per_unit": microns,
        "layout": "lattice" if lattice.regular else "scattered",
        "spacing": float(lattice.pitch),
        "problem": None,
    }
    return told | found, places


def _microns(tissue: AnnData, places: NDArray[np.float64], kind: str) -> float | None:
    """Return micrometres per unit of the coordinates, None where nobody knows."""
    from napari_semst.io.alignment import stated_size
    from napari_semst.io.places.scale import microns_of
    from napari_semst.io.sections import libraries, part, spots_of

    if _UNITS.get(kind) == MICROMETRE:
        return 1.0
    if _UNITS.get(kind) == CHIP:
        return _CHIP_MICRONS
    for library in libraries(tissue):
        own = places[spots_of(tissue, library)]
        stated = part(tissue, library, "scalefactors")
        found = microns_of(stated, own, stated_size(tissue, library) or 0.0)
        if found is not None:
            return found
    return None


def _images(tissue: AnnData) -> list[dict[str, Any]]:
    from napari_semst.io.sections import libraries, part

    return [
        _image(library, str(name), image.shape)
        for library in libraries(tissue)
        for name, image in part(tissue, library, "images").items()
        if len(getattr(image, "shape", ())) > 1
    ]


def _image(
    section: str | None, name: str | None, shape: tuple[int, ...]
) -> dict[str, Any]:
    height, width = map(int, shape[:2])
    return {"section": section, "name": name, "width": width, "height": height}


def _spot_images(
    tissue: AnnData, places: NDArray[np.float64] | None
) -> list[dict[str, Any]]:
    """Return the images around spots that methods would read, and how fine they are."""
    from napari_semst.config import MorphologyConfig
    from napari_semst.morphology.describe import FEWEST_PIXELS
    from napari_semst.morphology.sections import diameter_of, imaged_parts, slide_of

    wanted: MorphologyConfig = MorphologyConfig()
    found: list[dict[str, Any]] = []
    try:
        if places is None:
            return []
        for one in imaged_parts(tissue, wanted):
            slide = slide_of(tissue, one.library, wanted)
            own = places[one.spots]
            diameter, _ = diameter_of(tissue, one.library, own, wanted)
            across = float(diameter / max(slide.unit))
            found.append(
                {
                    "source": str(slide.source),
                    "pixels_across_spot": across,
                    "coarse": across < FEWEST_PIXELS,
                    "problem": None,
                }
            )
    except SemstError as error:
        unread = {"source": None, "pixels_across_spot": None, "coarse": None}
        found.append({**unread, "problem": message(error)})
    return found


def _annotations(tissue: AnnData) -> list[str]:
    import pandas as pd

    types = pd.api.types
    return [
        str(name)
        for name, kind in tissue.obs.dtypes.items()
        if isinstance(kind, pd.CategoricalDtype)
        or types.is_string_dtype(kind)
        or types.is_object_dtype(kind)
    ]


def _sections(tissue: AnnData) -> tuple[str | None, list[dict[str, Any]]]:
    """Return the column that tells sections apart, and sections with their sizes."""
    from napari_semst import keys
    from napari_semst.io.notes import mixing_column
    from napari_semst.io.sections import own_libraries, spots_of
    from napari_semst.io.text_columns import as_texts

    key = keys.SECTION if keys.SECTION in tissue.obs else mixing_column(tissue)
    if key:
        sizes = as_texts(tissue.obs[key]).value_counts(sort=False)
        named: list[tuple[str | None, int]] = [
            (str(name), int(size)) for name, size in sizes.items()
        ]
    else:
        known = own_libraries(tissue)
        named = [(name, int(spots_of(tissue, name).sum())) for name in known]
    if len(named) < 2:
        named = [(named[0][0] if named else None, tissue.n_obs)]
    return key or None, [{"name": name, "n_spots": size} for name, size in named]


def _left_out(tissue: AnnData) -> dict[str, int]:
    from napari_semst.io.gene_features import genes_of
    from napari_semst.io.matrices import stored_matrices
    from napari_semst.io.notes import INPUT

    kinds = tissue.uns.get(INPUT, {}).get("kinds_left_out", {})
    if stored_matrices(tissue):
        # A run leaves them out, and not the reader.
        kinds = genes_of(tissue).numbers()
    return {str(kind): int(number) for kind, number in kinds.items()}


def _gene_semantics(tissue: AnnData, counts: CountRows | None) -> dict[str, Any] | None:
    """Return which genes the built-in table has a vector of."""
    import numpy as np

    from napari_semst.config import PrepareConfig
    from napari_semst.pipeline.gene_coverage import gene_coverage
    from napari_semst.pipeline.inputs import SectionInputs
    from napari_semst.prepare.rows import total_per_gene

    inputs = SectionInputs(tissue, PrepareConfig())
    try:
        kept = np.flatnonzero(inputs.features.genes)
        totals = None
        if counts is not None:
            totals = total_per_gene(counts)
            # Of counts on disk those of genes alone were looked at.
            totals = totals if len(totals) == len(kept) else totals[kept]
        return gene_coverage(inputs.symbols, inputs.gene_ids, totals).table()
    except SemstError:  # no feature is a gene, which is said elsewhere
        return None


def _runs(tissue: AnnData) -> list[str]:
    from napari_semst import keys

    runs = tissue.uns.get(keys.RUNS, {})
    return sorted(map(str, runs)) if hasattr(runs, "keys") else []


def _noticed(tissue: AnnData, places: NDArray[np.float64] | None) -> list[str]:
    """Return what reading noticed, and an image on which few spots lie."""
    from napari_semst.io.notes import input_warnings
    from napari_semst.io.places.on_image import few_on_image

    found = [*input_warnings(tissue), *_remarks(tissue)]
    if places is not None:
        with suppress(SemstError):  # said of the image
            found.append(few_on_image(tissue, places))
    return list(filter(None, found))


def _remarks(tissue: AnnData) -> list[str]:
    """Return what is to be said of the genes' ids."""
    from napari_semst.config import PrepareConfig
    from napari_semst.pipeline.inputs import SectionInputs

    with suppress(SemstError):  # no feature is a gene, which is said elsewhere
        return SectionInputs(tissue, PrepareConfig()).remarks
    return []


def _some_spots_on_image(tissue: AnnData) -> bool:
    """Return whether a method that reads the image could run."""
    from napari_semst.io.places.on_image import share_on_image

    try:
        return share_on_image(tissue, None) != 0.0
    except SemstError:  # said of the image
        return False


def _forecasts(
    tissue: AnnData, n_counts: int, on_disk: bool, *, image: bool
) -> tuple[str, list[dict[str, Any]]]:
    """Return the device, and what runs of a few presets will need."""
    from napari_semst.config import Request
    from napari_semst.core.device import choose_device
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.forecast import forecast

    told = []
    for preset in _PRESETS if image else _PRESETS[:-1]:
        config = resolve(Request(preset))
        needs = forecast(tissue.n_obs, tissue.n_vars, n_counts, config, on_disk=on_disk)
        told.append(
            {
                "preset": preset,
                "seconds": float(needs.seconds),
                "memory_bytes": int(needs.memory),
                "free_bytes": int(needs.free),
            }
        )
    return choose_device().name, told
