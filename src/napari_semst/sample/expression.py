"""Raw counts: mixtures of cell types, negative binomial noise, and nuisances.

A count of gene g in spot i is Poisson of ``l_i m_ig v_ig``: library size ``l``, the
mixture of cell-type profiles ``m`` bent by smooth technical fields, and a gamma
variable ``v`` of mean 1 and variance the dispersion of g, which makes it negative
binomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.composition import messenger_content
from napari_semst.sample.cortex_model import HARD_CORTEX
from napari_semst.sample.genes import CELL_TYPES, MARKERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from napari_semst.sample.cortex_model import CortexModel

    Floats = NDArray[np.float32]

COUNT_CHUNK = 4096
_N_NUISANCES = 6
_FOLLOWS_NUISANCE = {"mitochondrial": 0, "stress": 1, "blood": 2}
# Programmes of cells that healthy tissue has none of.
_ABSENT = ("T cell", "Macrophage", "B cell")
_N_CLEAR = 4


@dataclass(frozen=True)
class GenePanel:
    """What a gene does, whatever the spot.

    Parameters
    ----------
    profiles
        ``(n_types, n_genes)`` messenger RNA of a cell of each type.
    dispersion
        ``(n_genes,)`` variance of the gamma noise.
    loadings
        ``(n_nuisances, n_genes)`` how a gene follows each technical field.
    """

    profiles: Floats
    dispersion: Floats
    loadings: Floats


def make_panel(
    programmes: tuple[str, ...],
    rng: np.random.Generator,
    model: CortexModel = HARD_CORTEX,
    platform: str = "visium",
) -> GenePanel:
    """Draw the profiles, dispersions and technical loadings of a panel's genes."""
    n_genes, contrast = len(programmes), model.contrast[platform]
    names = np.array(programmes)
    level = rng.normal(0.0, 0.9, n_genes)
    level += np.select(
        [
            names == "housekeeping", names == "mitochondrial", names == "blood",
            np.isin(names, _ABSENT),
        ],
        [1.5, 3.2, -0.8, -2.0],
        default=0.0,
    )  # fmt: skip
    log_profiles = level + rng.normal(0, 0.10, (len(CELL_TYPES), n_genes))
    rows = {cell_type: row for row, cell_type in enumerate(CELL_TYPES)}
    for programme, (types, _, fold) in MARKERS.items():
        columns = np.flatnonzero(names == programme)
        gain = contrast * np.log(fold) * rng.uniform(0.40, 1.1, len(columns))
        # The markers named first are those that everybody looks for.
        gain[:_N_CLEAR] = contrast * np.log(fold) * rng.uniform(1.0, 1.3)
        for cell_type in types:
            log_profiles[rows[cell_type], columns] += gain
    profiles = np.exp(log_profiles)
    profiles *= messenger_content()[:, None] / profiles.sum(axis=1, keepdims=True)
    loadings = rng.normal(0, model.nuisance / 2, (_N_NUISANCES, n_genes))
    for programme, field in _FOLLOWS_NUISANCE.items():
        loadings[field, names == programme] += model.handling
    return GenePanel(
        profiles=profiles.astype(np.float32),
        dispersion=rng.gamma(3.0, 0.10, n_genes).astype(np.float32) + 0.04,
        loadings=loadings.astype(np.float32),
    )


def smooth_fields(
    points: NDArray[np.floating], rng: np.random.Generator, n_fields: int
) -> Floats:
    """Return random smooth fields, ``(n, n_fields)``, of unit variance, at points.

    Sums of random waves, so that a point costs the same whatever their number.
    """
    n_waves = 24
    width = rng.uniform(0.07, 0.35, (1, n_fields, n_waves))
    waves = rng.normal(0, 1, (2, n_fields, n_waves)) / width
    turns = rng.uniform(0, 2 * np.pi, (n_fields, n_waves))
    fields = np.empty((len(points), n_fields), dtype=np.float32)
    for field in range(n_fields):
        phase = points.astype(np.float32) @ waves[:, field].astype(np.float32)
        fields[:, field] = np.cos(phase + turns[field].astype(np.float32)).sum(axis=1)
    fields /= np.float32(np.sqrt(n_waves / 2))
    return fields


def mix_shares(shares: Floats, cells: Floats, rng: np.random.Generator) -> Floats:
    """Return shares ``(n, n_types)`` as a spot of a few cells ``(n,)`` has them."""
    drawn = rng.gamma(np.maximum(shares * cells[:, None], 1e-3)).astype(np.float32)
    drawn += 1e-6 * shares
    mixed: Floats = drawn / drawn.sum(axis=1, keepdims=True)
    return mixed


def draw_counts(
    shares: Floats, library: Floats, fields: Floats, panel: GenePanel, seed: int
) -> Iterator[csr_matrix]:
    """Draw raw counts, ``(n, n_genes)``, of one chunk of spots after the other.

    Parameters
    ----------
    shares
        ``(n_spots, n_types)`` mixture of every spot.
    library
        ``(n_spots,)`` counts expected of a spot of mean messenger RNA.
    fields
        ``(n_spots, n_nuisances)`` technical fields at the spots.
    seed
        Seed of the counts; a chunk's noise depends on it and the chunk's place only.
    """
    from scipy.sparse import csr_matrix

    for start in range(0, len(shares), COUNT_CHUNK):
        rng = np.random.default_rng((seed, start))
        part = slice(start, start + COUNT_CHUNK)
        rate = shares[part] @ panel.profiles
        rate *= library[part, None]
        rate *= np.exp(fields[part] @ panel.loadings)
        noise = rng.standard_gamma(1 / panel.dispersion, rate.shape, dtype=np.float32)
        rate *= noise * panel.dispersion
        yield csr_matrix(rng.poisson(rate).astype(np.float32))
