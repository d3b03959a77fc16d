"""What the image-guided graph VAE declares of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.methods.spec import MethodSpec
from napari_semst.training.batching import batch_spots

if TYPE_CHECKING:
    from napari_semst.config import Config

# Seconds on the machine of docs/benchmarks.md: of a spot in a step; of the comparison
# with the image, of a spot that a prediction is learnt from, and of a spot whose image
# is exchanged.
_STEP_SECONDS, _COMPARED_SECONDS = 1.5e-4, 1.5
_LEARNT_SECONDS, _EXCHANGED_SECONDS = 3e-5, 3e-6
# Of a gene of a spot that is predicted, for what is unexplained.
_GENE_SECONDS = 1.5e-6


def _reads_image(config: Config) -> bool:
    return True


def _training_seconds(config: Config, n_spots: int, n_genes: int) -> float:
    settings, batch = config.image_guided, batch_spots(config.training, n_spots)
    # Spots of a sample have hardly any neighbours in common.
    read = min(batch * (settings.k_neighbors + 1), n_spots) if batch else n_spots
    width = (settings.hidden_dim / 256) ** 2
    seconds = config.training.epochs * read * _STEP_SECONDS * width
    if config.morphology.encoder == "none":
        return seconds
    # The image is moved over the slide 19 times, and beside its spots 17 times for
    # each of four partitions into folds.
    learnt = 12 * n_spots + (20 + 4 * 17) * min(n_spots, 20_000)
    seconds += _COMPARED_SECONDS + learnt * _LEARNT_SECONDS
    seconds += n_spots * n_genes * _GENE_SECONDS
    return seconds + settings.permutations * n_spots * _EXCHANGED_SECONDS


SPEC = MethodSpec(
    name="image-guided",
    label="Image-guided graph VAE",
    summary=(
        "The image predicts what expression to expect; domains, and where expression "
        "is not what the image predicts (discordance)."
    ),
    fit="napari_semst.methods.image_guided.fit:fit",
    defaults={
        "prepare": {"n_top_genes": 2000},
        "semantics": {"source": "none"},
        "morphology": {"encoder": "builtin"},
        "training": {
            "epochs": 200,
            "learning_rate": 2e-3,
            "decoded_genes": 0,
            "average_last": 0.0,
            "weight_decay": 0.0,
        },
    },
    reads_image=_reads_image,
    discordance=True,
    networks="one",
    averages_latents=False,
    hears_checkpoints=False,
    training_seconds=_training_seconds,
)
