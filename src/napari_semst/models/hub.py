"""Where a model's files are, and which state of it they hold."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.core.json_text import parse_json
from napari_semst.errors import SemanticsError
from napari_semst.models.folder_hash import hash_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_semst.config import SemanticsConfig

    Say = Callable[[str], None]

# The paper's.
DEFAULT_MODEL = "Qwen/Qwen3-4B-Thinking-2507"
# Bytes that are downloaded, where no network is to be asked.
_KNOWN_BYTES = {
    DEFAULT_MODEL: 8.1e9,
    "Qwen/Qwen3-Embedding-0.6B": 1.2e9,
    "sentence-transformers/all-MiniLM-L6-v2": 0.09e9,
}
_HUB_SECONDS = 10.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class ModelKind:
    """What models of one kind are made of.

    Parameters
    ----------
    called, example
        What people call such a model, with its article, and one at the hub.
    prefix
        Of the option that names one.
    downloaded
        Files that are downloaded: weights that run no code when they are opened, and
        what is needed to use them.
    read
        Of these, what the model is made of, and nothing beside it.
    beside, beside_called
        Files of which one must stand beside configuration and weights, and what
        people call them.
    weights
        What files of weights are called.
    """

    called: str
    example: str
    prefix: str
    downloaded: tuple[str, ...]
    read: tuple[str, ...]
    beside: tuple[str, ...]
    beside_called: str
    weights: tuple[str, ...] = ("model.safetensors", "*.safetensors")


LANGUAGE_MODEL = ModelKind(
    "a language model",
    "Qwen/Qwen3-4B-Thinking-2507",
    "prompts",
    ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"),
    (
        "*.safetensors",
        "*.safetensors.index.json",
        "config.json",
        "adapter_config.json",
        "*token*.json",
        "*vocab*.json",
        "*vocab*.txt",
        "merges.txt",
        "dict.txt",
        "tekken.json",
        "*.model",
    ),
    # Without it transformers makes up a tokenizer that knows no words.
    ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model"),
    "a tokenizer",
)


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A model that was found.

    Parameters
    ----------
    name
        Hugging Face id, or the last two parts of a local folder's path.
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
        """What distinguishes this state of the model from all others."""
        local = self.revision.startswith("sha256:")
        return self.revision if local else f"{self.name}@{self.revision}"

    @property
    def path(self) -> str:
        """The absolute path of the local folder; empty for a model of the hub."""
        local = self.revision.startswith("sha256:") and self.folder is not None
        return str(self.folder.resolve()) if local and self.folder else ""


@dataclass(frozen=True, slots=True)
class DownloadNeed:
    """What must be downloaded before a model can read.

    Parameters
    ----------
    name
        Hugging Face id.
    n_bytes
        Size of its files, `None` where not known.
    """

    name: str
    n_bytes: float | None

    def __str__(self) -> str:
        """Return size and name, as people say it."""
        if self.n_bytes is None:
            return f"{self.name} (size unknown)"
        return f"{self.name} ({size_in_words(self.n_bytes)})"


def size_in_words(n_bytes: float) -> str:
    """Return a size as people say it."""
    if n_bytes >= 1e9:
        return f"about {n_bytes / 1e9:.1f} GB"
    return f"about {max(n_bytes / 1e6, 1):.0f} MB"


def needs_download(settings: SemanticsConfig) -> DownloadNeed | None:
    """Return what a run with these settings would download; asks no network.

    Parameters
    ----------
    settings
        Source, model and revision are read.

    Returns
    -------
    DownloadNeed or None
        `None` where the model is here, or no language model of the hub is asked.
        Vectors of a pinned commit that are all in the cache need no model: the answer
        is then too cautious.
    """
    if settings.source not in ("prompts", "genes"):
        return None
    model = settings.model or DEFAULT_MODEL
    if local_folder(model, settings.revision) or not _HUB_NAME.fullmatch(model):
        return None
    return DownloadNeed(model, _KNOWN_BYTES.get(model))


def local_folder(
    model: str, revision: str = "", kind: ModelKind = LANGUAGE_MODEL
) -> Path | None:
    """Return the folder of a model on this machine, if it is here; asks no network."""
    folder = Path(os.path.expanduser(model))
    if folder.is_dir():
        return folder
    if not _HUB_NAME.fullmatch(model):
        return None
    snapshot = _snapshot(model, revision, kind, local=True)
    return snapshot if isinstance(snapshot, Path) else None


def locate_model(
    model: str,
    revision: str = "",
    say: Say | None = None,
    kind: ModelKind = LANGUAGE_MODEL,
) -> LocatedModel:
    """Find a model: a local folder, else the Hugging Face cache, else a download.

    Parameters
    ----------
    model
        Folder, or Hugging Face id (``owner/name``).
    revision
        Commit, tag or branch; empty: what the cache holds, else ``main``.
    say
        Called with a sentence before a download.
    kind
        What such a model is made of.

    Raises
    ------
    SemanticsError
        If the model is not here and cannot be downloaded.
    """
    folder = Path(os.path.expanduser(model))
    if folder.is_dir():
        check_weights(folder, model, kind)
        return LocatedModel(
            _called(folder.resolve()), hash_folder(folder, kind.read), folder
        )
    if not _HUB_NAME.fullmatch(model):
        raise SemanticsError(
            f"Expected a folder that holds {kind.called}, or a Hugging Face id as "
            f"{kind.example}; got {model!r}, which is neither. Check the path."
        )
    found = _snapshot(model, revision, kind, local=True)
    if not isinstance(found, Path):
        if _COMMIT.fullmatch(revision):
            # Its embeddings may be in the cache: then the model is not needed.
            return LocatedModel(model, revision, None)
        found = download_model(model, revision, say, kind)
    return LocatedModel(model, found.name, found)


def _called(folder: Path) -> str:
    """Return what people would call the model of a local folder."""
    # What config.json tells of itself is no name: of a model that was trained further
    # it is that of the one it began as.
    cached = [part for part in folder.parts if part.startswith("models--")]
    if cached:
        return cached[-1].removeprefix("models--").replace("--", "/")
    return "/".join(folder.parts[1:][-2:])


def download_model(
    model: str,
    revision: str = "",
    say: Say | None = None,
    kind: ModelKind = LANGUAGE_MODEL,
) -> Path:
    """Return the folder of a model, downloaded here, or raise `SemanticsError`."""
    if say is not None:
        size = _bytes_at_hub(model, revision, kind) or _KNOWN_BYTES.get(model)
        say(f"Downloading {DownloadNeed(model, size)} from huggingface.co")
    found = _snapshot(model, revision, kind, local=False)
    if isinstance(found, Path):
        return found
    pinned = f" --revision {revision}" if revision else ""
    raise SemanticsError(
        f"Expected {kind.called}, {model!r}, on this machine or a way to download "
        f"it; found neither ({found}). Where there is a network, run `hf download "
        f"{model}{pinned}`; or copy its folder here and name it: {kind.prefix}:/path. "
        "A model behind a licence needs your token in the environment, HF_TOKEN."
    )


def check_weights(folder: Path, model: str, kind: ModelKind = LANGUAGE_MODEL) -> None:
    """Raise `SemanticsError` for a folder that lacks configuration or safe weights."""
    missing = _lacking(folder, kind)
    if missing:
        raise SemanticsError(
            f"Expected {model!r} to hold {kind.called} (config.json, "
            f"{kind.beside_called}, weights as .safetensors); {missing} is missing. "
            "Weights in other formats "
            "are refused because opening them can run code: download the model again, "
            "or choose another."
        )


def _snapshot(model: str, revision: str, kind: ModelKind, *, local: bool) -> Path | str:
    """Return the folder of a model in the Hugging Face cache, or why there is none."""
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            model,
            revision=revision or None,
            allow_patterns=list(kind.downloaded),
            ignore_patterns=["*/*"],
            local_files_only=local,
            # The environment's token or none: never one that lies in a file.
            token=os.environ.get("HF_TOKEN") or False,
        )
    # Networks, proxies and servers fail in ways that no list of types holds.
    except Exception as error:  # noqa: BLE001 - reported by the caller
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return lines[0][:200].rstrip(".")
    folder = Path(found)
    missing = _lacking(folder, kind)
    return f"{missing} is missing" if missing else folder


def _bytes_at_hub(model: str, revision: str, kind: ModelKind) -> float | None:
    """Return how much is to be downloaded, `None` where the hub does not say."""
    from fnmatch import fnmatch

    from huggingface_hub import HfApi

    try:
        about = HfApi().model_info(
            model,
            revision=revision or None,
            files_metadata=True,
            timeout=_HUB_SECONDS,
            token=os.environ.get("HF_TOKEN") or False,
        )
    # The download itself reports what is wrong.
    except Exception:  # noqa: BLE001
        return None
    sizes = [
        file.size or 0
        for file in about.siblings or ()
        if "/" not in file.rfilename
        and any(fnmatch(file.rfilename, pattern) for pattern in kind.downloaded)
    ]
    return float(sum(sizes)) or None


def _lacking(folder: Path, kind: ModelKind) -> str:
    """Return the name of a file that a model needs and the folder lacks, if any."""
    if not (folder / "config.json").is_file():
        return "config.json"
    if kind.beside and not any((folder / name).is_file() for name in kind.beside):
        return kind.beside[0]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            parts = set(
                parse_json(index.read_text(encoding="utf-8"))["weight_map"].values()
            )
        except (OSError, ValueError, KeyError, AttributeError):
            return f"a readable {index.name}"
        absent = sorted(part for part in parts if not (folder / part).is_file())
        return absent[0] if absent else ""
    there = any(any(folder.glob(pattern)) for pattern in kind.weights)
    return "" if there else kind.weights[0]
