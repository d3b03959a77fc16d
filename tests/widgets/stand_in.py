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
from napari_semst.core.progress import Progress

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
    discordance: None = None


class StandIn:
    """A pipeline whose pace and end a test decides."""

    def __init__(self) -> None:
        self.epochs = 4
        self.seconds_per_epoch = 0.01
        self.error: Exception | None = None
        self.warnings: list[str] = []
        self.semantics: dict = {}
        # Set, it holds the run at assigning domains.
        self.assigning = threading.Event()
        self.requests: list = []
        self.control = None
        self.ended = 0
        self.looks = 0

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
                    "train",
                    epoch,
                    self.epochs,
                    metrics={"loss": 1.0 / epoch},
                    latent=control.snapshot(lambda: self._latent(tissue.n_obs)),
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
                    "semantics": dict(self.semantics),
                },
            )
        finally:
            self.ended += 1

    def _latent(self, n_spots):
        """Return what stands for a latent: spots in five heaps."""
        self.looks += 1
        heaps = np.arange(n_spots) % 5
        return (10.0 * np.eye(5)[heaps]).astype(np.float32)

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


FINE_PIECES = 6


def section_with_levels(
    *, run: str = "default", confident: bool = True, auto: bool = False
) -> anndata.AnnData:
    """Return 120 spots with a run of 3 domains, each of two fine ones."""
    tissue = small_tissue()
    attach_levels(tissue, run=run, confident=confident, auto=auto)
    return tissue


def attach_levels(
    tissue: anndata.AnnData,
    *,
    run: str = "default",
    confident: bool = True,
    auto: bool = False,
    turned: bool = False,
) -> None:
    """Attach a run with a hierarchy; ``turned``, its domains come in other places."""
    from napari_semst.pipeline.result import DomainResult, attach

    pieces = np.arange(tissue.n_obs) * FINE_PIECES // tissue.n_obs
    order = [5, 2, 4, 1, 3, 0] if turned else [0, 3, 1, 4, 2, 5]
    fine = np.array(order, np.int32)[pieces]
    curve = {
        "k": [2, 3, 4],
        "score": [-30.0, 0.0, -4.0],
        "bic": [-130.0, -100.0, -104.0],
        "stability": [0.9, 0.8, 0.6],
        "coherence": [0.9, 0.7, 0.5],
        "chosen": 3,
        "runners_up": [4, 2],
        "independent_spots": 12.0,
    }
    result = DomainResult(
        codes=(fine % 3).astype(np.int32),
        names=("1", "2", "3"),
        latent=np.zeros((tissue.n_obs, 2), np.float32),
        confidence=np.linspace(0, 1, tissue.n_obs, dtype=np.float32)
        if confident
        else None,
        fine=fine,
        provenance={
            "hierarchy": {
                "kept": [2, 1, 0, 0, 0],
                "merged": [5, 4, 3, 2, 1],
                "cost": [0.1, 0.2, 0.3, 0.4, 0.5],
            },
            **({"number_of_domains": curve} if auto else {}),
        },
    )
    attach(tissue, result, run, inplace=True)
