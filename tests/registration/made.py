"""Landmarks of maps that are known."""

from __future__ import annotations

import numpy as np

from napari_semst.registration.landmarks import landmarks_from


def turn(degrees, scale=1.0, mirrored=False):
    """Return a matrix that turns, ``(2, 2)``, mirrored left-right before."""
    angle = np.deg2rad(degrees)
    made = scale * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    return made @ np.diag([-1.0 if mirrored else 1.0, 1.0])


def pairs(n, linear, shift=(0.0, 0.0), kind="similarity", noise=0.0, seed=0):
    """Return landmarks on the image, and where a map takes them among the spots."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 1000, (n, 2))
    spots = image @ linear.T + shift + rng.normal(0, noise, (n, 2)) * (noise > 0)
    return landmarks_from(image, spots, kind)


def bent(places):
    """Return places of a tissue that was bent by up to 30."""
    x, y = places.T
    return np.stack([x + 30 * np.sin(y / 300), y + 20 * np.cos(x / 250)], axis=1)


def bent_pairs(side=5, kind="spline"):
    """Return landmarks all over a bent tissue."""
    x = np.linspace(0, 1000, side)
    image = np.stack(np.meshgrid(x, x), axis=2).reshape(-1, 2)
    return landmarks_from(image, bent(image), kind)
