"""Measure the built-in gene table: do markers of one cell type lie together, how fast.

Usage: ``python benchmarks/semantics_table.py [--model FOLDER]``. With a language model
the same is measured of its vectors, of symbols alone and of symbols with what is known
of the genes (the source "genes"). The markers are common textbook ones, written down
here and not taken from any set the table was built from; some of those sets hold the
same knowledge, so the figure shows that it survived, not that it is new.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.config import SemanticsConfig
from napari_semst.genes.table import GeneTable, builtin_table
from napari_semst.semantics import GeneLists, rank_genes, source

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARKERS = {
    "oligodendrocyte": "PLP1 MBP MOBP MOG MAG CNP CLDN11 ERMN OPALIN UGT8",
    "astrocyte": "GFAP AQP4 SLC1A2 SLC1A3 ALDH1L1 GJA1 S100B ALDOC",
    "microglia": "CX3CR1 P2RY12 TMEM119 CSF1R AIF1 C1QA C1QB TREM2 TYROBP",
    "excitatory neuron": "SLC17A7 SLC17A6 CAMK2A GRIN1 NEUROD6 TBR1 SATB2 GRIA2",
    "inhibitory neuron": "GAD1 GAD2 SLC32A1 SST PVALB VIP DLX1 DLX2 LHX6",
    "endothelium": "PECAM1 VWF CDH5 KDR TEK FLT1 CLDN5 ESAM TIE1",
    "fibroblast": "COL1A1 COL1A2 COL3A1 DCN LUM FBLN1 PDGFRA FAP",
    "smooth muscle": "ACTA2 MYH11 TAGLN CNN1 DES SMTN LMOD1 MYLK",
    "skeletal muscle": "MYH1 MYH2 ACTA1 TNNT3 TNNC2 CKM MYLPF TNNI2",
    "cardiomyocyte": "MYH6 MYH7 TNNT2 TNNI3 ACTC1 MYL2 NPPA RYR2",
    "T cell": "CD3D CD3E CD3G CD2 CD5 CD28 LCK ZAP70 CD247",
    "B cell": "CD19 MS4A1 CD79A CD79B PAX5 CD22 BLK FCRLA",
    "plasma cell": "IGHG1 IGKC IGHA1 JCHAIN MZB1 XBP1 SDC1 TNFRSF17",
    "NK cell": "NKG7 GNLY KLRD1 NCR1 KLRF1 PRF1 GZMB KLRC1",
    "macrophage": "CD68 CD163 MRC1 MSR1 CD14 MARCO FCGR3A VSIG4",
    "neutrophil": "ELANE MPO CSF3R FCGR3B S100A8 S100A9 CXCR2 CEACAM8",
    "mast cell": "TPSAB1 CPA3 KIT MS4A2 HDC FCER1A TPSB2 CMA1",
    "erythrocyte": "HBB HBA1 HBA2 ALAS2 GYPA SLC4A1 AHSP EPB42",
    "hepatocyte": "ALB APOA1 TTR CYP3A4 SERPINA1 APOB TF CYP2E1",
    "pancreatic endocrine": "INS GCG SST IAPP CHGA PCSK1 PAX6 NEUROD1",
    "keratinocyte": "KRT1 KRT5 KRT10 KRT14 LOR IVL FLG DSG3 TP63",
    "luminal epithelium": "EPCAM KRT8 KRT18 KRT19 CDH1 MUC1 CLDN4 CLDN7",
    "photoreceptor": "RHO PDE6A PDE6B GNAT1 CNGA1 RCVRN SAG ROM1",
    "germ cell": "DDX4 DAZL SYCP1 SYCP3 TNP1 PRM1 PRM2 ZPBP",
    "proliferating cell": "MKI67 TOP2A CCNB1 CDK1 BUB1 AURKB PLK1 CENPF",
}
N_RANDOM_PAIRS = 20_000


def marker_pairs() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return pairs of markers of one cell type, and of two with no type in common."""
    types: dict[str, set[str]] = {}
    for cell_type, genes in MARKERS.items():
        for gene in genes.split():
            types.setdefault(gene, set()).add(cell_type)
    genes = sorted(types)
    same: list[tuple[str, str]] = []
    other: list[tuple[str, str]] = []
    for place, first in enumerate(genes):
        for second in genes[place + 1 :]:
            shared = types[first] & types[second]
            (same if shared else other).append((first, second))
    return same, other


