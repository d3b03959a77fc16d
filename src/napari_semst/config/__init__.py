"""The settings of a run: what a user asks for, and what that comes to.

A `Request` is a preset's name and the few settings that the user changed; a `Config`
is complete, every value known. `napari_semst.methods.resolve.resolve` turns the first
into the second.
"""

from __future__ import annotations

from napari_semst.config.request import (
    Config,
    Request,
    check_overrides,
    number_of_domains,
)
from napari_semst.config.semantics_settings import SemanticsConfig
from napari_semst.config.settings import (
    AUTO_DOMAINS,
    REFINE_ROUNDS,
    STAGES,
    DomainsConfig,
    ImageGuidedConfig,
    ModelConfig,
    MorphologyConfig,
    Overrides,
    PrepareConfig,
    TrainingConfig,
)

__all__ = [
    "AUTO_DOMAINS",
    "REFINE_ROUNDS",
    "STAGES",
    "Config",
    "DomainsConfig",
    "ImageGuidedConfig",
    "ModelConfig",
    "MorphologyConfig",
    "Overrides",
    "PrepareConfig",
    "Request",
    "SemanticsConfig",
    "TrainingConfig",
    "check_overrides",
    "number_of_domains",
]
