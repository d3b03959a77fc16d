"""Several sections joined into one table, each known by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.core.sections import naming_section
from napari_semst.errors import ConfigError, InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.manual_alignment import adjust, adjustment_of
from napari_semst.io.own_counts import (
    FEWEST_KNOWN,
    LEAST_COMMON,
    keep_own_counts,
    seen_genes,
)
from napari_semst.io.places.landmarks import keep_landmarks, landmarks_of
from napari_semst.wording import Worded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from anndata import AnnData

    from napari_semst.config import Request

# Of fewer common genes, as a share of the smallest panel, a table is of no use.
_TOO_FEW_GENES = 0.1
_DIVIDE = "To keep them apart, divide that file before it is joined with others."


def join_sections(
    tissues: Mapping[str, AnnData], counts_layer: str = "", coordinates: str = ""
) -> AnnData:
    """Return one tissue of several, with the genes that all of them have.

    Where these are less than half of a section's, the counts of all genes are kept in
    ``obsm``, see `keep_own_counts`. Where there are hardly any the table has the genes
    of every section, 0 elsewhere, and ``var["semst_counted_in"]`` names the sections
    that count each.

    Sections are told apart by ``obs["semst_section"]``, spots by names that begin with
    their section's. Counts, coordinates, annotations, images and those obsm arrays that
    all have are kept; layers, uns and results of runs are not. A section that was
    joined before keeps its own, called ``name/section``.

    Parameters
    ----------
    tissues
        Sections by name, in the order that spots are to have.
    counts_layer, coordinates
        Where these are in every section; empty: found.

    Raises
    ------
    InputError
        If there are fewer than two, or one has no raw counts or coordinates; or if
        hardly a gene is common and the gene table knows too few of one.
    """
    import anndata
    import pandas as pd

    from napari_semst.io.notes import input_warnings, warn
    from napari_semst.io.outlines.sources import join_outline_sources
    from napari_semst.io.transcripts.sources import join_transcript_sources

    if len(tissues) < 2:
        raise InputError(
            f"Expected two sections or more to join; got {len(tissues)}. Give several."
        )
    told: list[str] = []
    parts = {}
    for name, tissue in tissues.items():
        with naming_section(name):
            parts[name], found = _part(tissue, name, counts_layer, coordinates)
        noticed = [*input_warnings(tissue, told_apart=True), *found]
        told += [Worded(f"{name}: ", text) for text in noticed]
    genes = _common_genes(parts)
    _keep_common_arrays(list(parts.values()))
    joined = anndata.concat(
        [part[:, genes] if genes else part for part in parts.values()],
        join="outer",
        merge="same",
        fill_value=0,
    )
    for column in joined.obs:
        joined.obs[column] = _of_one_type(joined.obs[column])
    names = [name for part in parts.values() for name in part.obs[keys.SECTION]]
    joined.obs[keys.SECTION] = pd.Categorical(names, list(dict.fromkeys(names)))
    joined.uns["spatial"] = {}
    for name, tissue in tissues.items():
        for library, own in _libraries(tissue, name):
            joined.uns["spatial"][library] = tissue.uns["spatial"][own]
            adjust(joined, library, adjustment_of(tissue, own))
            keep_landmarks(joined, library, landmarks_of(tissue, own))
    told += _note_panels(joined, parts, len(genes))
    warn(joined, *told)
    join_outline_sources(joined, list(tissues.values()))
    join_transcript_sources(joined, tissues)
    return joined


def concat_from(
    sources: Sequence[AnnData | str | Path], request: Request
) -> tuple[AnnData, Request]:
    """Return several sections as one tissue, and the request that fits it.

    Parameters
    ----------
    sources
        Tissues, or paths that `napari_semst.read` reads.
    request
        Where counts and coordinates are is read from it, for every section; in the
        joined tissue they have their usual places.

    Raises
    ------
    SemstError
        As `napari_semst.read` and `join_sections`.
    """
    from napari_semst.io.read import as_tissue

    settings = dict(request.overrides.get("prepare", {}))
    layer, coordinates = (
        str(settings.pop(name, "")) for name in ("counts_layer", "coordinates")
    )
    if settings.pop("section_key", ""):
        raise ConfigError(
            "Expected several inputs or a section key; got both. Each input is a "
            "section; leave the section key out."
        )
    wanted = {
        key: str(settings.get(key, "")) for key in ("part", "features", "positions")
    }
    names = section_names(sources)
    tissues = {
        name: as_tissue(source, **wanted)[0]
        for name, source in zip(names, sources, strict=True)
    }
    joined = join_sections(tissues, layer, coordinates)
    overrides = {**request.overrides, "prepare": settings}
    return joined, replace(request, overrides=overrides)


def section_names(sources: Sequence[AnnData | str | Path]) -> list[str]:
    """Return what to call sections: by their paths, else by number, never twice.

    Parameters
    ----------
    sources
        Tissues, files and folders.
    """
    names: list[str] = []
    for number, source in enumerate(sources, start=1):
        read = isinstance(source, str | Path)
        base = stem(Path(source)) if read else f"section-{number}"
        name, again = base, 2
        while name in names:
            name, again = f"{base}-{again}", again + 1
        names.append(name)
    return names


def stem(source: Path) -> str:
    """Return the name that results of an input are called after."""
    path = source.absolute()
    if path.suffix == ".xenium":  # says what is in its folder
        path = path.parent
    if path.is_dir():
        return (
            path.parent.name if path.name == "outs" else path.name.removesuffix(".zarr")
        )
    return Path(path.name.removesuffix(".gz")).stem


def _part(
    tissue: AnnData, name: str, layer: str, coordinates: str
) -> tuple[AnnData, list[str]]:
    """Return counts, places and annotations of a section, and what to tell of it."""
    import anndata

    from napari_semst.io.coordinates import find_coordinates
    from napari_semst.io.counts import find_counts
    from napari_semst.io.ensembl_symbols import gene_symbols
    from napari_semst.io.matrices import named_layers
    from napari_semst.io.places.mixed_sections import mixed_sections
    from napari_semst.io.sections import sections_of

    told = []
    if layer and layer not in {*named_layers(tissue), "X", "raw"}:
        told.append(f"there is no layer {layer!r}; counts are taken from X.")
        layer = ""
    if coordinates and "," not in coordinates and coordinates not in tissue.obsm:
        told.append(f"there is no {coordinates!r}; coordinates are looked for.")
        coordinates = ""
    counts = find_counts(tissue, layer).matrix
    obs = tissue.obs.set_axis([f"{name}:{spot}" for spot in tissue.obs_names])
    own = [column for column in obs if str(column).startswith(keys.RESULTS)]
    var = tissue.var.set_axis(_unique(gene_symbols(tissue)))
    part = anndata.AnnData(counts, obs=obs.drop(columns=own), var=var)
    part.obsm[keys.SPATIAL] = find_coordinates(tissue, coordinates or None)
    for key in tissue.obsm:
        if key not in part.obsm and not str(key).startswith(
            (*keys.RESULTS, keys.LATENT)
        ):
            part.obsm[key] = tissue.obsm[key]
    inside = sections_of(tissue)
    mixing = None
    if len(inside.names) == 1:
        mixing = mixed_sections(tissue, part.obsm[keys.SPATIAL], advice=_DIVIDE)
    told += [] if mixing is None else [mixing.warning]
    part.obs[keys.SECTION] = [_inner(name, inside.names[c]) for c in inside.codes]
    return part, told


def _keep_common_arrays(parts: Sequence[AnnData]) -> None:
    """Remove obsm arrays that not all sections have, equally wide."""
    widths = [
        {key: value.shape[1:] for key, value in part.obsm.items()} for part in parts
    ]
    for part in parts:
        for key in list(part.obsm):
            if len({str(known.get(key)) for known in widths}) > 1:
                del part.obsm[key]


def _inner(name: str, section: str) -> str:
    """Return what a section of a table that was joined before is called now."""
    return f"{name}/{section}" if section else name


def _of_one_type(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column as files can hold it, where sections had it of other types."""
    import pandas as pd

    if column.dtype != object:
        return column
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "boolean":
        return column.astype("boolean")
    return column.where(column.isna(), column.astype(str)).astype("category")


