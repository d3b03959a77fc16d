"""The settings of a run, stage by stage: one frozen dataclass each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from napari_semst.config.fields import setting as _setting
from napari_semst.config.method_registry import METHODS
from napari_semst.config.semantics_settings import SemanticsConfig

# The number of domains that asks for it to be chosen.
AUTO_DOMAINS = -1
REFINE_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """From raw counts to a scaled matrix and two graphs."""

    counts_layer: str = _setting(
        "", "Layer of raw counts; empty: the one that is found."
    )
    coordinates: str = _setting(
        "",
        "obsm key, or two obs columns x,y, of the coordinates; empty: those that are "
        "found.",
    )
    part: str = _setting(
        "",
        "Part to read of an input that holds several: bin size (micrometres), cells or "
        "nuclei of Visium HD, bin size of Stereo-seq (spots of the chip), table of "
        "SpatialData, sample; empty: the usual one.",
    )
    positions: str = _setting(
        "",
        "File with the positions of spots, a path or a name beside the input; empty: "
        "the one that is there.",
    )
    features: str = _setting(
        "genes",
        "Features that are read: genes, without controls, blanks and proteins, or all "
        "as if they were genes.",
        ("genes", "all"),
        shell_help="Features that are read: genes (no controls, blanks, proteins) or "
        "all.",
    )
    section_key: str = _setting(
        "",
        "obs column that tells sections apart, which are then done together; empty: "
        "semst_section where several were joined, else one section.",
        shell_help="obs column that tells the sections of one file apart: neighbours "
        "stay inside sections, domains are common.",
    )
    n_top_genes: int = _setting(3000, "Highly variable genes kept.", low=1)
    min_cells: int = _setting(
        0, "Spots that must express a gene; 0: by min_share.", low=0
    )
    min_share: float = _setting(
        0.002, "Share of spots that must express a gene (3 to 100 spots).", low=0.0
    )
    target_sum: float = _setting(1e4, "Counts per spot after scaling.", low=1.0)
    clip: float = _setting(10.0, "Largest scaled value.", low=0.1)
    spatial_graph: str = _setting(
        "auto",
        "Spatial neighbours: rings of a lattice, nearest, or by what is found.",
        ("auto", "rings", "knn"),
    )
    n_rings: int = _setting(2, "Rings of neighbours on a lattice.", low=1)
    spatial_neighbours: int = _setting(15, "Nearest spots where no lattice.", low=1)
    feature_neighbours: int = _setting(15, "Nearest spots by expression.", low=1)
    n_components: int = _setting(50, "Principal components of expression.", low=1)
    smoothing_neighbours: int = _setting(
        0, "Nearest spots to average over; 0: 4 on square lattices, else 6.", low=0
    )
    smoothing_rounds: int = _setting(
        -1, "Times of averaging over them; -1: one per 400 spots, at most 3.", low=-1
    )
    normalisation: str = _setting(
        "row",
        "Graph normalisation: D^-1 (A+I), or D^-1/2 (A+I) D^-1/2.",
        ("row", "symmetric"),
    )


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The method and the shape of its network."""

    method: str = _setting(
        "semst",
        "Method.",
        tuple(METHODS),
        shell_help="semst; quick: no training, seconds; image-guided: also where image "
        "and expression disagree; the others: published methods, each made anew, with "
        "or without semantics (docs: Other methods).",
    )
    hidden: int = _setting(64, "Width of the hidden layers (h1).", low=1)
    latent: int = _setting(15, "Width of the latent (h2).", low=2)
    modulation_ratio: float = _setting(
        1.2, "Width of the modulation's hidden layer over the latent's.", low=0.01
    )
    weight_spatial: float = _setting(0.1, "Weight of the spatial loss.", low=0.0)
    weight_correlation: float = _setting(
        0.1, "Weight of the cross-view correlation loss.", low=0.0
    )
    weight_dropout_prior: float = _setting(
        0.05, "Weight of the penalty on the dropout probability.", low=0.0
    )
    weight_modulation: float = _setting(
        0.01, "Weight of the penalty on the size of alpha and beta.", low=0.0
    )
    fusion: str = _setting(
        "fsm",
        "How semantics comes into the network: fsm, alpha and beta of every feature; "
        "concatenation; addition; cross-attention to pieces of a spot's semantic "
        "vector; none leaves semantics out.",
        ("fsm", "concatenation", "addition", "cross-attention", "none"),
        shell_help="How semantics comes into the network: {choices}.",
    )
    input_components: int = _setting(
        0,
        "Components of expression that stagate reads and reconstructs in place of "
        "genes; 0: genes.",
        low=0,
    )
    weights: str = _setting(
        "",
        "File of published weights to begin with; needs start 'expression'.",
        file=True,
        shell_help="Published SemST weights to begin with (a published preset; with "
        "--epochs 0 they are used as they are).",
    )
    start: str = _setting(
        "components",
        "What the network starts from: smoothed principal components, which it learns "
        "to correct, or the scaled expression alone, as published.",
        ("components", "expression"),
    )
    morphology: str = _setting(
        "none",
        "What semst takes of the histology: none; a view beside expression, for the "
        "network and the consensus; or modulation, beside the semantics.",
        ("none", "view", "modulation"),
        shell_help="What semst takes of the image: view (beside expression), "
        "modulation (beside semantics) or none.",
    )


