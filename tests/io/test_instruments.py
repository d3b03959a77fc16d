"""Real outputs of instruments: cell for cell what csv, gzip and h5py say of them.

What the files hold is read here by hand, without the package, and compared with what it
reads; each is inspected, run and drawn by the command line, or refused with a reason.
"""

from __future__ import annotations

import csv
import gzip
import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pytest
from pyarrow import parquet
from scipy import sparse
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.errors import InputError
from napari_semst.io.read import read
from napari_semst.pipeline.convert import convert
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENES = "Gene Expression"


@dataclass
class Truth:
    """What the files of a section hold.

    Parameters
    ----------
    spots, genes
        In the order of the counts; genes by id where the files have ids.
    counts
        Spots x genes.
    places
        (x, y) by spot.
    images
        Width and height by name.
    """

    spots: list[str]
    genes: list[str]
    counts: sparse.csr_matrix
    places: dict[str, tuple[float, float]]
    images: dict[str, tuple[int, int]] = field(default_factory=dict)

    def placed(self) -> tuple[list[str], sparse.csr_matrix]:
        """Return the spots that have a place, and their counts."""
        rows = [i for i, name in enumerate(self.spots) if name in self.places]
        return [self.spots[i] for i in rows], self.counts[rows]


def rows_of(path: Path, **options: str) -> list[list[str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", newline="") as file:
        return list(csv.reader(file, **options))


def tenx(path: Path) -> tuple[list[str], list[str], sparse.csr_matrix]:
    """Return barcodes, ids of genes and counts of a 10x matrix in HDF5."""
    with h5py.File(path) as file:
        held = file["matrix"]
        shape = tuple(map(int, held["shape"][:]))
        parts = (held["data"][:], held["indices"][:], held["indptr"][:])
        whole = sparse.csc_matrix(parts, shape=shape)
        kinds = [kind.decode() for kind in held["features/feature_type"][:]]
        ids = [one.decode() for one in held["features/id"][:]]
        barcodes = [one.decode() for one in held["barcodes"][:]]
    kept = [i for i, kind in enumerate(kinds) if kind == GENES]
    return barcodes, [ids[i] for i in kept], sparse.csr_matrix(whole.T)[:, kept]


def mtx(folder: Path) -> tuple[list[str], list[str], sparse.csr_matrix]:
    """Return the same of a matrix in text."""
    features = rows_of(folder / "features.tsv", delimiter="\t")
    barcodes = [row[0] for row in rows_of(folder / "barcodes.tsv")]
    lines = (folder / "matrix.mtx").read_text().splitlines()
    numbers = [line.split() for line in lines if not line.startswith("%")]
    table = np.array(numbers[1:], dtype=int).reshape(-1, 3)
    size = (len(barcodes), len(features))
    place = (table[:, 1] - 1, table[:, 0] - 1)
    counts = sparse.csr_matrix((table[:, 2], place), size)
    return barcodes, [row[0] for row in features], counts


def positions(rows: list[list[object]]) -> dict[str, tuple[float, float]]:
    """Return (x, y) of spots in tissue from rows of Space Ranger's six columns."""
    return {
        str(name): (float(column), float(row))
        for name, inside, _, _, row, column in rows
        if int(inside)
    }


def bins(path: Path) -> dict[str, tuple[float, float]]:
    columns = parquet.read_table(path).to_pydict()
    return positions(list(zip(*columns.values(), strict=True)))


def png(path: Path) -> tuple[int, int]:
    return struct.unpack(">II", path.read_bytes()[16:24])


def pictures(spatial: Path, *names: str) -> dict[str, tuple[int, int]]:
    return {name: png(spatial / f"tissue_{name}_image.png") for name in names}


def visium(folder: Path) -> Truth:
    spatial = folder / "spatial"
    places = positions(rows_of(spatial / "tissue_positions_list.csv"))
    matrix = tenx(folder / "filtered_feature_bc_matrix.h5")
    return Truth(*matrix, places, pictures(spatial, "hires", "lowres"))


def cropped(folder: Path) -> Truth:
    outs = folder / "outs"
    places = positions(rows_of(outs / "spatial" / "tissue_positions.csv")[1:])
    matrix = mtx(outs / "filtered_feature_bc_matrix")
    return Truth(*matrix, places, pictures(outs / "spatial", "hires", "lowres"))


def visium_hd(name: str, *images: str) -> Callable[[Path], Truth]:
    def truth(folder: Path) -> Truth:
        held = folder / name
        places = bins(held / "spatial" / "tissue_positions.parquet")
        matrix = tenx(held / "filtered_feature_bc_matrix.h5")
        return Truth(*matrix, places, pictures(held / "spatial", *images))

    return truth


def xenium(image: tuple[int, int] | None) -> Callable[[Path], Truth]:
    def truth(folder: Path) -> Truth:
        head, *rows = rows_of(folder / "cells.csv.gz")
        at = [head.index(key) for key in ("cell_id", "x_centroid", "y_centroid")]
        cells = [[row[i] for i in at] for row in rows]
        places = {name: (float(x), float(y)) for name, x, y in cells}
        images = {"hires": image} if image else {}
        return Truth(*tenx(folder / "cell_feature_matrix.h5"), places, images)

    return truth


def merscope(prefix: str) -> Callable[[Path], Truth]:
    def truth(folder: Path) -> Truth:
        head, *rows = rows_of(folder / f"{prefix}_cell_by_gene.csv")
        kept = [i for i, name in enumerate(head) if i and "Blank" not in name]
        counts = [[int(row[i]) for i in kept] for row in rows]
        names, *cells = rows_of(folder / f"{prefix}_cell_metadata.csv")
        x, y = names.index("center_x"), names.index("center_y")
        places = {row[0]: (float(row[x]), float(row[y])) for row in cells}
        spots, genes = [row[0] for row in rows], [head[i] for i in kept]
        return Truth(spots, genes, sparse.csr_matrix(counts), places)

    return truth


def cosmx(folder: Path) -> Truth:
    head, *rows = rows_of(folder / "DBKero_exprMat_file.csv.gz")
    kept = [i for i, name in enumerate(head) if i > 1 and "Neg" not in name]
    # Cell 0 of a field is all that lies outside of cells.
    rows = [row for row in rows if row[1] != "0"]
    counts = [[int(row[i]) for i in kept] for row in rows]
    names, *cells = rows_of(folder / "DBKero_metadata_file.csv")
    at = [names.index(f"Center{axis}_global_px") for axis in "XY"]
    places = {f"{c[0]}_{c[1]}": (float(c[at[0]]), float(c[at[1]])) for c in cells}
    spots = [f"{row[0]}_{row[1]}" for row in rows]
    return Truth(spots, [head[i] for i in kept], sparse.csr_matrix(counts), places)


def giotto(folder: Path) -> Truth:
    spots, *rows = rows_of(folder / "expression_matrix.txt.gz", delimiter=" ")
    rows = [row for row in rows if not row[0].startswith("DEPRECATED")]
    counts = np.array([row[1:] for row in rows], dtype=int).T
    table = rows_of(folder / "spatial_locs.txt", delimiter=" ")[1:]
    places = {name: (float(x), float(y)) for x, y, name in table}
    return Truth(spots, [row[0] for row in rows], sparse.csr_matrix(counts), places)


def stereo_seq(folder: Path) -> Truth:
    found: dict[tuple[int, int], dict[str, int]] = {}
    for gene, x, y, count in rows_of(next(folder.glob("*.gem.gz")), delimiter="\t")[1:]:
        corner = (int(x) // 50 * 50, int(y) // 50 * 50)
        held = found.setdefault(corner, {})
        held[gene] = held.get(gene, 0) + int(count)
    genes = sorted({gene for held in found.values() for gene in held})
    corners = sorted(found, key=lambda corner: corner[::-1])
    column = {gene: i for i, gene in enumerate(genes)}
    counts = sparse.lil_matrix((len(corners), len(genes)), dtype=np.int64)
    for row, corner in enumerate(corners):
        for gene, count in found[corner].items():
            counts[row, column[gene]] = count
    spots = [f"{x}_{y}" for x, y in corners]
    # A bin covers the 50 spots from its corner on: their middle.
    middles = [(x + 24.5, y + 24.5) for x, y in corners]
    return Truth(spots, genes, counts.tocsr(), dict(zip(spots, middles, strict=True)))


@dataclass(frozen=True)
class Case:
    """A folder, how it is opened, what it is, and whether it can be run.

    Parameters
    ----------
    path
        What is opened, in the folder of all.
    truth
        Reads it by hand.
    kind, unit
        As inspection tells them.
    part, positions
        As for `read`.
    refused
        What says why it cannot be run; empty where it can.
    """

    path: str
    truth: Callable[[Path], Truth]
    kind: str
    unit: str | None
    part: str | None = None
    positions: str | None = None
    refused: str = ""

    def words(self) -> list[str]:
        """Return the options of the command line."""
        part = ["--part", self.part] if self.part else []
        return part + (["--positions", self.positions] if self.positions else [])


_HD = "binned_outputs/square_{:03}um"
CASES = [
    Case("visium_seurat", visium, "visium", "pixel"),
    Case(
        "visium_hd_seurat",
        visium_hd(_HD.format(8), "hires", "lowres"),
        "visium_hd",
        "pixel",
    ),
    Case(
        "visium_hd_seurat",
        visium_hd(_HD.format(16), "hires", "lowres"),
        "visium_hd",
        "pixel",
        part="16",
    ),
    Case(
        "visium_hd_visiumio",
        visium_hd("square_002um", "lowres"),
        "visium_hd",
        "pixel",
        refused="zeros",
    ),
    Case("visium_cropped_sfe", cropped, "visium", "pixel"),
    Case(
        "visium_multisample_giotto/expression_matrix.txt.gz",
        giotto,
        "plain",
        None,
        positions="spatial_locs.txt",
    ),
    Case("xenium_sfe", xenium((237, 237)), "xenium", "micrometre"),
    Case(
        "xenium_small_r",
        xenium(None),
        "xenium",
        "micrometre",
        refused="at least 10 spots",
    ),
    Case("merscope_sfe", merscope("Liver1Slice1"), "merscope", "micrometre"),
    Case(
        "merscope_small_r",
        merscope("ovarian_p2s2"),
        "merscope",
        "micrometre",
        refused="zeros",
    ),
    Case("cosmx_dbkero", cosmx, "cosmx", "pixel"),
    Case(
        "stereoseq_spateo/SS200000135TL_D1_bin1_small.gem.gz",
        stereo_seq,
        "gem",
        "spot of the chip",
    ),
]


def each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case", cases, ids=lambda case: f"{case.path[:18]} {case.part or ''}".strip()
    )


def folder_of(case: Case, instruments: Path) -> Path:
    return instruments / case.path.partition("/")[0]


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@each(CASES)
def test_every_cell_and_count_is_read(instruments, case):
    truth = case.truth(folder_of(case, instruments))
    tissue = read(instruments / case.path, part=case.part, positions=case.positions)
    names, counts = truth.placed()
    assert list(tissue.obs_names) == names
    assert list(tissue.var.get("gene_ids", tissue.var_names)) == truth.genes
    assert abs(tissue.X - counts).max() == 0
    wanted = np.array([truth.places[name] for name in names])
    np.testing.assert_allclose(tissue.obsm["spatial"], wanted, rtol=1e-9, atol=1e-4)
    (held,) = tissue.uns["spatial"].values()
    sizes = {name: image.shape[1::-1] for name, image in held["images"].items()}
    assert sizes == truth.images


# Of Visium HD one bin size: its image is large, and both have the same.
@each([case for case in CASES if case.path != "visium_hd_seurat" or case.part])
def test_each_is_inspected_run_and_drawn_or_refused(
    instruments, case, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names, counts = case.truth(folder_of(case, instruments)).placed()
    source = instruments / case.path
    told = call("inspect", source, "--json", *case.words())
    facts = json.loads(told.stdout)
    assert (facts["n_spots"], facts["n_genes"]) == counts.shape
    assert (facts["format"], facts["coordinates"]["unit"]) == (case.kind, case.unit)
    assert facts["counts"]["n_nonzero"] == (counts.count_nonzero() or None)
    assert facts["can_run"] == (not case.refused)
    assert case.refused in " ".join(facts["why_not"])
    if case.positions:
        # A run takes such an input once it is converted.
        source = convert(source, "converted.h5ad", positions=case.positions).path
    part = ["--part", case.part] if case.part else []
    run = call(
        *("run", source, "-k", 2, "--method", "quick", "--semantics", "none"),
        *("-o", "out.h5ad", "--figure", "out.png", "-q", *part),
    )
    if case.refused:
        assert case.refused in for_shell(run.exception)
        assert list(tmp_path.iterdir()) == []
        return
    assert run.exit_code == 0, run.exception
    saved = anndata.read_h5ad("out.h5ad")
    assert list(saved.obs_names) == names
    assert abs(saved.X - counts).max() == 0
    assert saved.obs["semst_domain"].nunique() == 2
    assert png(tmp_path / "out.png")[0] > 200


def test_a_folder_with_two_tables_of_places_says_so(instruments):
    with pytest.raises(InputError, match=r"cell_metadata.txt, spatial_locs.txt"):
        read(instruments / "visium_multisample_giotto")


def test_no_spot_lies_on_the_cropped_image(instruments):
    facts = json.loads(
        call("inspect", instruments / "visium_cropped_sfe", "--json").stdout
    )
    assert any("No spot lies on the image" in text for text in facts["warnings"])


def test_every_folder_is_tried(instruments):
    tried = {case.path.partition("/")[0] for case in CASES}
    others = {"qupath", "README.md"}
    assert {entry.name for entry in instruments.iterdir()} <= tried | others