def _unique(symbols: Any) -> list[str]:
    """Return symbols, those that stand several times with their number."""
    seen: dict[str, int] = {}
    names = []
    for symbol in map(str, symbols):
        seen[symbol] = seen.get(symbol, 0) + 1
        names.append(symbol if seen[symbol] == 1 else f"{symbol}-{seen[symbol]}")
    return names


def _common_genes(parts: Mapping[str, AnnData]) -> list[str]:
    """Return the genes of all sections, in the order of the first; none if too few."""
    first, *others = parts.values()
    known = [set(part.var_names) for part in others]
    genes = [gene for gene in first.var_names if all(gene in other for other in known)]
    fewest = min(part.n_vars for part in parts.values())
    if len(genes) >= max(_TOO_FEW_GENES * fewest, 1):
        return genes
    _refuse_unknown(parts, len(genes), fewest)
    return []


def _refuse_unknown(parts: Mapping[str, AnnData], common: int, fewest: int) -> None:
    """Raise where sections have too few genes in common, and hardly any has a meaning.

    Genes by which sections of different panels are compared must be known.
    """
    from napari_semst.genes.gene_names import guess_species
    from napari_semst.genes.table import builtin_table

    known = [
        int(builtin_table().map_genes(names, guess_species(names))[1].sum())
        for names in (part.var_names.to_numpy(dtype=str) for part in parts.values())
    ]
    if min(known) >= FEWEST_KNOWN:
        return
    shown = "; ".join(
        f"{name}: {abbreviate(list(part.var_names), 3)}" for name, part in parts.items()
    )
    raise InputError(
        f"Expected sections with most genes in common, or genes that the built-in gene "
        f"table knows, {FEWEST_KNOWN} of each section at least; they have {common:,} "
        f"in common, of at least {fewest:,}, and it knows {min(known)} of one of them "
        f"({shown}). Give gene names as symbols or human Ensembl ids."
    )


