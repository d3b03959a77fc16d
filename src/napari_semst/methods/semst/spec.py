"""What SemST declares of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.methods.spec import MethodSpec
from napari_semst.training.batching import batch_spots

if TYPE_CHECKING:
    from napari_semst.config import Config

# Seconds on the machine of docs/benchmarks.md.
_SAMPLED_STEP_SECONDS = 0.11
_WHOLE_STEP_SECONDS = 0.022
_STEP_SPOT_SECONDS = 8.8e-6  # each spot of a step that reads them all, at width 64
_DECODED_SECONDS = 1.8e-10  # each value that a step reconstructs, times the width


def _reads_image(config: Config) -> bool:
    return config.model.morphology != "none"


def _uses_all_cores(config: Config) -> bool:
    """Reconstructing every spot in every step is worth all cores."""
    return not config.training.decoded_spots


def _counts_by_rows(config: Config) -> bool:
    """Return whether no step reads the scaled counts of all spots."""
    return config.model.start == "components"


def _not_transferable(config: Config) -> str:
    if config.model.start != "components":
        return f"the published recipe {config.preset!r}"
    return ""


def _training_seconds(config: Config, n_spots: int, n_genes: int) -> float:
    training = config.training
    steps = training.epochs * training.ensemble
    if batch_spots(training, n_spots):
        return steps * _SAMPLED_STEP_SECONDS
    hidden = config.model.hidden
    decoded = min(training.decoded_spots or n_spots, n_spots)
    decoded *= min(training.decoded_genes or n_genes, n_genes)
    step = _WHOLE_STEP_SECONDS + n_spots * _STEP_SPOT_SECONDS * hidden / 64
    step += decoded * hidden * _DECODED_SECONDS
    return steps * step


SPEC = MethodSpec(
    name="semst",
    label="SemST: expression and meaning",
    summary="A network of expression, moved by what the genes mean.",
    fit="napari_semst.methods.semst.fit:fit",
    transfer="napari_semst.methods.semst.transfer:transfer",
    semantics=True,
    morphology=True,
    reads_image=_reads_image,
    networks="ensemble",
    published_weights=True,
    uses_all_cores=_uses_all_cores,
    counts_by_rows=_counts_by_rows,
    not_transferable=_not_transferable,
    # Two of components, and what the network learnt.
    n_views=3,
    parameters=frozenset({"sizes", "latent.mean", "latent.axes"}),
    training_seconds=_training_seconds,
)
