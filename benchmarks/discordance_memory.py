"""Peak memory of the question what images leave unexplained, of a genome.

    python benchmarks/discordance_memory.py [--spots 20000] [--genes 18000]

Counts are drawn at random, with layers in them; features of the image tell the layers.
What the question takes is the peak while it is asked less what the process held
before. Linux alone tells it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.threads import threads_limited
from napari_semst.methods.image_guided.gene_residuals import UnpredictedGenes
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.prediction import ImagePredictor, spatial_folds
from napari_semst.methods.image_guided.unexplained import measure_unexplained
from napari_semst.morphology.base import Morphology
from napari_semst.pipeline.run import prepared


def drawn(n_spots: int, n_genes: int) -> tuple[AnnData, np.ndarray]:
    """Return a tissue in seven layers with a twelfth of its counts above 0."""
    random = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(n_spots)))
    row, column = np.divmod(np.arange(n_spots), side)
    layers = row * 7 // side
    rate = random.gamma(0.4, 0.2, (7, n_genes)).astype(np.float32)
    parts = []
    for start in range(0, n_spots, 1000):
        own = rate[layers[start : start + 1000]]
        parts.append(sparse.csr_matrix(random.poisson(own).astype(np.float32)))
    tissue = AnnData(
        sparse.vstack(parts, format="csr"),
        obs=pd.DataFrame(index=[f"spot{one}" for one in range(n_spots)]),
        var=pd.DataFrame(index=[f"GENE{one}" for one in range(n_genes)]),
        obsm={"spatial": np.column_stack([column, row]) * 100.0},
    )
    return tissue, layers


def held(name: str) -> float:
    """Return a line of the process's status in GiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 2**20
    raise KeyError(name)


def main() -> None:
    """Print time and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spots", type=int, default=20_000)
    parser.add_argument("--genes", type=int, default=18_000)
    options = parser.parse_args()
    tissue, layers = drawn(options.spots, options.genes)
    request = Request(preset="image-guided").with_settings("domains", n_domains=7)
    request = request.with_settings("prepare", n_top_genes=options.genes)
    config, section, _ = run_to_end(prepared(tissue, request, RunControl()))
    random = np.random.default_rng(1)
    own = random.normal(0, 1, (7, 20))[layers] + random.normal(0, 1, (len(layers), 20))
    usable = np.ones(len(layers), bool)
    names = tuple(f"feature {one}" for one in range(20))
    image = Morphology(own.astype(np.float32), names, usable, {"background": ~usable})
    section = replace(section, morphology=image)
    with threads_limited(1):
        inputs = guided_inputs(section, config)
        folds = spatial_folds(inputs, section.coordinates)
        predictor = ImagePredictor(inputs, section, folds)
        Path("/proc/self/clear_refs").write_text("5")
        before, began = held("VmRSS"), time.process_time()
        genes = UnpredictedGenes(predictor, section, usable, RunControl())
        measure_unexplained(genes, inputs, section, RunControl())
        taken = time.process_time() - began
    print(
        f"{section.n_spots} spots x {section.counts_in_memory.shape[1]} genes: "
        f"{taken:.0f} s of CPU time, {held('VmHWM') - before:.2f} GiB above the "
        f"{before:.2f} GiB held before"
    )


if __name__ == "__main__":
    main()
