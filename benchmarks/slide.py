"""Patches of a large slide: time and the most memory that the process has.

    OMP_NUM_THREADS=1 python benchmarks/slide.py [--side 50000] [--spots 20000]

Writes a pyramidal TIFF of 512 x 512 tiles (deflate) to a temporary folder: some tiles
of blobs in the colours of haematoxylin and eosin, repeated. A second process then
makes the tissue mask, cuts a patch of each spot and one of three times its diameter,
measures their quality and describes them; its memory is that of a run on its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import _machine
import numpy as np

TILE = 512
DIAMETER = 110.0
PIXELS, CONTEXT_PIXELS = 64, 96


def tiles(random, n_tiles, fineness):
    """Return encoded tiles: nuclei on pink, the finer the larger the level."""
    from scipy.ndimage import gaussian_filter

    found = []
    for _ in range(n_tiles):
        nuclei = gaussian_filter(random.random((TILE, TILE)), 6 / fineness, mode="wrap")
        dark = nuclei > np.quantile(nuclei, 0.85)
        noise = random.integers(0, 6, (TILE // 2, TILE // 2)).repeat(2, 0).repeat(2, 1)
        pixels = (
            np.where(dark[..., None], (95, 70, 140), (225, 165, 205)) + noise[..., None]
        )
        found.append(zlib.compress(pixels.astype(np.uint8).tobytes(), 1))
    return found


def write_slide(path, side):
    """Write a slide with copies of half, a quarter, ... of its side."""
    import tifffile

    random = np.random.default_rng(0)
    sides = [side]
    while sides[-1] > 2000:
        sides.append(sides[-1] // 2)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for index, own in enumerate(sides):
            encoded = tiles(random, 16, min(2**index, 6))
            n_tiles = (-(-own // TILE)) ** 2
            picks = random.integers(0, len(encoded), n_tiles)
            file.write(
                (encoded[pick] for pick in picks),
                shape=(own, own, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="adobe_deflate",
                subifds=len(sides) - 1 if index == 0 else None,
                subfiletype=0 if index == 0 else 1,
            )


def describe(spot, context, stains):
    """Return the built-in features of patches, or their means where there are none."""
    try:
        from napari_semst.morphology.builtin import describe_patches
    except ModuleNotFoundError:
        both = [one.reshape(len(one), -1, 3) for one in (spot, context)]
        return np.concatenate([one.mean(axis=1) for one in both], axis=1)
    return describe_patches(spot, context, stains)[0]


def measured(path, n_spots):
    """Go through the spots of a slide; return time and memory."""
    from napari_semst.core.progress import RunControl
    from napari_semst.morphology.patches import patches
    from napari_semst.morphology.quality import flag_spots, measure_quality
    from napari_semst.morphology.slide import Slide
    from napari_semst.morphology.stain import estimate_stains
    from napari_semst.morphology.tissue_mask import tissue_mask

    before, start = _machine.peak_mib(), time.perf_counter()
    slide = Slide.of_file(path)
    mask = tissue_mask(slide)
    found = {"mask_s": time.perf_counter() - start}
    places = np.random.default_rng(1).uniform(0, slide.shape[0], (n_spots, 2))
    control = RunControl()
    sample = next(patches(slide, places[:200], DIAMETER, PIXELS, control))[1]
    stains = estimate_stains(sample, mask.glass)
    start = time.perf_counter()
    spot = np.empty((n_spots, PIXELS, PIXELS, 3), np.uint8)
    inside = np.empty(n_spots, np.float32)
    quality, features = [], []
    # Both generators go through the spots in the same blocks of theirs.
    for spots, pixels, _ in patches(slide, places, DIAMETER, PIXELS, control):
        spot[spots] = pixels
    found["spots_s"] = time.perf_counter() - start
    start, order = time.perf_counter(), []
    for spots, pixels, share in patches(
        slide, places, 3 * DIAMETER, CONTEXT_PIXELS, control
    ):
        inside[spots] = share
        order.append(spots)
        for part in np.array_split(np.arange(len(spots)), len(spots) // 100 + 1):
            own = spot[spots[part]]
            quality.append(measure_quality(own, pixels[part], mask.glass))
            features.append(describe(own, pixels[part], stains))
    found["context_and_features_s"] = time.perf_counter() - start
    back = np.argsort(np.concatenate(order))
    share = mask.share(places, DIAMETER)
    flags = flag_spots(np.concatenate(quality)[back], inside, share).notes["flagged"]
    return {
        **found,
        "features": int(features[0].shape[1]),
        "flagged": flags,
        "levels": len(slide.levels),
        "processor_s": time.process_time(),
        "peak_mib_before": before,
        "peak_mib": _machine.peak_mib(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=50_000)
    parser.add_argument("--spots", type=int, default=20_000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(measured(options.read, options.spots)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.tif"
        start = time.perf_counter()
        write_slide(path, options.side)
        size = path.stat().st_size / 2**20
        print(f"written in {time.perf_counter() - start:.0f} s: {size:,.0f} MiB")
        command = [sys.executable, __file__, "--read", str(path)]
        command += ["--spots", str(options.spots)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ
        )
        if done.returncode:
            sys.exit(done.stderr)
        for name, value in json.loads(done.stdout).items():
            print(f"{name}: {round(value, 1) if isinstance(value, float) else value}")


if __name__ == "__main__":
    main()
