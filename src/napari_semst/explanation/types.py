"""What is asked of an explanation, and what is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.explanation import explained_run as runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.explanation.markers import Markers
    from napari_semst.explanation.semantic_genes import Meanings

    Spots = NDArray[np.intp]
    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ExplainOptions:
    """What is asked of an explanation.

    Parameters
    ----------
    run
        Name of the run; the latest where `None`.
    labels
        obs column to explain instead of a run.
    semantics
        Where meanings come from: ``auto``, the built-in table where the run had it;
        ``builtin``, always; ``none``, genes only.
    counterfactual
        Whether to find the domains again without semantics.
    n_genes, n_terms
        Genes and terms told of each domain, at most.
    n_draws
        Random connected domains that domains are compared with.
    """

    run: str | None = None
    labels: str | None = None
    semantics: str = "auto"
    counterfactual: bool = False
    n_genes: int = 10
    n_terms: int = 5
    n_draws: int = 9_999
    seed: int = 0

    def __post_init__(self) -> None:
        runs.check_meaning(self.semantics)
        runs.check_least(self, n_genes=1, n_terms=1, n_draws=99)


@dataclass(frozen=True)
class Explanation:
    """Everything that an explanation is told from.

    Parameters
    ----------
    genes
        Names of the genes that `markers` are of.
    meanings
        `None` for genes only.
    moved, changed
        For each domain: modulation, and the share of spots that change without
        semantics; empty where there is none.
    notes
        Sentences on what was not told, and why.
    """

    what: runs.Explained
    genes: NDArray[np.str_]
    markers: Markers
    meanings: Meanings | None
    moved: list[dict[str, Any]]
    changed: list[dict[str, float]]
    notes: list[str]


@dataclass(frozen=True)
class DiscordanceOptions:
    """What is asked of the regions.

    Parameters
    ----------
    n_genes
        Genes told of each region, higher and lower, at most.
    n_features
        Image features told of each region, at most.
    least_spots
        Discordant spots that a region has at least.
    """

    n_genes: int = 10
    n_features: int = 10
    least_spots: int = 5

    def __post_init__(self) -> None:
        runs.check_least(self, n_genes=1, n_features=1, least_spots=3)


@dataclass(frozen=True)
class DiscordanceMap:
    """What a run of the image-guided method left in a tissue.

    Parameters
    ----------
    what
        The run: domains and settings.
    discordance
        Nats, NaN without a usable image, ``(n_spots,)``.
    called, doubtful, usual
        Spots called discordant, those that are not and have a small p-value, and those
        that are compared with, ``(n_spots,)``.
    expected, expressed
        What the image predicts, and what is expressed, ``(n_spots, width)``.
    image
        Image features, ``(n_spots, n_features)``; `None` where they were not kept.
    touching
        Which spots touch, binary, ``(n_spots, n_spots)``.
    coordinates
        Shape ``(n_spots, 2)``.
    """

    what: runs.Explained
    discordance: Floats
    called: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    usual: NDArray[np.bool_]
    expected: Floats
    expressed: Floats
    image: Floats | None
    names: tuple[str, ...]
    touching: sparse.csr_matrix
    coordinates: NDArray[np.float64]


@dataclass(frozen=True)
class DiscordantRegion:
    """A region of discordant spots and those it is compared with.

    Parameters
    ----------
    name
        That of the run.
    spots
        Its own.
    image_alike
        Usual spots whose image is alike.
    expression_alike
        Usual spots that express alike.
    markers
        Genes of its own spots against `image_alike`: the first row.
    features
        Image features against `expression_alike`: names, areas under the ROC curve,
        adjusted p-values and differences, in deviations of all spots.
    facts
        What the run says of it: its kind; and how many as strong are expected by
        chance, and its q-value, where regions were found by the run; of several
        sections, whose it is.
    """

    name: str
    spots: Spots
    image_alike: Spots
    expression_alike: Spots
    markers: Markers
    features: tuple[tuple[str, ...], Floats, Floats, Floats]
    facts: dict[str, Any]
