"""Slide-seq and Slide-tags: what Curio's and other pipelines write of beads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.formats.gzipped import open_bytes
from napari_semst.io.formats.sample_files import (
    files_of_samples,
    of_sample,
    sample_to_read,
)
from napari_semst.io.formats.tenx import read_market
from napari_semst.io.formats.text_tables import n_lines, read_head
from napari_semst.io.readers import table_pairs
from napari_semst.io.readers import tables as plain
from napari_semst.io.readers.cell_tables import (
    CellTables,
    tell_repeated_genes,
    tissue_from_cells,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    from napari_semst.io.options import ReadOptions

# Curio Seeker names beads, Trekker nuclei that were placed with confidence.
_NUCLEI = "ConfPositionedNuclei"
_MATRIX = ("MoleculesPerMatchedBead", f"MoleculesPer_{_NUCLEI}")
_TEXT = ("digital_expression", "MappedDGEForR")
_PLACES = (
    "MatchedBeadLocation",
    f"Location_{_NUCLEI}",
    "bead_locations",
    "BeadLocationsForR",
)
_GENES, _BARCODES = (f"genes_{_NUCLEI}", "genes"), (f"barcodes_{_NUCLEI}", "barcodes")
_TABLES = (".csv", ".txt", ".tsv")
_MARKET = b"%%MatrixMarket"
_WHAT = "the matrix of beads"
# Unpacked; the largest matrices have a thousand million entries.
_LARGEST = 16_000 * 2**20


@dataclass(frozen=True, slots=True)
class SlideseqFiles:
    """The files of one array of beads.

    Parameters
    ----------
    counts, places
        A Matrix Market file or a table, and the table of places.
    genes, barcodes
        Names of the matrix's rows and columns, None beside a table.
    clusters
        The clusters that the pipeline found, None without.
    """

    counts: Path
    places: Path
    genes: Path | None = None
    barcodes: Path | None = None
    clusters: Path | None = None


def can_read(path: Path) -> bool:
    """Return whether a path holds beads of Slide-seq, judged by what is inside."""
    return any(map(_is_inside, bead_arrays(path).values()))


def bead_arrays(path: Path) -> dict[str, SlideseqFiles]:
    """Return the arrays of beads by sample, told by the names of files.

    Parameters
    ----------
    path
        The folder, or a file of counts or places in it.
    """
    folder = path if path.is_dir() else path.absolute().parent
    places = files_of_samples(folder, _PLACES, _TABLES)
    if not places:
        return {}
    beside = [
        files_of_samples(folder, stems, (end,))
        for stems, end in (
            (_GENES, ".tsv"),
            (_BARCODES, ".tsv"),
            (("cluster_assignment",), ".txt"),
        )
    ]
    found: dict[str, SlideseqFiles] = {}
    for stems, endings in ((_MATRIX, (".mtx",)), (_TEXT, _TABLES)):
        counts = files_of_samples(folder, stems, endings)
        for sample, file in counts.items():
            alone = len(counts) == 1
            at = of_sample(places, sample, alone=alone)
            genes, beads, groups = (of_sample(f, sample, alone=alone) for f in beside)
            whole = stems is _TEXT or (genes is not None and beads is not None)
            if at is None or not whole or sample in found:
                continue
            more = (genes, beads, groups) if stems is _MATRIX else ()
            found[sample] = SlideseqFiles(file, at, *more)
    if path.is_dir():
        return found
    name = path.name
    return {s: f for s, f in found.items() if name in (f.counts.name, f.places.name)}


def looks_like(path: Path) -> bool:
    """Return whether the names of files are those of Slide-seq, whatever is inside."""
    if not path.is_dir():
        return bool(bead_arrays(path))
    return any(
        files_of_samples(path, stems, endings)
        for stems, endings in ((_MATRIX, (".mtx",)), (_PLACES, _TABLES))
    )


def tables(path: Path) -> list[Path]:
    """Return the files that counts and places are read from."""
    return [
        file
        for files in bead_arrays(path).values()
        for file in (files.counts, files.places, files.genes, files.barcodes)
        if file is not None
    ]


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the beads of an array, coordinates as the pipeline wrote them.

    Of several arrays in a folder, the part names one.

    Raises
    ------
    InputError
        If a file is missing or damaged, or the files are of different arrays.
    """
    files = _chosen(path, options)
    if files.genes is None or files.barcodes is None:
        return plain.read_pair(_pair(files))
    counts, barcodes, genes = _market(files, files.genes, files.barcodes)
    places = _places(files)
    cells = plain.cells_of(places)
    if files.clusters is not None:
        cells = _with_clusters(cells, files.clusters)
    names = list(cells.columns[:2])
    found = CellTables(
        counts,
        barcodes,
        genes,
        cells,
        names[0],
        names[1],
        None,
        None,
        (files.barcodes.name, files.places.name),
    )
    tissue = tissue_from_cells(found, files.counts.name.split("_MoleculesPer")[0])
    tell_repeated_genes(tissue, genes)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of an array, by the names of `Preview`."""
    files = _chosen(path, options)
    if files.genes is None or files.barcodes is None:
        return plain.preview_pair(_pair(files))
    columns = [] if files.clusters is None else ["cluster"]
    return {
        "n_spots": n_lines(files.barcodes),
        "n_genes": n_lines(files.genes),
        "counts": files.counts.name,
        "coordinates": files.places.name,
        "columns": tuple(columns),
        "annotations": tuple(columns),
    }


def _is_inside(files: SlideseqFiles) -> bool:
    """Return whether the files hold what their names say."""
    places = table_pairs.coordinate_table(files.places)
    if places is None:
        return False
    if files.genes is None:
        return _matched(files, places) is not None
    with open_bytes(files.counts, _WHAT, _LARGEST) as file:
        return file.read(len(_MARKET)) == _MARKET


def _chosen(path: Path, options: ReadOptions) -> SlideseqFiles:
    found = bead_arrays(path)
    if not found:
        raise InputError(_missing(path))
    return found[sample_to_read(path, list(found), options.part)]


def _missing(path: Path) -> str:
    """Return what a folder lacks."""
    folder = path if path.is_dir() else path.absolute().parent
    there = sorted(p.name for p in folder.iterdir() if p.is_file())
    wanted = (
        f"Expected an array of beads in {folder}: of Curio Seeker "
        "(*_MoleculesPerMatchedBead.mtx, *_genes.tsv, *_barcodes.tsv and "
        "*_MatchedBeadLocation.csv) or of Slide-seq (*.digital_expression.txt or "
        "*MappedDGEForR.csv, and *_bead_locations.csv or *BeadLocationsForR.csv)"
    )
    if files_of_samples(folder, _MATRIX, (".mtx",)):
        parts = ((_GENES, ".tsv"), (_BARCODES, ".tsv"), (_PLACES[:2], ".csv"))
        nuclei = files_of_samples(folder, _MATRIX[1:], (".mtx",))
        words = (
            (_GENES[0], _BARCODES[0], _PLACES[1])
            if nuclei
            else (_GENES[1], _BARCODES[1], _PLACES[0])
        )
        lacks = [
            f"*_{word}{end}"
            for word, (stems, end) in zip(words, parts, strict=True)
            if not files_of_samples(folder, stems, (end,))
        ]
        wanted = (
            f"Expected the output of Curio Seeker or Trekker in {folder}; missing: "
            f"{', '.join(lacks) or 'files that begin alike'}"
        )
    tables = [name for name in there if name.endswith("anndata.h5ad")]
    also = (
        f" {tables[0]} holds the pipeline's own table: it can be opened instead if "
        "its counts are raw."
        if tables
        else ""
    )
    return (
        f"{wanted}; found {abbreviate(there)}. Put the missing files of the same "
        f"sample there.{also}"
    )


def _places(files: SlideseqFiles) -> table_pairs.CoordinateTable:
    what = "the table of the beads' places"
    head = read_head(files.places, what)
    places = table_pairs.coordinate_table(files.places)
    if places is None:
        raise InputError(
            f"Expected {what} {files.places} to have a column of barcodes and xcoord "
            f"and ycoord (or x and y); found {abbreviate(head.names)}. Rename its "
            "columns."
        )
    return places


def _matched(
    files: SlideseqFiles, places: table_pairs.CoordinateTable
) -> table_pairs.TablePair | None:
    head = table_pairs.counted(files.counts)
    if head is None:
        return None
    names = table_pairs.names_in(places)
    return table_pairs.match_tables(files.counts, head, places, names)


def _pair(files: SlideseqFiles) -> table_pairs.TablePair:
    """Return a table of counts with that of the beads' places."""
    places = _places(files)
    pair = _matched(files, places)
    if pair is None:
        head = read_head(files.counts, "the table of counts")
        raise InputError(
            f"Expected {files.counts.name} to hold counts of genes x beads, and "
            f"{files.places.name} to name the same beads; they share none. The first "
            f"has {abbreviate(head.names[1:], 2)}. The files may be of different "
            "arrays."
        )
    return pair


