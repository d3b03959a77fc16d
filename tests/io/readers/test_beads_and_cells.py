"""Slide-seq, seqFISH and tables of the Single Cell Portal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import io as scipy_io
from scipy import sparse

from napari_semst.errors import InputError
from napari_semst.io.alignment import image_placement, spot_size
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from tests.io.folders import AREA, gradient, save, table_of
from tests.io.outs import write_matrix


def assert_same(found, tissue):
    """The counts and places are those written, in the order of the counts."""
    assert list(found.obs_names) == list(tissue.obs_names)
    assert list(found.var_names) == list(tissue.var_names)
    assert (found.X != tissue.X).nnz == 0
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])


def assert_previewed(path, tissue, kind):
    assert detect_format(path).name == kind
    seen = preview(path)
    assert (seen.kind, seen.n_spots, seen.n_genes) == (kind, *tissue.shape)
    assert seen.missing == ()
    return seen


def beads(tissue, columns=("barcodes", "xcoord", "ycoord")):
    """Return the places of beads, not in the order of the counts."""
    x, y = tissue.obsm["spatial"].T
    rows = dict(zip(columns, (tissue.obs_names, x, y), strict=True))
    return pd.DataFrame(rows).sample(frac=1, random_state=1)


def write_curio(folder, tissue, sample="Liver", *, header=True, packed=False):
    folder.mkdir(exist_ok=True)
    end = ".gz" if packed else ""
    scipy_io.mmwrite(
        folder / f"{sample}_MoleculesPerMatchedBead.mtx",
        sparse.csr_matrix(tissue.X.T.astype(int)),
    )
    for name, names in (("genes", tissue.var_names), ("barcodes", tissue.obs_names)):
        path = folder / f"{sample}_{name}.tsv{end}"
        save(pd.DataFrame({0: names}), path, index=False, header=False)
    places = beads(tissue, ("Unnamed", "SPATIAL_1", "SPATIAL_2"))
    places = places.rename(columns={"Unnamed": ""})
    path = folder / f"{sample}_MatchedBeadLocation.csv"
    save(places, path, index=False, header=header)
    clusters = pd.DataFrame({0: tissue.obs_names, 1: np.arange(tissue.n_obs) % 3})
    clusters.to_csv(
        folder / f"{sample}_cluster_assignment.txt", sep="\t", header=False, index=False
    )
    return folder


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_curio_seeker(tmp_path, tissue, header, packed):
    folder = write_curio(tmp_path / "results", tissue, header=header, packed=packed)
    seen = assert_previewed(folder, tissue, "slideseq")
    assert seen.annotations == ("cluster",)
    found = read(folder)
    assert_same(found, tissue)
    assert list(found.obs["cluster"]) == [str(i % 3) for i in range(tissue.n_obs)]
    assert_same(read(folder / "Liver_MoleculesPerMatchedBead.mtx"), tissue)
    found.write_h5ad(tmp_path / "saved.h5ad")


def test_trekker_names_nuclei(tmp_path, tissue):
    folder = write_curio(tmp_path / "output", tissue)
    for told, own in (
        ("MoleculesPerMatchedBead", "MoleculesPer_ConfPositionedNuclei"),
        ("MatchedBeadLocation", "Location_ConfPositionedNuclei"),
        ("genes", "genes_ConfPositionedNuclei"),
        ("barcodes", "barcodes_ConfPositionedNuclei"),
    ):
        path = next(folder.glob(f"Liver_{told}.*"))
        path.rename(folder / path.name.replace(told, own))
    assert_previewed(folder, tissue, "slideseq")
    found = read(folder)
    assert_same(found, tissue)
    assert list(found.uns["spatial"]) == ["Liver"]
    (folder / "Liver_genes_ConfPositionedNuclei.tsv").unlink()
    with pytest.raises(InputError, match=r"missing: \*_genes_ConfPositionedNuclei"):
        read(folder)


def test_of_several_arrays_one_is_named(tmp_path, tissue):
    folder = write_curio(tmp_path / "all", tissue, "Liver")
    write_curio(folder, tissue[:50].copy(), "Brain")
    with pytest.raises(InputError, match="found those of 2: Brain, Liver"):
        read(folder)
    assert_same(read(folder, part="Brain"), tissue[:50])
    assert_same(read(folder / "Liver_MatchedBeadLocation.csv"), tissue)
    with pytest.raises(InputError, match="sample 'Heart'"):
        read(folder, part="Heart")


@pytest.mark.parametrize(
    ("counts", "places", "columns"),
    [
        ("{}.digital_expression.txt.gz", "{}_bead_locations.csv", None),
        ("{}.digital_expression.txt", "{}_bead_locations.csv.gz", None),
        ("{}.matched.digital_expression.tsv", "{}_bead_locations.txt", None),
        ("MappedDGEForR.csv", "BeadLocationsForR.csv", None),
        ("{}_MappedDGEForR.csv.gz", "{}_BeadLocationsForR.csv", ("barcode", "x", "y")),
    ],
)
def test_slide_seq_tables(tmp_path, tissue, counts, places, columns):
    counts, places = (tmp_path / n.format("Puck_200115_08") for n in (counts, places))
    sign = "," if ".csv" in counts.name else "\t"
    save(table_of(tissue).T.rename_axis("GENE"), counts, sep=sign)
    table = beads(tissue, *([columns] if columns else []))
    save(table, places, index=False)
    assert_previewed(tmp_path, tissue, "slideseq")
    assert_same(read(tmp_path), tissue)
    assert_same(read(counts), tissue)


def test_the_header_of_drop_seq_is_passed_over(tmp_path, tissue):
    table = table_of(tissue).T.rename_axis("GENE").to_csv(sep="\t")
    first = "#DGE\tVERSION:1.1\tEXPRESSION_FORMAT:raw\n"
    (tmp_path / "P.digital_expression.txt").write_text(first + table)
    beads(tissue).to_csv(tmp_path / "P_bead_locations.csv", index=True)
    assert_same(read(tmp_path), tissue)


def test_beads_that_do_not_go_together_are_refused(tmp_path, tissue):
    folder = write_curio(tmp_path / "a", tissue)
    genes = folder / "Liver_genes.tsv"
    genes.write_text("A\nB\n")
    with pytest.raises(InputError, match="to be 2 genes x 196 beads"):
        read(folder)
    genes.unlink()
    (folder / "Liver_anndata.h5ad").write_text("")
    with pytest.raises(InputError, match=r"Liver_anndata\.h5ad holds the pipeline"):
        read(folder)
    other = tmp_path / "b"
    other.mkdir()
    table_of(tissue).T.to_csv(other / "P.digital_expression.txt", sep="\t")
    strange = beads(tissue).assign(barcodes=lambda t: t["barcodes"] + "X")
    strange.to_csv(other / "P_bead_locations.csv", index=False)
    with pytest.raises(InputError, match="name the same beads; they share none"):
        read(other)


VERSIONS = {
    "now": ("{}_CellxGene.csv", "{}_CellCoordinates.csv", "{}_DAPI.tiff"),
    "before": (
        "SG_CxG_{}.csv",
        "SG_CellCoordinates_{}.csv",
        "images/SG_DAPI_{}.ome.tiff",
    ),
}


def write_seqfish(folder, tissue, version="now", name="Roi1", *, unit=1.0, size=None):
    """Write cells of 10 micrometres; an image of half a micrometre a pixel."""
    counts, cells, image = (folder / n.format(name) for n in VERSIONS[version])
    folder.mkdir(exist_ok=True)
    labels = pd.Index(range(1, tissue.n_obs + 1))
    table_of(tissue).set_axis(labels).to_csv(counts)
    x, y = tissue.obsm["spatial"].T * unit
    table = pd.DataFrame({"label": labels, "area": AREA * unit**2})
    table = table.assign(center_x=x, center_y=y)
    table.sample(frac=1, random_state=1).to_csv(cells, index=False)
    if size is not None:
        image.parent.mkdir(exist_ok=True)
        told = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "axes": "YX"}
        tifffile.imwrite(image, gradient(*size), ome=True, metadata=told)
    return folder


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("unit", [1.0, 2.0])
def test_seqfish_in_micrometres_or_pixels(tmp_path, tissue, version, unit):
    reach = np.ceil(tissue.obsm["spatial"].max(axis=0) * 2).astype(int)[::-1] + 9
    write_seqfish(tmp_path / "run", tissue, version, unit=unit, size=reach)
    seen = assert_previewed(tmp_path / "run", tissue, "seqfish")
    assert seen.image == tuple(reach)
    found = read(tmp_path / "run")
    assert input_warnings(found) == []
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"] * unit)
    assert (found.X != tissue.X).nnz == 0
    assert list(found.obs_names[:2]) == ["1", "2"]
    assert spot_size(found).diameter == pytest.approx(10 * unit)
    factors = next(iter(found.uns["spatial"].values()))["scalefactors"]
    assert factors["microns_per_pixel"] == 1 / unit
    assert image_placement(found).scale[0] == pytest.approx(unit / 2)
    found.write_h5ad(tmp_path / "saved.h5ad")


def test_numbers_of_rows_before_labels_of_seqfish(tmp_path, tissue):
    folder = write_seqfish(tmp_path / "run", tissue)
    for path in folder.glob("*.csv"):
        table = pd.read_csv(path).rename(columns={"Unnamed: 0": "label"})
        table["label"] += 7
        table.set_axis(range(1, len(table) + 1)).to_csv(path)
    assert preview(folder).n_genes == tissue.n_vars
    found = read(folder)
    assert list(found.obs_names[:2]) == ["8", "9"]
    found.obs_names = tissue.obs_names
    assert_same(found, tissue)


def test_seqfish_whose_unit_is_unclear_shows_no_image(tmp_path, tissue):
    write_seqfish(tmp_path / "run", tissue, unit=0.1, size=(900, 900))
    found = read(tmp_path / "run")
    assert "pixels or micrometres cannot be told" in input_warnings(found)[0]
    assert image_placement(found) is None


def test_seqfish_says_what_is_wrong(tmp_path, tissue):
    folder = write_seqfish(tmp_path / "run", tissue)
    write_seqfish(folder, tissue[:50].copy(), name="Roi2")
    with pytest.raises(InputError, match="found those of 2: Roi1, Roi2"):
        read(folder)
    assert read(folder, part="Roi2").n_obs == 50
    assert read(folder, part=2).n_obs == 50
    assert read(folder / "Roi1_CellxGene.csv").n_obs == tissue.n_obs
    cells = folder / "Roi2_CellCoordinates.csv"
    cells.write_text(cells.read_text().replace("center_x", "left"))
    with pytest.raises(InputError, match="missing: center_x; found: label, area"):
        read(folder, part="Roi2")
    cells.unlink()
    for path in folder.glob("*CellxGene*"):
        path.unlink()
    with pytest.raises(InputError, match="but no table of counts"):
        read(folder)


def write_portal(folder, tissue, name="well05", *, processed=True):
    folder.mkdir(exist_ok=True)
    x, y = tissue.obsm["spatial"].T
    table = pd.DataFrame({"NAME": tissue.obs_names, "X": x, "Y": y, "Z": x % 7})
    table["Main_type"] = np.where(np.arange(len(x)) % 2, "Astrocytes", "Microglia")
    types = pd.DataFrame([["TYPE", "numeric", "numeric", "numeric", "group"]])
    typed = pd.concat([types.set_axis(list(table), axis=1), table[::-1]])
    typed.to_csv(folder / f"{name}_spatial.csv", index=False)
    counts = table_of(tissue).T.rename_axis("GENE")
    counts.to_csv(folder / f"{name}raw_expression_pd.csv")
    if processed:
        (counts / 3).to_csv(folder / f"{name}processed_expression_pd.csv")
    return folder


def test_starmap_plus(tmp_path, tissue):
    folder = write_portal(tmp_path / "zenodo", tissue)
    seen = assert_previewed(folder, tissue, "portal")
    assert seen.annotations == ("Main_type",)
    found = read(folder)
    assert_same(found, tissue)
    assert found.obs["Z"].dtype == float
    assert set(found.obs["Main_type"]) == {"Astrocytes", "Microglia"}
    assert "Z is kept as a column" in input_warnings(found)[0]
    assert list(found.uns["spatial"]) == ["well05"]
    assert_same(read(folder / "well05_spatial.csv"), tissue)
    found.write_h5ad(tmp_path / "saved.h5ad")


def test_of_several_wells_one_is_named(tmp_path, tissue):
    folder = write_portal(tmp_path / "zenodo", tissue)
    other = tissue[:50].copy()
    other.obs_names = [f"well11_{i}" for i in range(50)]
    write_portal(folder, other, "well11", processed=False)
    with pytest.raises(InputError, match="found those of 2: well05, well11"):
        read(folder)
    assert_same(read(folder, part="well11"), other)


def test_places_of_the_portal_beside_a_10x_matrix(tmp_path, tissue):
    folder = write_portal(tmp_path / "tags", tissue, "Tonsil", processed=False)
    (folder / "Tonsilraw_expression_pd.csv").unlink()
    write_matrix(tmp_path, tissue, "mtx")
    for path in (tmp_path / "filtered_feature_bc_matrix").iterdir():
        path.rename(folder / path.name)
    assert_previewed(folder, tissue, "portal")
    assert_same(read(folder), tissue)


def test_processed_expression_alone_is_told(tmp_path, tissue):
    folder = write_portal(tmp_path / "zenodo", tissue)
    (folder / "well05raw_expression_pd.csv").unlink()
    assert "table of raw expression" in input_warnings(read(folder))[0]
    assert preview(folder).missing == ("raw counts",)
    (folder / "well05processed_expression_pd.csv").unlink()
    with pytest.raises(InputError, match="counts of the same cells with GENE first"):
        read(folder)


def test_files_of_curio_that_are_missing_are_named(tmp_path, tissue):
    folder = write_curio(tmp_path / "a", tissue)
    for name in ("genes.tsv", "MatchedBeadLocation.csv"):
        (folder / f"Liver_{name}").unlink()
    with pytest.raises(InputError, match=r"missing: \*_genes.tsv, \*_MatchedBead"):
        read(folder)


def test_tables_of_the_portal_that_share_no_cell_are_no_section(tmp_path, tissue):
    folder = write_portal(tmp_path / "zenodo", tissue)
    places = folder / "well05_spatial.csv"
    places.write_text(places.read_text().replace("AAA", "XXX").replace("-1", "-2"))
    assert detect_format(folder) is None