def _note_panels(
    joined: AnnData, parts: Mapping[str, AnnData], common: int
) -> list[str]:
    """Keep what sections count of their own genes, and return what is to be told."""
    shared = set(joined.var_names) if common else set()
    own = [seen_genes(part) for part in parts.values()]
    if all(len(shared & genes) >= LEAST_COMMON * len(genes) for genes in own):
        return []
    keep_own_counts(joined, parts)
    apart = (
        "Every section is read by all its genes, k domains in each, and domains have "
        "common names by what their genes mean"
    )
    if common:
        most = max(map(len, own))
        return [
            f"The sections have {common:,} genes in common, of up to {most:,}: the "
            f"table holds these alone. {apart}."
        ]
    listed = {name: set(part.var_names) for name, part in parts.items()}
    joined.var[keys.COUNTED_IN] = [
        ", ".join(name for name, genes in listed.items() if gene in genes)
        for gene in joined.var_names
    ]
    return [
        f"The sections have hardly a gene in common, or none. {apart}, and by that "
        "alone. The table holds the genes of all; a gene is 0 where it was not looked "
        f"for (var[{keys.COUNTED_IN!r}]): do not compare genes between sections."
    ]


def _libraries(tissue: AnnData, name: str) -> Iterator[tuple[str, str]]:
    """Yield what a tissue's libraries are called once it is joined, and were before."""
    from napari_semst.io.sections import own_libraries, sections_of

    known, inside = own_libraries(tissue), sections_of(tissue).names
    if len(known) == 1 and len(inside) == 1:
        yield name, known[0]
    for section in inside:
        if section in known and section:
            yield _inner(name, section), section
