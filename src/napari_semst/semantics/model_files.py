"""Where a language model's files are, and which state of it they hold."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import SemanticsError

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
# Weights that run no code when they are opened, and what is needed to read text.
_PATTERNS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model")
_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Located:
    """A language model that was found.

    Parameters
    ----------
    name
        Hugging Face id, or the name of the local folder.
    revision
        Commit, or ``sha256:`` of the files of a local folder.
    folder
        Where the files are; `None` where only the commit is known yet.
    """

    name: str
    revision: str
    folder: Path | None

    @property
    def identity(self) -> str:
        """What tells this state of the model from all others."""
        local = self.revision.startswith("sha256:")
        return self.revision if local else f"{self.name}@{self.revision}"


def locate(model: str, revision: str = "", say: Say | None = None) -> Located:
    """Find a model: a local folder, else the Hugging Face cache, else a download.

    Parameters
    ----------
    model
        Folder, or Hugging Face id (``owner/name``).
    revision
        Commit, tag or branch; empty: what the cache holds, else ``main``.
    say
        Called with a sentence before a download.

    Raises
    ------
    SemanticsError
        If the model is not here and cannot be downloaded.
    """
    folder = Path(os.path.expanduser(model))
    if folder.is_dir():
        return Located(folder.resolve().name, _fingerprint(folder, model), folder)
    if not _HUB_NAME.fullmatch(model):
        raise SemanticsError(
            f"Expected a folder that holds a language model, or a Hugging Face id as "
            f"Qwen/Qwen3-4B-Thinking-2507; got {model!r}, which is neither. Check the "
            "path."
        )
    found = _snapshot(model, revision, local=True)
    if not isinstance(found, Path):
        if _COMMIT.fullmatch(revision):
            # Its embeddings may be in the cache: then the model is not needed.
            return Located(model, revision, None)
        found = download(model, revision, say)
    return Located(model, found.name, found)


def download(model: str, revision: str = "", say: Say | None = None) -> Path:
    """Download a model from Hugging Face and return its folder.

    Parameters
    ----------
    model, revision, say
        As in `locate`.

    Raises
    ------
    SemanticsError
        If it cannot be downloaded.
    """
    if say is not None:
        say(f"Downloading {model} from huggingface.co; a model is several gigabytes")
    found = _snapshot(model, revision, local=False)
    if isinstance(found, Path):
        return found
    pinned = f" --revision {revision}" if revision else ""
    raise SemanticsError(
        f"Expected the language model {model!r} on this machine or a way to download "
        f"it; found neither ({found}). Where there is a network, run `hf download "
        f"{model}{pinned}`; or copy its folder here and name it: prompts:/path/to/it. "
        "A model behind a licence needs your token in the environment, HF_TOKEN."
    )


def check_weights(folder: Path, model: str) -> None:
    """Refuse a folder that lacks safetensors weights.

    Parameters
    ----------
    folder
        Where the files are.
    model
        What the user called it.

    Raises
    ------
    SemanticsError
        If there is no configuration, or a file of weights is missing.
    """
    missing = _lacking(folder)
    if missing:
        raise SemanticsError(
            f"Expected {model!r} to hold a language model (config.json, a tokenizer, "
            f"weights as .safetensors); {missing} is missing. Weights in other formats "
            "are refused because opening them can run code: download the model again, "
            "or choose another."
        )


def _snapshot(model: str, revision: str, *, local: bool) -> Path | str:
    """Return the folder of a model in the Hugging Face cache, or why there is none."""
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            model,
            revision=revision or None,
            allow_patterns=_PATTERNS,
            ignore_patterns=["*/*"],
            local_files_only=local,
            # The environment's token or none: never one that lies in a file.
            token=os.environ.get("HF_TOKEN") or False,
        )
    # Networks, proxies and servers fail in ways that no list of types holds.
    except Exception as error:  # noqa: BLE001 - told to the user by the caller
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return lines[0][:200].rstrip(".")
    folder = Path(found)
    missing = _lacking(folder)
    return f"{missing} is missing" if missing else folder


def _lacking(folder: Path) -> str:
    """Return the name of a file that a model needs and the folder lacks, if any."""
    if not (folder / "config.json").is_file():
        return "config.json"
    # Without it transformers makes up a tokenizer that knows no words.
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        return _TOKENIZERS[0]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            parts = set(
                json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            )
        except (OSError, ValueError, KeyError, AttributeError):
            return f"a readable {index.name}"
        absent = sorted(part for part in parts if not (folder / part).is_file())
        return absent[0] if absent else ""
    return "" if any(folder.glob("*.safetensors")) else "model.safetensors"


def _fingerprint(folder: Path, model: str) -> str:
    """Return a hash of all that a folder's model and tokenizer are made of."""
    check_weights(folder, model)
    digest = hashlib.sha256()
    files = {file for pattern in _PATTERNS for file in folder.glob(pattern)}
    for file in sorted(files):
        digest.update(f"{file.name}\n{file.stat().st_size}\n".encode())
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    return f"sha256:{digest.hexdigest()[:32]}"