@dataclass(frozen=True, slots=True)
class MorphologyConfig:
    """What is read of the histology around each spot."""

    encoder: str = _setting(
        "none",
        "What describes the image of a spot: none; builtin (stains, intensity, "
        "texture, nuclei); timm:ID or hf:ID, a network by its name or folder; "
        "obsm:KEY, features that the section already holds.",
        flags=("--image-encoder",),
    )
    image: str = _setting(
        "",
        "Image file of the section (TIFF, OME-TIFF, SVS, PNG, JPEG, OME-Zarr), in "
        "whose pixels coordinates are; empty: the section's own.",
        file=True,
    )
    image_scale: float = _setting(
        0.0, "Pixels of the image file per unit of the coordinates; 0: 1.", low=0.0
    )
    spot_diameter: float = _setting(
        0.0,
        "Diameter of a spot in units of the coordinates; 0: from the file, else the "
        "distance to the nearest spot.",
        low=0.0,
    )
    context: float = _setting(
        3.0, "Side of the wider patch around a spot, in its diameters.", low=1.0
    )
    stain: str = _setting(
        "auto",
        "Bring the stains of images to one look: macenko, none, or auto (macenko where "
        "there are several sections).",
        ("auto", "none", "macenko"),
    )
    revision: str = _setting("", "Commit, tag or branch of the image encoder.")
    batch_patches: int = _setting(
        0, "Patches encoded at once; 0: 16 on CPUs, 256 on GPUs.", low=0
    )
    keep_features: bool = _setting(
        True, "Keep features in the cache of this machine, by image and encoder."
    )


