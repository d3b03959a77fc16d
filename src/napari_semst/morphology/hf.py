"""Image encoders of Hugging Face's transformers: safetensors, and no code of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.core.json_text import parse_json
from napari_semst.errors import SemanticsError
from napari_semst.models.hub import ModelKind, locate_model
from napari_semst.morphology.networks import LoadedNetwork, NetworkSource, pool_tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

_PREPARED = "preprocessor_config.json"
IMAGE_ENCODER = ModelKind(
    "an image encoder",
    "facebook/dinov2-base",
    "hf",
    ("*.safetensors", "*.json"),
    ("*.safetensors", "*.safetensors.index.json", "config.json", _PREPARED),
    (_PREPARED,),
    _PREPARED,
)
_CLASS_TOKENS = ("cls_token", "class_embedding")


def hf_source(
    model: str, revision: str = "", say: Callable[[str], None] | None = None
) -> NetworkSource:
    """Find an image encoder: a folder, the cache of Hugging Face, or a download.

    Parameters
    ----------
    model
        Folder, or Hugging Face id.
    revision
        Commit, tag or branch.
    say
        Called with a sentence before a download.

    Raises
    ------
    SemanticsError
        If it is not here and cannot be downloaded, or does not say how images are to
        be prepared.
    """
    from napari_semst.models.hub import download_model

    located = locate_model(model, revision, say, IMAGE_ENCODER)
    folder = located.folder or download_model(model, revision, say, IMAGE_ENCODER)
    side, mean, deviation = _prepared(folder, model)

    def load(device: str) -> LoadedNetwork:
        return _loaded(folder, located.name, device)

    return NetworkSource("hf", located, side, mean, deviation, load)


def _prepared(
    folder: Path, name: str
) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Return side, mean and deviation of the images that an encoder was trained on."""
    try:
        config = parse_json((folder / _PREPARED).read_text(encoding="utf-8"))
        cropped = config.get("do_center_crop", False) and config.get("crop_size")
        size = cropped or config["size"]
        if isinstance(size, dict):
            size = size.get("height", size.get("shortest_edge"))
        mean = tuple(map(float, config["image_mean"]))
        deviation = tuple(map(float, config["image_std"]))
        side = int(size)
        if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0 or side < 8:
            raise ValueError("no three colours, or a side under 8")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SemanticsError(
            f"Expected {_PREPARED} of {name} to hold size, image_mean and image_std; "
            f"it could not be read so ({error}). Choose another image encoder."
        ) from error
    return side, mean, deviation


def _loaded(folder: Path, name: str, device: str) -> LoadedNetwork:
    from napari_semst.models.load import load_language_model

    model = load_language_model(folder, name, device, "float32", IMAGE_ENCODER)
    if hasattr(model, "get_image_features"):
        return LoadedNetwork(
            lambda images: _image_features(model, images),
            "its image features, as they are compared with texts",
        )
    embeddings = getattr(model, "embeddings", None)
    if any(getattr(embeddings, one, None) is not None for one in _CLASS_TOKENS):
        return LoadedNetwork(
            lambda images: model(pixel_values=images).last_hidden_state[:, 0],
            "the class token of the last layer",
        )
    return LoadedNetwork(
        lambda images: _mean_state(model, images), "the mean of the last layer"
    )


def _image_features(model: Any, images: torch.Tensor) -> torch.Tensor:
    output: Any = model.get_image_features(pixel_values=images)
    vectors: torch.Tensor = getattr(output, "pooler_output", output)
    return vectors


def _mean_state(model: Any, images: torch.Tensor) -> torch.Tensor:
    return pool_tokens(model(pixel_values=images).last_hidden_state, 0)
