"""How many of the true neighbours by expression a search finds, and what it takes.

    python benchmarks/neighbours.py FILE.h5ad [--checked 500]
    python benchmarks/neighbours.py FILE.h5ad --with faiss-hnsw 16 40 64

The search that a section of this size gets, on the components that the default recipe
searches, against an exact one for some spots drawn at random. `--with` asks a library
instead, on one thread, with its own numbers; it must be installed.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable

import numpy as np
import sklearn.cluster  # noqa: F401 - as torch: a run has imported them by then
import torch  # noqa: F401
from threadpoolctl import threadpool_limits

from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.io.counts import find_counts
from napari_semst.io.ensembl_symbols import gene_symbols
from napari_semst.io.read import find_coordinates, read
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst.inputs import PROPAGATED
from napari_semst.prepare import graphs
from napari_semst.prepare.section import prepare_section

Search = Callable[..., np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section")
    parser.add_argument("--checked", type=int, default=500)
    parser.add_argument("--with", nargs="+", default=[], dest="other")
    options = parser.parse_args()
    config = resolve(Request())
    values = components(options.section)
    k = config.prepare.feature_neighbours
    other, *numbers = options.other or [""]
    began, at = time.process_time(), time.perf_counter()
    if other:
        with threadpool_limits(limits=1):
            nearest = SEARCHES[other](unit(values), k + 1, *map(int, numbers))
        own = np.arange(len(values))[:, None]
        graph = graphs.graph_of_lists(np.where(nearest == own, -1, nearest))
        how = " ".join(options.other)
    else:
        graph, how = graphs.feature_graph(values, k)
    spent, passed = time.process_time() - began, time.perf_counter() - at
    found = recall(values, graph, k, options.checked)
    print(
        f"{len(values):,} spots, {how}: {found:.3f} of the true ones found, "
        f"{spent:.1f} CPU s, {passed:.1f} s, bits {zlib.crc32(graph.indices):08x}"
    )


def components(path: str) -> np.ndarray:
    """Return the components that the default recipe searches."""
    tissue, config = read(path), resolve(Request())
    section = run_to_end(
        prepare_section(
            find_counts(tissue).matrix,
            gene_symbols(tissue),
            find_coordinates(tissue),
            config.prepare,
            RunControl(),
        )
    )
    return np.ascontiguousarray(section.components(0).root[:, :PROPAGATED])


def unit(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.ascontiguousarray(values / np.where(length == 0, 1, length), np.float32)


def recall(values: np.ndarray, graph: object, k: int, n_checked: int) -> float:
    """Return the share of some spots' k nearest that the graph joins them to."""
    rows = unit(values)
    checked = np.random.default_rng(0).choice(len(rows), n_checked, replace=False)
    shares = []
    for spot in checked:
        cosine = rows @ rows[spot]
        cosine[spot] = -np.inf
        nearest = np.argpartition(-cosine, k)[:k]
        shares.append(np.isin(nearest, graph[spot].indices).mean())
    return float(np.mean(shares))


def faiss_flat(rows: np.ndarray, k: int) -> np.ndarray:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index.search(rows, k)[1]


def faiss_ivf(rows: np.ndarray, k: int, n_groups: int, looked: int) -> np.ndarray:
    import faiss

    faiss.omp_set_num_threads(1)
    width, metric = rows.shape[1], faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, n_groups, metric)
    index.train(rows)
    index.add(rows)
    index.nprobe = looked
    return index.search(rows, k)[1]


def faiss_hnsw(rows: np.ndarray, k: int, links: int, build: int, find: int):
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexHNSWFlat(rows.shape[1], links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = build, find
    index.add(rows)
    return index.search(rows, k)[1]


def hnswlib(rows: np.ndarray, k: int, links: int, build: int, find: int):
    import hnswlib

    index = hnswlib.Index("ip", rows.shape[1])
    index.init_index(len(rows), M=links, ef_construction=build, random_seed=0)
    index.set_num_threads(1)
    index.add_items(rows)
    index.set_ef(find)
    return index.knn_query(rows, k)[0].astype(np.int64)


def usearch(rows: np.ndarray, k: int, links: int, build: int, find: int):
    from usearch.index import Index

    index = Index(
        ndim=rows.shape[1],
        metric="ip",
        dtype="f32",
        connectivity=links,
        expansion_add=build,
        expansion_search=find,
    )
    index.add(np.arange(len(rows)), rows, threads=1)
    return index.search(rows, k, threads=1).keys.astype(np.int64)


def voyager(rows: np.ndarray, k: int, links: int, build: int, find: int):
    import voyager

    space = voyager.Space.InnerProduct
    index = voyager.Index(space, rows.shape[1], M=links, ef_construction=build)
    index.add_items(rows, num_threads=1)
    found, _ = index.query(rows, k, num_threads=1, query_ef=find)
    return found.astype(np.int64)


def pynndescent(rows: np.ndarray, k: int) -> np.ndarray:
    from pynndescent import NNDescent

    return NNDescent(rows, "cosine", n_neighbors=k, random_state=0).neighbor_graph[0]


SEARCHES: dict[str, Search] = {
    "faiss-flat": faiss_flat,
    "faiss-ivf": faiss_ivf,
    "faiss-hnsw": faiss_hnsw,
    "hnswlib": hnswlib,
    "usearch": usearch,
    "voyager": voyager,
    "pynndescent": pynndescent,
}


if __name__ == "__main__":
    main()
