"""Names of the paper's tables and figures, and of what is compared in them."""

from __future__ import annotations

from typing import NamedTuple

from napari_semst.config.method_registry import METHODS

SEMST = "semst"
HOSTS = tuple(name for name, place in METHODS.items() if ".hosts." in place)
TABLES = ("1", "2", "3", "5")
FIGURES = ("3", "4", "6", "7", "8")
DATASETS = ("151508", "151509", "151510", "151671", "ME", "MVC", "HBC", "MBA")
# Of figure 4: the number of genes that speak for a spot.
GENES_OF_A_SPOT = (5, 10, 20, 30, 40, 50)
NONE, FSM, SHUFFLED = "none", "fsm", "shuffled"


class Variant(NamedTuple):
    """A method in one of its ways.

    Parameters
    ----------
    method
        Its name.
    fusion
        How semantics comes in; ``none`` where it does not.
    semantics
        The source; ``none`` likewise.
    control
        How the semantics is spoilt; ``none`` where it is not.
    n_genes
        Genes that speak for a spot (k_g); 0: as the recipe has it.
    """

    method: str
    fusion: str = NONE
    semantics: str = NONE
    control: str = NONE
    n_genes: int = 0