def _market(
    files: SlideseqFiles, genes: Path, barcodes: Path
) -> tuple[sparse.csr_matrix, pd.Index, list[str]]:
    """Return counts as beads x genes, and the names of both."""
    import pandas as pd
    from scipy import io as scipy_io
    from scipy import sparse

    features = _lines(genes, "the names of the genes")
    beads = _lines(barcodes, "the barcodes of the beads")
    with translate_errors(files.counts, _WHAT):
        check_file(files.counts, _WHAT)
        size = scipy_io.mminfo(files.counts)[:2]
        # Before memory is taken for it.
        if size != (len(features), len(beads)):
            raise InputError(
                f"Expected {_WHAT} {files.counts} to be {len(features):,} genes x "
                f"{len(beads):,} beads, as {genes.name} and {barcodes.name} name them; "
                f"it says {size[0]:,} x {size[1]:,}. The files may be of different "
                "samples."
            )
        matrix = read_market(files.counts)
        counts = sparse.csr_matrix(matrix.T, dtype=np.float32)
    # The last column: R writes names alone, others ids before them.
    symbols = features.iloc[:, min(1, features.shape[1] - 1)]
    return counts, pd.Index(beads[0].to_numpy(dtype=object)), list(symbols)


def _lines(path: Path, what: str) -> pd.DataFrame:
    """Return a table without a header, all as text."""
    import pandas as pd

    check_file(path, what)
    with translate_errors(path, what), open_bytes(path, what, _LARGEST) as file:
        return pd.read_csv(file, sep="\t", header=None, dtype=str, na_filter=False)


def _with_clusters(cells: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the beads with the clusters of the pipeline, where these can be read."""
    table = _lines(path, "the clusters of the beads")
    if table.shape[1] < 2:
        return cells
    own = table.drop_duplicates(0).set_index(0)[1]
    return cells.assign(cluster=own.reindex(cells.index))