def cosines(table: GeneTable, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
    """Return the cosine of each pair of human genes, where both are known."""
    first, first_known = table.map_genes([a for a, _ in pairs], "human")
    second, second_known = table.map_genes([b for _, b in pairs], "human")
    return np.asarray((first * second).sum(axis=1)[first_known & second_known])


def auroc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Return the chance that a positive is above a negative; ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).mean() / (2 * len(negative)))


def random_cosines(table: GeneTable, seed: int = 0) -> NDArray[np.float32]:
    """Return the cosines of random pairs of the table's genes."""
    random = np.random.default_rng(seed)
    a, b = random.integers(len(table.symbols), size=(2, N_RANDOM_PAIRS))
    a, b = a[a != b], b[a != b]
    return np.asarray((table.vectors[a] * table.vectors[b]).sum(axis=1))


def retrieval(table: GeneTable) -> float:
    """Return how often half a type's markers lie nearest the other half's mean."""
    halves: tuple[list, list] = ([], [])
    for genes in MARKERS.values():
        vectors, known = table.map_genes(genes.split(), "human")
        for half in (0, 1):
            mean = vectors[known][half::2].mean(axis=0)
            halves[half].append(mean / np.linalg.norm(mean))
    nearest = (np.array(halves[0]) @ np.array(halves[1]).T).argmax(axis=1)
    return float((nearest == np.arange(len(MARKERS))).mean())


def seconds_to_embed(n_spots: int = 100_000, n_listed: int = 20) -> float:
    """Return the seconds it takes to embed random gene lists (table already read)."""
    random = np.random.default_rng(0)
    genes = np.array(builtin_table().symbols)
    indices = random.integers(len(genes), size=(n_spots, n_listed), dtype=np.int32)
    lists = GeneLists(genes=genes, indices=indices)
    start = time.perf_counter()
    source("builtin").embed_spots(lists)
    return time.perf_counter() - start


def seconds_to_rank(n_spots: int = 100_000, n_genes: int = 3000) -> float:
    """Return the seconds it takes to rank a random matrix, a tenth of it expressed."""
    from scipy import sparse

    random = np.random.default_rng(0)
    per_spot = n_genes // 10
    columns = random.integers(n_genes, size=(n_spots, per_spot), dtype=np.int32)
    values = random.poisson(1.0, size=columns.size).astype(np.float32) + 1
    pointers = np.arange(0, columns.size + 1, per_spot)
    matrix = sparse.csr_matrix(
        (values, columns.ravel(), pointers), shape=(n_spots, n_genes)
    )
    matrix.sum_duplicates()
    start = time.perf_counter()
    rank_genes(matrix, builtin_table().symbols[:n_genes])
    return time.perf_counter() - start


def read_by(model: str, gene_text: str) -> GeneTable:
    """Return the marker genes with a language model's vectors of their texts."""
    genes = sorted({gene for names in MARKERS.values() for gene in names.split()})
    alone = np.arange(len(genes), dtype=np.int32)[:, None]
    settings = SemanticsConfig(source="genes", model=model, gene_text=gene_text)
    found = source("genes", settings=settings).embed_spots(
        GeneLists(np.array(genes), alone), species="human"
    )
    # Not standardised: over single genes that is another thing than over spots.
    return GeneTable(found.embedding, tuple(genes), {}, {}, {}, {})


def tell_markers(table: GeneTable) -> None:
    """Print how well the vectors of markers tell cell types apart."""
    same, other = marker_pairs()
    near, far = cosines(table, same), cosines(table, other)
    print(f"same-type pairs {len(near)}, mean cosine {near.mean():.3f}")
    print(f"AUROC against markers of other types: {auroc(near, far):.3f}")
    print(f"half a type finds its other half: {retrieval(table):.0%}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="folder or id of a model that reads genes")
    options = parser.parse_args()
    if options.model:
        for gene_text in ("symbol", "knowledge"):
            print(f"{gene_text}:")
            tell_markers(read_by(options.model, gene_text))
        return
    start = time.perf_counter()
    table = builtin_table()
    print(f"reading the table: {time.perf_counter() - start:.2f} s")
    print(f"genes x dimensions: {table.vectors.shape}")
    tell_markers(table)
    near = cosines(table, marker_pairs()[0])
    print(f"AUROC against random pairs: {auroc(near, random_cosines(table)):.3f}")
    print(f"ranking 100,000 spots x 3,000 genes: {seconds_to_rank():.1f} s")
    print(f"embedding 100,000 spots x 20 genes: {seconds_to_embed():.1f} s")


if __name__ == "__main__":
    main()