@dataclass(frozen=True, slots=True)
class ImageGuidedConfig:
    """The image-guided graph VAE."""

    hidden_dim: int = _setting(256, "Width of the hidden layers.", low=1)
    latent_dim: int = _setting(32, "Width of the latent.", low=2)
    num_heads: int = _setting(3, "Heads of graph attention, averaged.", low=1)
    dropout: float = _setting(
        0.1, "Share of hidden values dropped.", low=0.0, high=0.95
    )
    kl_annealing_start: int = _setting(
        0, "Epoch at which the KL divergence begins to count.", low=0
    )
    kl_annealing_end: int = _setting(50, "Epoch from which it counts in full.", low=0)
    kl_weight_max: float = _setting(
        1.0, "Weight of the KL divergence in full.", low=0.0
    )
    free_bits: float = _setting(
        0.02, "Nats of KL per latent dimension that cost nothing.", low=0.0
    )
    graph_type: str = _setting(
        "knn", "Spatial graph of attention.", ("knn", "radius", "delaunay")
    )
    k_neighbors: int = _setting(6, "Nearest spots in the graph knn.", low=1)
    radius: float = _setting(
        0.0,
        "Reach of the graph radius in units of the coordinates; 0: 1.5 times the "
        "median distance to the nearest spot.",
        low=0.0,
    )
    shared_image_encoder: bool = _setting(
        False, "Let prior and posterior share one image encoder."
    )
    posterior_reads_image: bool = _setting(
        False,
        "Let the posterior read the image beside expression, as published; else the "
        "latent is what molecules say, and the image only predicts it.",
    )
    contrastive_epochs: int = _setting(
        0, "Epochs in which image and gene encoders are first aligned; 0: none.", low=0
    )
    clustering_epochs: int = _setting(
        0, "Epochs of deep embedded clustering (DEC) at the end; 0: none.", low=0
    )
    folds: int = _setting(
        5,
        "Parts of the section; what the image predicts in each is learnt from the "
        "others, for the discordance. 1: from all spots, which flatters it.",
        low=1,
        high=20,
    )
    permutations: int = _setting(
        20,
        "Times images are exchanged within expression clusters, at most; fewer in "
        "large sections.",
        low=1,
    )
    reference: str = _setting(
        "",
        "Of several sections, the names of those that teach what images lead to expect "
        "and are not asked themselves, with commas between, in quotes where a name has "
        "one; empty: all do both.",
        shell_help="Of image-guided: section that teaches what images lead to expect "
        "and is not asked itself; may be given more than once.",
    )
    discordance_fdr: float = _setting(
        0.1,
        "False discovery rate at which image-guided calls spots discordant.",
        low=1e-6,
        high=1.0,
        flags=("--fdr",),
    )


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How the network is trained."""

    epochs: int = _setting(
        100,
        "Training steps, each over all spots or a sample; 0: use the weights as they "
        "are.",
        low=0,
    )
    learning_rate: float = _setting(3e-3, "Adam's step.", low=1e-12)
    schedule: str = _setting(
        "cosine",
        "Learning rate over epochs: falling to a twentieth, or constant.",
        ("cosine", "constant"),
    )
    decoded_spots: int = _setting(
        512, "Spots reconstructed in a step, drawn anew each time; 0: all.", low=0
    )
    batch_spots: int = _setting(
        -1,
        "Spots of a step, besides their neighbours; 0: all; -1: all up to 20,000, "
        "else 4,096.",
        low=-1,
    )
    batch_parts: int = _setting(
        4, "Parts in which a step's spots are drawn; processes share them.", low=1
    )
    decoded_genes: int = _setting(
        500, "Most variable genes that are reconstructed; 0: all.", low=0
    )
    average_last: float = _setting(
        0.3, "Share of the last epochs whose latents are averaged.", low=0.0
    )
    ensemble: int = _setting(
        1, "Networks trained, each from a seed of its own; all are heard.", low=1
    )
    checkpoints: int = _setting(
        1,
        "Late states of each network that are heard, the last among them, where its "
        "latents are not averaged.",
        low=1,
    )
    weight_decay: float = _setting(5e-4, "Adam's weight decay.", low=0.0)
    largest_gradient: float = _setting(
        0.0, "Norm that a step's gradient is cut to; 0: none.", low=0.0
    )
    seed: int = _setting(0, "Seed of everything random.", low=0)
    device: str = _setting("auto", "auto, cpu, cuda or cuda:<index>.")
    max_memory: float = _setting(
        0.0,
        "GiB of memory that a run may take: it is done in smaller pieces, or refused "
        "where these do not help; 0: what there is.",
        low=0.0,
    )


@dataclass(frozen=True, slots=True)
class DomainsConfig:
    """From the latent to labels."""

    n_domains: int = _setting(
        0,
        "Number of domains (k); 0: not given; -1: chosen from a curve.",
        low=-1,
        flags=("--domains", "-k"),
        shell_help="Number of domains, or auto: chosen from a curve, runners-up told.",
    )
    readout: str = _setting(
        "consensus",
        "Clustering: consensus of mixtures over several views; or, of the latent "
        "alone, a Gaussian mixture with one covariance for all domains (gmm) or one "
        "for each (gmm-full), k-means, or Leiden communities.",
        ("consensus", "gmm", "gmm-full", "kmeans", "leiden"),
        shell_help="{choices}.",
    )
    n_starts: int = _setting(12, "Random starts of each clustering.", low=1)
    refine: int = _setting(
        REFINE_ROUNDS,
        "Rounds of settling borders by each spot's own expression and the domains of "
        "its neighbours; 0: none.",
        low=0,
        flags=("--refine/--no-refine",),
        shell_help="Settle borders by each spot's own expression and its neighbours' "
        "domains, or leave them; without either: as the recipe has it.",
    )
    majority: int = _setting(
        0,
        "Nearest spots whose commonest domain every spot takes at the end, as some "
        "published methods do; a tenth of the mean domain at most; 0: none.",
        low=0,
    )


STAGES: Mapping[str, type] = MappingProxyType(
    {
        "prepare": PrepareConfig,
        "semantics": SemanticsConfig,
        "morphology": MorphologyConfig,
        "model": ModelConfig,
        "image_guided": ImageGuidedConfig,
        "training": TrainingConfig,
        "domains": DomainsConfig,
    }
)

Overrides = Mapping[str, Mapping[str, Any]]
