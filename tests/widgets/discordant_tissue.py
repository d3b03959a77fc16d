"""A section as the image-guided method leaves it, without its training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_semst import keys

N_LATENT = 4
N_UNUSABLE = 5


def discordant_tissue(n_spots: int = 400, *, run: str = "default"):
    """Return the simulated section with a result whose discordant spots are known."""
    from napari_semst.sample.simulate_discordance import simulated_discordance

    tissue = simulated_discordance(n_spots, 60)
    return attach_discordance(tissue, tissue.obs["discordant"].to_numpy(), run)


def attach_regions(tissue, *kinds, run="default"):
    """Let the latest run have found regions: its discordant spots, dealt in order."""
    called = np.flatnonzero(tissue.obs[keys.DISCORDANT].to_numpy())
    names = np.full(tissue.n_obs, None, object)
    for number, spots in enumerate(np.array_split(called, max(len(kinds), 1))):
        names[spots if kinds else []] = str(number + 1)
    every = [str(number + 1) for number in range(len(kinds))]
    tissue.obs[keys.DISCORDANT_REGION] = pd.Categorical(names, every)
    told = {
        "kind": list(kinds),
        "spots": [int((names == name).sum()) for name in every],
        "expected_false": [0.002 * (1 + number) for number in range(len(kinds))],
        "q": [0.002 * (1 + number) for number in range(len(kinds))],
    }
    tissue.uns[keys.RUNS][run]["training"]["discordant_regions"] = told
    return tissue


def attach_discordance(tissue, called, run="default"):
    """Write what the method writes; the first spots have no usable image."""
    rng = np.random.default_rng(0)
    n = tissue.n_obs
    usable = np.arange(n) >= N_UNUSABLE
    called = np.asarray(called, bool) & usable
    layer = pd.Categorical(tissue.obs["ground_truth"])
    domain = pd.Categorical.from_codes(
        layer.codes, [str(i + 1) for i in range(len(layer.categories))]
    )
    for key in (keys.DOMAIN, keys.of_run(keys.DOMAIN, run)):
        tissue.obs[key] = domain
    discordance = np.where(called, 6.0, -1.0) + rng.random(n)
    fdr = np.where(called, 0.02, 0.8)
    tissue.obs[keys.DISCORDANCE] = np.where(usable, discordance, np.nan)
    tissue.obs[keys.SURPRISE] = np.where(usable, discordance + 2, np.nan)
    tissue.obs[keys.DISCORDANCE_P] = np.where(usable, fdr / 2, np.nan)
    tissue.obs[keys.DISCORDANCE_FDR] = np.where(usable, fdr, np.nan)
    tissue.obs[keys.DISCORDANT] = called
    flags = ["fine", "outside", "background", "blurred", "folded"]
    tissue.obs[keys.IMAGE_FLAG] = pd.Categorical.from_codes(
        np.where(usable, 0, 2 + np.arange(n) % 2), flags
    )
    expected = rng.normal(0, 0.3, (n, N_LATENT)) + 3.0 * domain.codes[:, None]
    latent = expected + np.where(called, 6.0, 0.0)[:, None]
    tissue.obsm[keys.EXPECTED] = expected.astype(np.float32)
    tissue.obsm[keys.EXPRESSED] = latent.astype(np.float32)
    tissue.obsm[keys.LATENT] = latent.astype(np.float32)
    tissue.obsm[keys.DIVERGENCE] = np.abs(latent - expected).astype(np.float32)
    tissue.uns[keys.RUNS] = {run: {"training": {"active_dimensions": N_LATENT}}}
    tissue.uns[keys.LATEST] = run
    return tissue
