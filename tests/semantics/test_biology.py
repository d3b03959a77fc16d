"""What the shipped table knows, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.genes.table import builtin_table
from napari_semst.semantics import rank_genes, source, standardise

MARKERS = {
    "oligodendrocyte": ["PLP1", "MBP", "MOBP", "MOG", "MAG", "CNP", "CLDN11"],
    "T cell": ["CD3D", "CD3E", "CD3G", "CD2", "CD28", "LCK", "ZAP70"],
    "plasma cell": ["IGHG1", "IGKC", "IGHA1", "JCHAIN", "IGLC2"],
    "fibroblast": ["COL1A1", "COL1A2", "COL3A1", "DCN", "LUM"],
    "hepatocyte": ["ALB", "APOA1", "TTR", "APOB", "SERPINA1"],
    "interneuron": ["GAD1", "GAD2", "SLC32A1", "SST", "VIP"],
    "keratinocyte": ["KRT1", "KRT5", "KRT10", "KRT14", "LOR", "IVL"],
    "cardiomyocyte": ["MYH6", "MYH7", "TNNT2", "TNNI3", "ACTC1"],
    "endothelium": ["PECAM1", "VWF", "CDH5", "KDR", "TEK"],
}


def mean_cosine(first: list[str], second: list[str]) -> float:
    a, _ = builtin_table().map_genes(first, "human")
    b, _ = builtin_table().map_genes(second, "human")
    return float((a @ b.T)[~np.equal.outer(first, second)].mean())


def random_cosines() -> np.ndarray:
    """Return the sorted cosines of random pairs of the table's genes."""
    table = builtin_table()
    pairs = np.random.default_rng(0).integers(len(table.symbols), size=(4000, 2))
    return np.sort(np.einsum("nd,nd->n", *table.vectors[pairs.T]))


def test_markers_of_one_type_are_nearer_than_random_pairs() -> None:
    far = random_cosines()
    near = []
    for genes in MARKERS.values():
        vectors, known = builtin_table().map_genes(genes, "human")
        assert known.all(), genes
        near += list((vectors @ vectors.T)[np.triu_indices(len(genes), 1)])
    area = np.searchsorted(far, near).mean() / len(far)
    assert area > 0.93


def test_markers_lie_nearest_to_their_own_type() -> None:
    types = sorted(MARKERS)
    table = np.array(
        [[mean_cosine(MARKERS[a], MARKERS[b]) for b in types] for a in types]
    )
    np.testing.assert_array_equal(table.argmax(axis=1), np.arange(len(types)))


def test_myelin_genes_are_neighbours() -> None:
    myelin = ["PLP1", "MBP", "MOBP", "MOG", "MAG"]
    together = mean_cosine(myelin, myelin)
    assert together > np.quantile(random_cosines(), 0.95)
    for other in sorted(set(MARKERS) - {"oligodendrocyte"}):
        assert together > 4 * mean_cosine(myelin, MARKERS[other]), other


def test_mouse_and_human_names_give_the_same_spot() -> None:
    human = ["PLP1", "MBP", "TP53", "GFAP"]
    mouse = ["Plp1", "Mbp", "Trp53", "Gfap"]
    counts = np.array([[4, 3, 2, 1]])
    first = source("builtin").embed_spots(rank_genes(counts, human))
    second = source("builtin").embed_spots(rank_genes(counts, mouse))
    assert (first.provenance["species"], second.provenance["species"]) == (
        "human",
        "mouse",
    )
    np.testing.assert_allclose(first.embedding, second.embedding, atol=1e-6)


def test_spots_of_one_tissue_lie_together_once_standardised() -> None:
    genes = [gene for group in MARKERS.values() for gene in group]
    group = np.repeat(np.arange(len(MARKERS)), [len(g) for g in MARKERS.values()])
    random = np.random.default_rng(3)
    spot_type = np.repeat(np.arange(len(MARKERS)), 5)
    # Each spot shows three of the markers of its type and two of any.
    counts = random.random((len(spot_type), len(genes)))
    own = spot_type[:, None] == group
    counts = np.where(own & (counts > 0.4), 10 + counts, np.where(counts > 0.95, 1, 0))
    found = source("builtin").embed_spots(rank_genes(counts, genes, 5), species="human")
    z = standardise(found.embedding)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    cosine = z @ z.T
    np.fill_diagonal(cosine, -1)
    assert (spot_type[cosine.argmax(axis=1)] == spot_type).mean() > 0.9


@pytest.mark.parametrize("licence", ["CC BY 4.0", "CC0"])
def test_the_shipped_table_names_its_sources(licence: str) -> None:
    about = builtin_table().provenance
    assert licence in {entry["licence"] for entry in about["sources"]}
    assert "Gene Ontology" in about["attribution"]


def test_the_shipped_table_has_its_size() -> None:
    table = builtin_table()
    assert table.vectors.shape[1] == 256
    assert len(table.symbols) > 19_000
    np.testing.assert_allclose(np.linalg.norm(table.vectors, axis=1), 1, atol=0.02)
