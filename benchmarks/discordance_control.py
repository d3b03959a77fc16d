"""How often an image that has nothing to do with a section passes the control.

Before anything is called, an image must predict more of expression where it lies than
moved over the slide. Here it is a stain that fades across the slide, or slow waves;
expression is that of a simulated cortex, or as smooth and of no tissue. By chance one
in twenty passes. Features that tell layers are to pass.

    python benchmarks/discordance_control.py [--seeds 30] [--spots 600]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from napari_semst import simulated_discordance
from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.methods.image_guided.discordance import says_more_here
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.prediction import ImagePredictor, spatial_folds
from napari_semst.morphology.base import Morphology
from napari_semst.pipeline.run import prepared

REQUEST = Request(preset="image-guided").with_settings("domains", n_domains=7)


def waves(places: np.ndarray, random: np.random.Generator, size: float) -> np.ndarray:
    """Return eight slow waves with some noise, ``(n_spots, 8)``."""
    phase = places @ random.normal(0, size, (2, 8)) + random.uniform(0, 6, 8)
    return np.cos(phase)


def features(
    kind: str, places: np.ndarray, layers: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return features of an image, ``(n_spots, 8)``."""
    if kind == "layers":
        own = random.normal(0, 1, (layers.max() + 1, 8))
        return own[layers] + random.normal(0, 0.5, (len(layers), 8))
    if kind == "fade":
        found = (places @ random.normal(0, 1, (2, 1))) * random.normal(0, 1, (1, 8))
    else:
        found = waves(places, random, 4)
    return found + random.normal(0, 0.05, found.shape)


def passes(kind: str, seed: int, n_spots: int, *, smooth: bool) -> bool:
    """Return whether one image passes."""
    tissue = simulated_discordance(n_spots, 200, image=False, seed=seed, kinds=())
    places = np.asarray(tissue.obsm["spatial"], float)
    places = (places - places.mean(axis=0)) / np.ptp(places)
    layers = tissue.obs["ground_truth"].cat.codes.to_numpy()
    random, everywhere = np.random.default_rng(seed), np.ones(n_spots, bool)
    values = features(kind, places, layers, random).astype(np.float32)
    names = tuple(f"feature {one}" for one in range(8))
    flags = {"background": ~everywhere}
    request = REQUEST.with_settings("training", seed=seed)
    config, section, _ = run_to_end(prepared(tissue, request, RunControl()))
    section = replace(section, morphology=Morphology(values, names, everywhere, flags))
    inputs = guided_inputs(section, config)
    folds = spatial_folds(inputs, section.coordinates)
    predictor = ImagePredictor(inputs, section, folds)
    if smooth:
        other = waves(places, random, 6) + random.normal(0, 0.3, (n_spots, 8))
        other = (other - other.mean(axis=0)) / other.std(axis=0)
        predictor.expression = other.astype(np.float32)
    return run_to_end(says_more_here(predictor, section, inputs, RunControl()))


def main() -> None:
    """Print how many images of each kind pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--spots", type=int, default=600)
    options = parser.parse_args()
    for kind in ("fade", "waves", "layers"):
        for smooth in (False, True)[: 1 if kind == "layers" else 2]:
            passed = [
                passes(kind, seed, options.spots, smooth=smooth)
                for seed in range(options.seeds)
            ]
            of = "smooth expression" if smooth else "a cortex"
            print(f"{kind}, {of}: {sum(passed)} of {len(passed)} pass", flush=True)


if __name__ == "__main__":
    main()
