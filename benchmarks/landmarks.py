"""How often a pair of landmarks that is far off is named, and one that is not.

    python benchmarks/landmarks.py

Places of a section of 1000 by 1000 are turned by any angle and clicked with an error of
5 in each direction; then one pair is moved by 150. Of splines the tissue is bent, too.
"""

from __future__ import annotations

import argparse

import numpy as np

from napari_semst.errors import InputError
from napari_semst.registration.accuracy import landmark_errors
from napari_semst.registration.landmarks import Landmarks, landmarks_from

SIZE, ERROR, FAR = 1000.0, 5.0, 150.0
NUMBERS = {
    "similarity": (4, 5, 6, 8, 12),
    "affine": (5, 6, 8, 12),
    "spline": (7, 8, 10, 15),
}


def pairs(kind: str, n: int, rng: np.random.Generator) -> Landmarks:
    """Return landmarks as people click them."""
    spots = rng.uniform(0, SIZE, (n, 2))
    angle = rng.uniform(0, 2 * np.pi)
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    image = spots @ np.transpose(turn) + rng.normal(0, ERROR, (n, 2))
    if kind == "spline":
        image += 20 * np.sin(spots / 400)
    return landmarks_from(image, spots, kind)


def main() -> None:
    """Print the share of sets in which a pair is named, rightly and wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=300)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    print(
        "| map | pairs | named, of those far off | another named | named of good ones |"
    )
    print("|---|---|---|---|---|")
    for kind, numbers in NUMBERS.items():
        for n in numbers:
            found = []
            while len(found) < arguments.sets:
                off, angle = int(rng.integers(n)), rng.uniform(0, 2 * np.pi)
                try:
                    good = pairs(kind, n, rng)
                    image = good.image.copy()
                    image[off] += FAR * np.array([np.cos(angle), np.sin(angle)])
                    bad = landmarks_from(image, good.spots, kind)
                except InputError:  # nearly on one line
                    continue
                named = landmark_errors(bad).far_off
                wrong = landmark_errors(good).far_off
                found.append(
                    (named == (off,), bool(named) - (named == (off,)), wrong != ())
                )
            shares = " | ".join(f"{share:.1%}" for share in np.mean(found, axis=0))
            print(f"| {kind} | {n} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
