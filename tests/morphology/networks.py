"""Tiny image encoders on the disk, as hubs hold them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PREPARED = {
    "do_center_crop": True,
    "crop_size": {"height": 28, "width": 28},
    "size": {"shortest_edge": 32},
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.3, 0.4],
}


def save_tiny(folder: Path, kind: str = "dinov2", seed: int = 0, **more: Any) -> Path:
    """Save a random network of one or two layers with what prepares its images."""
    import torch
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    if kind == "convnext":
        config = transformers.ConvNextConfig(hidden_sizes=[8, 8], depths=[1, 1], **more)
        config.num_stages = 2
    else:
        sizes = {
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
            **more,
        }
        config = {
            "dinov2": transformers.Dinov2Config,
            "vit": transformers.ViTConfig,
        }[kind](**sizes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARED))
    return folder
