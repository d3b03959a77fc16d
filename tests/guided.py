"""Small sections with features of an image, for the image-guided method."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.device import choose_device
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.threads import threads_limited
from napari_semst.methods.image_guided.fit import fit
from napari_semst.morphology.base import Morphology
from napari_semst.pipeline.run import prepared
from napari_semst.sample.simulate_discordance import simulated_discordance
from tests.small import short

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.config import Config
    from napari_semst.methods.base import Fit
    from napari_semst.prepare.section import Section

UNUSABLE = np.array([3, 50, 51])
_NETWORK = {
    "hidden_dim": 12, "latent_dim": 3, "num_heads": 2, "permutations": 3, "folds": 3,
}  # fmt: skip


@cache
def simulated() -> AnnData:
    """Return a section of 300 spots with planted regions; not to be changed."""
    return simulated_discordance(300, 200, image=False)


def image_of(tissue: AnnData, width: int = 6) -> Morphology:
    """Return features that tell layers apart, with noise; some spots have none."""
    random = np.random.default_rng(0)
    layers = tissue.obs["ground_truth"].cat.codes.to_numpy()
    own = random.normal(0, 1, (layers.max() + 2, width))
    features = own[layers] + random.normal(0, 0.5, (len(layers), width))
    usable = np.ones(len(layers), bool)
    usable[UNUSABLE] = False
    features[UNUSABLE] = np.nan
    names = tuple(f"feature {n}" for n in range(width))
    return Morphology(
        features.astype(np.float32), names, usable, {"background": ~usable}
    )


def guided(
    tissue: AnnData | None = None,
    morphology: Morphology | None = None,
    *,
    image: bool = True,
    **stages: dict[str, Any],
) -> tuple[Section, Config]:
    """Return a section and settings of few epochs, with others put over them."""
    tissue = simulated() if tissue is None else tissue
    network = _NETWORK | stages.pop("image_guided", {})
    model = {"method": "image-guided"} | stages.pop("model", {})
    request = short(k=7, model=model, image_guided=network, **stages)
    config, section, _ = run_to_end(prepared(tissue, request, RunControl()))
    if image:
        section = replace(section, morphology=morphology or image_of(tissue))
    return section, config


def fitted(section: Section, config: Config, control: RunControl | None = None) -> Fit:
    """Return what the image-guided method learns."""
    device = choose_device("cpu")
    with threads_limited(1):
        return run_to_end(fit(section, None, config, device, control or RunControl()))
