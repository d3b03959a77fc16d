"""Image encoders of timm, where that package is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.core.json_text import parse_json
from napari_semst.errors import ConfigError, SemanticsError
from napari_semst.models.hub import ModelKind, locate_model
from napari_semst.morphology.networks import LoadedNetwork, NetworkSource, pool_tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SAFE = ModelKind(
    "an image encoder of timm",
    "vit_small_patch14_dinov2.lvd142m",
    "timm",
    ("model.safetensors", "config.json"),
    ("*.safetensors", "config.json"),
    (),
    "timm's own",
)
# Several histology encoders have nothing else; `_refuse_code` opens it first.
_TORCH = ModelKind(
    _SAFE.called,
    _SAFE.example,
    _SAFE.prefix,
    ("pytorch_model.bin", "config.json"),
    ("pytorch_model.bin", "config.json"),
    (),
    _SAFE.beside_called,
    ("pytorch_model.bin",),
)

# Means and deviations of colours where the page of an encoder gives its own.
_STATED = {
    "bioptimus/h-optimus-0": (
        (0.707223, 0.578729, 0.703617),
        (0.211883, 0.230117, 0.177517),
    ),
}

TIMM_KINDS = (_SAFE, _TORCH)


def hub_name(model: str) -> str:
    """Return the Hugging Face id of a model of timm, or its folder."""
    from pathlib import Path

    named = "/" in model or Path(model).expanduser().is_dir()
    return model if named else f"timm/{model}"


def timm_source(
    model: str, revision: str = "", say: Callable[[str], None] | None = None
) -> NetworkSource:
    """Find an image encoder of timm: a folder, the hub's cache, or a download.

    Parameters
    ----------
    model
        Folder, Hugging Face id, or timm's own name of a model, ``name.tag``.
    revision
        Commit, tag or branch.
    say
        Called with a sentence before a download.

    Raises
    ------
    ConfigError
        If timm is not installed.
    SemanticsError
        If the encoder is not here and cannot be downloaded, or says nothing of how
        images are to be prepared.
    """
    from napari_semst.models.hub import download_model

    check_timm(model)
    hub = hub_name(model)
    kind = _SAFE
    try:
        located = locate_model(hub, revision, say, kind)
        folder = located.folder or download_model(hub, revision, say, kind)
    except SemanticsError as error:
        if "model.safetensors is missing" not in str(error):
            raise
        kind = _TORCH
        located = locate_model(hub, revision, say, kind)
        folder = located.folder or download_model(hub, revision, say, kind)
    side, mean, deviation = _prepared(folder, model)

    def load(device: str) -> LoadedNetwork:
        return _loaded(folder, located.name, device)

    return NetworkSource("timm", located, side, mean, deviation, load)


def check_timm(model: str) -> None:
    """Raise `ConfigError` where timm is not installed."""
    try:
        import timm  # noqa: F401
    except (ImportError, RuntimeError) as error:
        # Torchvision of another build than torch raises a RuntimeError.
        raise ConfigError(
            f"Expected the package timm for the image encoder timm:{model}; it could "
            f'not be imported ({error}). Run pip install "napari-semst[histology]", or '
            "choose builtin or an encoder of transformers (hf:ID)."
        ) from error


def _prepared(
    folder: Path, name: str
) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Return side, mean and deviation of the images that an encoder was trained on."""
    try:
        config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
        config = config.get("pretrained_cfg", config)
        channels, height, width = map(int, config["input_size"])
        mean, deviation = (tuple(map(float, config[one])) for one in ("mean", "std"))
        if channels != 3 or height != width or len(mean) != 3 or min(deviation) <= 0:
            raise ValueError("no square images of three colours")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SemanticsError(
            f"Expected config.json of {name} to hold input_size, mean and std as timm "
            f"writes them; it could not be read so ({error}). Choose another image "
            "encoder."
        ) from error
    return height, *_STATED.get(name.casefold(), (mean, deviation))


def _arguments(name: str) -> dict[str, Any]:
    """Return the arguments for timm that the pages of encoders ask for."""
    import torch
    from timm.layers import SwiGLUPacked

    gated = {"mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU}
    known: dict[str, dict[str, Any]] = {
        "mahmoodlab/uni": {"init_values": 1e-5, "dynamic_img_size": True},
        "mahmoodlab/uni2-h": {
            "img_size": 224,
            "patch_size": 14,
            "depth": 24,
            "num_heads": 24,
            "init_values": 1e-5,
            "embed_dim": 1536,
            "mlp_ratio": 2.66667 * 2,
            "no_embed_class": True,
            "reg_tokens": 8,
            "dynamic_img_size": True,
            **gated,
        },
        "paige-ai/virchow": gated,
        "paige-ai/virchow2": gated,
        "bioptimus/h-optimus-0": {"init_values": 1e-5, "dynamic_img_size": False},
    }
    return known.get(name.casefold(), {})


def _refuse_code(folder: Path) -> None:
    """Raise where a file of PyTorch in a folder holds more than tensors.

    Not every release of timm opens such files so that no code of theirs runs.
    """
    import torch

    if (folder / "model.safetensors").is_file():
        # That one is what timm opens then.
        return
    for ending in ("*.bin", "*.pth", "*.pth.tar"):
        for file in sorted(folder.glob(ending)):
            torch.load(file, map_location="cpu", weights_only=True)


def _loaded(folder: Path, name: str, device: str) -> LoadedNetwork:
    import timm

    from napari_semst.models.load import explained_loading

    advice = "Download it again, or choose another."
    with explained_loading(name, name, "timm", advice):
        _refuse_code(folder)
        model = timm.create_model(
            f"local-dir:{folder}", pretrained=True, num_classes=0, **_arguments(name)
        )
        model = model.eval().to(device)
    first = int(getattr(model, "num_prefix_tokens", 0))
    return LoadedNetwork(
        lambda images: pool_tokens(model(images), first), "timm's pooled features"
    )
