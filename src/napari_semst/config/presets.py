"""Named recipes."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.config.settings import Overrides


AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe: what it is for, and its settings."""

    summary: str
    settings: Overrides


def _paper(
    summary: str,
    *,
    epochs: int,
    rate: float,
    features: int,
    rings: int,
    hidden: int,
    ratio: float,
    weight: float,
    genes: int,
    speaking: int,
) -> Preset:
    """Return one row of the published settings (semst.md, section 4)."""
    graph: dict[str, object] = (
        {"spatial_graph": "rings", "n_rings": rings}
        if rings
        else {"spatial_graph": "knn", "spatial_neighbours": 15}
    )
    return Preset(
        summary,
        {
            "prepare": {
                "n_top_genes": genes,
                # 100 of the DLPFC's 4,000 spots; scaled, it also suits small sections.
                "min_share": 0.025,
                "feature_neighbours": features,
                **graph,
            },
            "semantics": {"n_genes": speaking, "ranking": "scaled"},
            "model": {
                "method": "semst",
                "hidden": hidden,
                "latent": hidden // 2,
                "modulation_ratio": ratio,
                "weight_spatial": weight,
                "weight_correlation": weight,
                "weight_modulation": 0.0,
                "start": "expression",
            },
            "training": {
                "epochs": epochs,
                "learning_rate": rate,
                "schedule": "constant",
                "decoded_spots": 0,
                "decoded_genes": 0,
                "average_last": 0.0,
            },
            "domains": {"readout": "kmeans", "refine": 0},
        },
    )


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "default": Preset("The project's recipe, one for all tissues.", {}),
        "quick": Preset(
            "Seconds: smoothed principal components and a Gaussian mixture.",
            {"model": {"method": "quick"}, "semantics": {"source": "none"}},
        ),
        "image-guided": Preset(
            "The image-guided graph VAE: domains, and where image and expression "
            "disagree.",
            {"model": {"method": "image-guided"}},
        ),
        "dlpfc": _paper(
            "The paper's settings for layered human cortex (Visium).",
            epochs=100, rate=1e-3, features=14, rings=4, hidden=256, ratio=1.2,
            weight=0.1, genes=3000, speaking=20,
        ),
        "hbc": _paper(
            "The paper's settings for human breast cancer (Visium).",
            epochs=600, rate=1e-4, features=15, rings=2, hidden=256, ratio=0.5,
            weight=0.1, genes=2000, speaking=20,
        ),
        "mba": _paper(
            "The paper's settings for the anterior mouse brain (Visium).",
            epochs=200, rate=1e-3, features=15, rings=2, hidden=128, ratio=0.5,
            weight=0.1, genes=3000, speaking=20,
        ),
        "embryo": _paper(
            "The paper's settings for the mouse embryo (Stereo-seq).",
            epochs=500, rate=1e-3, features=15, rings=0, hidden=256, ratio=0.5,
            weight=1.0, genes=3000, speaking=30,
        ),
        "starmap": _paper(
            "The paper's settings for the mouse visual cortex (STARmap).",
            epochs=2000, rate=1e-3, features=5, rings=0, hidden=128, ratio=0.5,
            weight=1.0, genes=128, speaking=30,
        ),
    }
)  # fmt: skip
