"""Score which spots of a region count, on counts of a real annotated section.

Spots of one layer are laid out on a square grid at random; a disc of them is given
spots of another layer, and a region is told that is as wide as averages over neighbours
make it. No image is read: all that depth does not lead to expect counts as unpredicted,
and the region's score is the disc averaged twice, with noise. Where nothing is planted
the score is averaged noise.

    python benchmarks/discordance_members.py SECTION.h5ad [--column ground_truth]
        [--layer Layer3] [--others Layer2,Layer4,Layer5] [--first 20] [--seeds 12]
"""

from __future__ import annotations

import argparse
from types import SimpleNamespace

import numpy as np
from scipy import sparse

import napari_semst as semst
from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.methods.image_guided.gene_residuals import PearsonResiduals
from napari_semst.methods.image_guided.members import chance_outside
from napari_semst.methods.image_guided.regions import Evidence, RegionFound
from napari_semst.pipeline.run import prepared

SIDE, PLANTED, REGION = 30, 4.0, 6.5
REQUEST = Request(preset="image-guided").with_settings("domains", n_domains=7)


def touching() -> sparse.csr_matrix:
    """Return which spots of the grid touch."""
    line = sparse.diags([1.0, 1.0], [-1, 1], shape=(SIDE, SIDE))
    one = sparse.identity(SIDE)
    return sparse.csr_matrix(sparse.kron(line, one) + sparse.kron(one, line))


def told(
    residuals: PearsonResiduals, own: np.ndarray, other: np.ndarray | None, seed: int,
    size: np.ndarray,
) -> tuple[float, float, int]:  # fmt: skip
    """Return shares of planted and other spots that are members, and those surely."""
    random, n_spots = np.random.default_rng(seed), SIDE**2
    row, column = np.divmod(np.arange(n_spots), SIDE)
    far = np.hypot(row - SIDE // 2, column - SIDE // 2)
    planted, region = far <= PLANTED, far <= REGION
    spots = np.resize(random.permutation(own), n_spots)
    score = random.normal(0, 1, n_spots)
    if other is not None:
        spots[planted] = random.choice(other, planted.sum(), replace=False)
        score = planted + 0.3 * score
    near = touching() + sparse.identity(n_spots)
    score = (near @ (near @ score)).astype(np.float32)
    depth = np.column_stack([size[spots] ** power for power in range(3)])
    outside = chance_outside(
        [RegionFound(np.flatnonzero(region), 1, 9.0, 0.0, 0.0)],
        (Evidence(score, np.zeros((0, n_spots), np.float32)),),
        touching(),
        SimpleNamespace(of_spots=lambda some: residuals[spots[some]]),
        SimpleNamespace(usable=np.ones(n_spots, bool), depth=depth),
        SimpleNamespace(sections=SimpleNamespace(codes=np.zeros(n_spots, int))),
        RunControl(),
    )
    members = outside < 0.5
    around = region & ~planted
    return members[planted].mean(), members[around].mean(), (outside < 0.1).sum()


def main() -> None:
    """Print a line for each layer, and for nothing planted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section")
    parser.add_argument("--column", default="ground_truth")
    parser.add_argument("--layer", default="Layer3")
    parser.add_argument("--others", default="Layer2,Layer4,Layer5")
    parser.add_argument("--first", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=12)
    options = parser.parse_args()
    tissue = semst.read(options.section)
    _, section, _ = run_to_end(prepared(tissue, REQUEST, RunControl()))
    residuals = PearsonResiduals(section)
    total = np.asarray(section.counts_in_memory.sum(axis=1), float).ravel()
    size = np.log(np.maximum(total, 1) / total.mean())
    layer = tissue.obs[options.column].astype(str).to_numpy()
    own = np.flatnonzero(layer == options.layer)
    for name in [*options.others.split(","), None]:
        other = None if name is None else np.flatnonzero(layer == name)
        found = [
            told(residuals, own, other, seed, size)
            for seed in range(options.first, options.first + options.seeds)
        ]
        planted, around, sure = np.mean(found, axis=0)
        print(
            f"{name or 'nothing'}: members among planted {planted:.3f}, among others "
            f"of the region {around:.3f}; surely {sure:.1f} spots"
        )


if __name__ == "__main__":
    main()
