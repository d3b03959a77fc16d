"""A small section and a stand-in for the pipeline, so that the docks are tested alone.

The stand-in follows the pipeline's face: a generator of progress events that ends in
a result, and `attach`, which writes the result's keys.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from napari_semst import keys
from napari_semst.progress import Progress

N_SPOTS, N_GENES = 120, 30


def small_tissue(n_spots: int = N_SPOTS, *, image: bool = True) -> anndata.AnnData:
    rng = np.random.default_rng(0)
    side = 12
    places = np.array([(i % side, i // side) for i in range(n_spots)], float) * 100 + 50
    tissue = anndata.AnnData(
        X=sparse.csr_matrix(rng.poisson(2.0, (n_spots, N_GENES)).astype(np.float32)),
        obs=pd.DataFrame(index=[f"spot-{i}" for i in range(n_spots)]),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(N_GENES)]),
    )
    tissue.obsm["spatial"] = places
    tissue.obs["ground_truth"] = pd.Categorical(
        np.where(places[:, 1] < 500, "upper", "lower")
    )
    if image:
        pixels = np.full((105, 125, 3), 230, np.uint8)
        tissue.uns["spatial"] = {
            "one": {
                "images": {"hires": pixels},
                "scalefactors": {
                    "tissue_hires_scalef": 0.1,
                    "spot_diameter_fullres": 80.0,
                },
            }
        }
    return tissue


@dataclass(frozen=True)
class StandInResult:
    codes: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray
    provenance: dict = field(default_factory=dict)


class StandIn:
    """A pipeline whose pace and end a test decides."""

    def __init__(self) -> None:
        self.epochs = 4
        self.seconds_per_epoch = 0.01
        self.error: Exception | None = None
        self.warnings: list[str] = []
        # Set, it holds the run at assigning domains.
        self.assigning = threading.Event()
        self.requests: list = []
        self.control = None
        self.ended = 0

    def find_domains(self, tissue, request, control=None):
        self.requests.append(request)
        self.control = control
        try:
            yield Progress("prepare", 1, 1, "Preparing")
            done = 0
            for epoch in range(1, self.epochs + 1):
                control.check()
                if control.stopping:
                    break
                time.sleep(self.seconds_per_epoch)
                done = epoch
                yield Progress(
                    "train", epoch, self.epochs, metrics={"loss": 1.0 / epoch}
                )
                if self.error is not None:
                    raise self.error
            yield Progress("assign", 0, 1, "Assigning")
            while self.assigning.is_set():
                control.check()
                time.sleep(0.01)
            k = request.overrides["domains"]["n_domains"]
            return StandInResult(
                codes=np.arange(tissue.n_obs) * k // tissue.n_obs,
                names=tuple(str(i + 1) for i in range(k)),
                values=np.linspace(0, 1, tissue.n_obs, dtype=np.float32),
                provenance={
                    "device": {"name": "cpu", "reason": "The CPU was asked for."},
                    "warnings": list(self.warnings),
                    "epochs": done,
                },
            )
        finally:
            self.ended += 1

    def attach(self, tissue, result, run="default", *, inplace=False):
        assert inplace
        domain = pd.Categorical.from_codes(result.codes, list(result.names))
        for key in (keys.DOMAIN, keys.of_run(keys.DOMAIN, run)):
            tissue.obs[key] = domain
        tissue.obs[keys.MODULATION] = result.values
        runs = dict(tissue.uns.get(keys.RUNS, {}))
        tissue.uns[keys.RUNS] = {**runs, run: dict(result.provenance)}
        tissue.uns[keys.LATEST] = run
        return tissue
