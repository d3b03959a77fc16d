"""Loading a language model's tokenizer and base model, and nothing that runs code."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_semst.errors import DeviceError, SemanticsError, SemstError
from napari_semst.models.hub import LANGUAGE_MODEL, check_weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_semst.models.hub import ModelKind

# Only models trained on sentence pairs have it, and mean and last token do not read it.
_NOT_READ = "pooler"
_ADVICE = (
    "Code that comes with a model is never run; download the model again, or choose "
    "another."
)


def load_tokenizer(folder: Path, name: str) -> Any:
    """Return the tokenizer of a folder, or raise `SemanticsError`."""
    from transformers import AutoTokenizer

    with explained_loading(name, f"the tokenizer of {name}", "transformers", _ADVICE):
        return AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )


def load_language_model(
    folder: Path, name: str, device: str, dtype: str, kind: ModelKind = LANGUAGE_MODEL
) -> Any:
    """Return the base model of a folder, without a head, ready to read.

    Raises
    ------
    SemanticsError
        If it cannot be loaded, or the file lacks weights.
    DeviceError
        If it does not fit into memory.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    check_weights(folder, name, kind)
    said = f"the model of {name}"
    with explained_loading(name, said, "transformers", _ADVICE), _quiet():
        config = AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        if getattr(config, "is_encoder_decoder", False):
            raise SemanticsError(
                f"Expected a model that is an encoder or a decoder; {name} is both. "
                "Choose another model."
            )
        model, found = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        _refuse_gaps(found, name)
        # Nothing is written on, so nothing but what is shared need be kept.
        model.config.use_cache = False
        return model.eval().to(device)


def _refuse_gaps(report: dict[str, Any], name: str) -> None:
    """Refuse a model of which the file lacks weights: they would be random."""
    lacking = sorted(
        key
        for part in ("missing_keys", "mismatched_keys")
        for key in map(str, report.get(part, ()))
        if _NOT_READ not in key
    )
    if lacking:
        raise SemanticsError(
            f"Expected all weights of {name} in its files; {len(lacking)} are not, for "
            f"instance {lacking[0]}. Download the model again."
        )


@contextmanager
def explained_loading(
    name: str, said: str, package: str, advice: str
) -> Iterator[None]:
    """Turn what loading may raise into an error for users."""
    import torch

    try:
        yield
    except SemstError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise DeviceError(
            f"Expected {name} to fit into memory; it does not. Close other programs, "
            "choose a smaller model, or device 'cpu'."
        ) from error
    # Damaged files fail in the reader of each format.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SemanticsError(
            f"Expected {said} to load with {package}; it did not: "
            f"{lines[0][:300].rstrip('.')}. {advice}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing a progress bar of its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
