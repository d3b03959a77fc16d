"""Time and memory of the image-guided method.

    python benchmarks/image_guided_scale.py [--spots 4000] [--genes 2000]
        [--epochs 200] [--made-up-features]

The hard simulated section goes from counts and image to domains and map. Memory does
not depend on the number of epochs: a few tell that of large sections. With
--made-up-features 86 numbers by layer, with noise, stand for each spot's image, so
that no patch is read: the memory of the method alone.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from napari_semst import simulated_cortex
from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.pipeline.run import find_domains


def main() -> None:
    """Print seconds by stage, and the largest memory of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spots", type=int, default=4000)
    parser.add_argument("--genes", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--made-up-features", action="store_true")
    options = parser.parse_args()
    tissue = simulated_cortex(options.spots, options.genes, hard=True)
    encoder = "builtin"
    if options.made_up_features:
        random = np.random.default_rng(0)
        # They tell layers, so that the comparison has something to compare.
        layers = tissue.obs["ground_truth"].cat.codes.to_numpy()
        own = random.standard_normal((layers.max() + 1, 86), dtype=np.float32)
        noise = random.standard_normal((tissue.n_obs, 86), dtype=np.float32)
        made_up = own[layers] + noise
        tissue.obsm["made_up"], encoder = made_up, "obsm:made_up"
    request = Request(preset="image-guided").with_settings("domains", n_domains=7)
    request = request.with_settings("training", epochs=options.epochs, device="cpu")
    request = request.with_settings("morphology", encoder=encoder, keep_features=False)
    began = time.perf_counter()
    result = run_to_end(find_domains(tissue, request))
    taken = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{tissue.n_obs} spots x {tissue.n_vars} genes: {taken:.0f} s, {peak:.2f} GiB"
    )
    print(result.provenance["seconds"])


if __name__ == "__main__":
    main()
