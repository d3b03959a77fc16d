"""What sets sections of one cohort apart: preparation, and no biology.

Every section is cut, stained and sequenced for itself. Genes are caught better or
worse, a little differently by type of cell; depth and the stains vary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.expression import GenePanel

    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Picture = NDArray[np.uint8]

# Deviations of logs between sections: of genes, of genes by type of cell, of depth, and
# of what each channel of a picture takes of the light.
_GENES, _BY_TYPE, _DEPTH, _STAIN = 0.15, 0.05, 0.25, 0.10
_GLASS = 243.0


@dataclass(frozen=True)
class SectionHandling:
    """How one section of a cohort was handled.

    Parameters
    ----------
    cohort
        Seed of what all sections have in common: what genes do.
    seed
        Of the section.
    """

    cohort: int
    seed: int

    def panel_seed(self) -> np.random.Generator:
        """Return the generator of the genes, the same for all sections."""
        return np.random.default_rng((self.cohort, 12))

    def handled(self, panel: GenePanel) -> GenePanel:
        """Return the cohort's genes as this section's preparation catches them."""
        random = np.random.default_rng((self.seed, 13))
        n_genes = panel.profiles.shape[1]
        logs = random.normal(0, _BY_TYPE, panel.profiles.shape)
        logs += random.normal(0, _GENES, n_genes)
        profiles = panel.profiles * np.exp(logs)
        # Messenger RNA of each type of cell stays: depth is told for itself.
        profiles *= panel.profiles.sum(axis=1, keepdims=True) / profiles.sum(
            axis=1, keepdims=True
        )
        return replace(panel, profiles=profiles.astype(np.float32))

    def depth(self) -> float:
        """Return the counts of a spot over those of the usual section."""
        return float(np.exp(np.random.default_rng((self.seed, 14)).normal(0, _DEPTH)))

    def stained(self, picture: Picture) -> Picture:
        """Return the picture as this section's stain has it, ``(size, size, 3)``."""
        random = np.random.default_rng((self.seed, 15))
        strength = np.exp(random.normal(0, _STAIN) + random.normal(0, _STAIN, 3))
        density = -np.log((picture.astype(np.float32) + 1) / (_GLASS + 1))
        light = (_GLASS + 1) * np.exp(-density * strength.astype(np.float32)) - 1
        whole: Picture = np.clip(light, 0, 255).astype(np.uint8)
        return whole

    def turned(
        self, places: Doubles, pictures: dict[str, Picture], side: float
    ) -> tuple[Doubles, dict[str, Picture]]:
        """Return spots and pictures as the section happens to lie on its slide.

        Parameters
        ----------
        places
            Pixels of the spots, ``(n_spots, 2)``, x and y.
        pictures
            Square ones, by name.
        side
            Of the slide in these pixels.
        """
        quarters = int(np.random.default_rng((self.seed, 16)).integers(4))
        lying = places.copy()
        for _ in range(quarters):
            # As `numpy.rot90` turns; the middle of a pixel is at a whole number.
            lying = np.column_stack([lying[:, 1], side - 1 - lying[:, 0]])
        turned = {
            name: np.ascontiguousarray(np.rot90(picture, quarters))
            for name, picture in pictures.items()
        }
        return np.round(lying, 2), turned
