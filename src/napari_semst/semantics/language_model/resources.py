"""Forecast of what a language model will have to read, and of the time it takes.

Figures are coarse: two operations for each weight and token, at an assumed share of
what the device reaches at most.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from napari_semst.core.json_text import parse_json
from napari_semst.core.progress import duration_in_words
from napari_semst.models.hub import (
    DEFAULT_MODEL,
    DownloadNeed,
    local_folder,
    needs_download,
)
from napari_semst.semantics.language_model.gene_texts import read_summaries
from napari_semst.semantics.language_model.prompts import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

    from napari_semst.config import SemanticsConfig

# Tokens: of the end of a prompt, of a gene's text alone, of what is known of it, and
# with a summary. Lengths are filled up to the next eight.
_END_TOKENS, _FILLED_TOKENS = 15, 4
_GENE_TOKENS, _KNOWLEDGE_TOKENS, _SUMMARY_TOKENS = 8, 80, 150
# Of a word or mark of the words around the genes; those of one encoder were counted.
_WORD_TOKENS = 1.15
# Weights that are not looked up but multiplied, as the model's page has them.
_KNOWN_WEIGHTS = {DEFAULT_MODEL: 3.6e9}
# What makers state for dense bfloat16, in operations per second; the first name that
# stands in a GPU's own.
PEAK_OPERATIONS = (
    ("H200", 989e12),
    ("H100 PCIe", 756e12),
    ("H100", 989e12),
    ("A100", 312e12),
    ("L40S", 362e12),
    ("RTX 4090", 165e12),
    ("RTX 3090", 71e12),
    ("A6000", 155e12),
    ("A40", 150e12),
    ("A10", 125e12),
    ("L4", 121e12),
)
# Careful: no GPU was measured, and on a CPU one small encoder.
_GPU_SHARE = 0.2
_UNKNOWN_GPU = 10e12
_CPU_THREAD = 15e9
_LOOKED_UP = ("embed", "lm_head", "wte", "wpe")
_MOST_HEADER = 1 << 27
# They read texts as a whole, and keep nothing of how these begin.
_ENCODERS = frozenset(
    (
        *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert"),
        *("electra", "ernie", "esm", "eurobert", "longformer", "modernbert", "mpnet"),
        *("new", "nomic_bert", "roberta", "roformer", "t5", "xlm-roberta"),
        "xlm-roberta-xl",
    )
)
# Tokens of a gene's name with its comma, by the kind of tokenizer. Word pieces were
# counted (4.7 and 5.0 on a mouse and a human section), the others are a guess.
_NAME_TOKENS = {"BPE": 4.5}
_MOST_NAME_TOKENS = 5.0


@dataclass(frozen=True, slots=True)
class ModelForecast:
    """What a language model will have to do.

    Parameters
    ----------
    model
        Hugging Face id or folder.
    n_texts
        How many texts it reads at most; those in the cache are not read again.
    n_tokens
        About how many tokens are run; those that all texts share are not where the
        model keeps what it made of them.
    unit
        What there is one text for.
    device
        Where it computes, in words.
    rate
        Operations per second that are assumed of the device.
    seconds
        About how long it takes; `None` where the model's size is not known.
    download
        What must be downloaded first, if anything.
    here
        Whether the model is on this machine.
    """

    model: str
    n_texts: int
    n_tokens: int
    unit: str
    device: str
    rate: float
    seconds: float | None
    download: DownloadNeed | None
    here: bool

    @property
    def sentences(self) -> tuple[str, ...]:
        """The forecast for users."""
        here = f"{self.model} is {'' if self.here else 'not '}on this machine."
        if self.download is not None:
            here = f"To be downloaded from huggingface.co first: {self.download}."
        return (
            f"At most {self.n_texts:,} texts are read, one for each {self.unit}, with "
            f"about {self.n_tokens:,} tokens.",
            here,
            self._time(),
        )

    def _time(self) -> str:
        if self.seconds is None:
            return f"How long it takes on {self.device} is unknown until it is here."
        return (
            f"About {duration_in_words(self.seconds)} on {self.device}, if it does "
            f"{self.rate / 1e12:.2g} trillion operations a second."
        )


def forecast_language_model(
    settings: SemanticsConfig, n_spots: int, n_genes: int, device: str = "cpu"
) -> ModelForecast | None:
    """Return what a language model will read of a section, if any; asks no network.

    Parameters
    ----------
    settings
        Source, model, revision, n_genes and summaries are read.
    n_spots, n_genes
        Of the section: spots, and genes that may be listed.

    Raises
    ------
    SemanticsError
        If there is to be a file of summaries, and it cannot be read.
    """
    if settings.source not in ("prompts", "genes"):
        return None
    # No more genes can be listed than lists have places.
    listed = min(n_genes, n_spots * settings.n_genes)
    if settings.source == "prompts":
        return forecast_texts(settings, n_spots, device)
    n_summaries = len(read_summaries(settings.summaries))
    return forecast_texts(settings, listed, device, min(n_summaries, listed))


def forecast_texts(
    settings: SemanticsConfig, n_texts: int, device: str = "cpu", n_summarised: int = 0
) -> ModelForecast:
    """Return what reading so many texts will take; asks no network."""
    model = settings.model or DEFAULT_MODEL
    folder = local_folder(model, settings.revision)
    n_weights = multiplied_weights(folder) if folder else _KNOWN_WEIGHTS.get(model)
    where, rate = _speed(device)
    if settings.source == "prompts":
        unit = "distinct list of genes"
        n_tokens = n_texts * _prompt_tokens(settings, folder)
    else:
        unit = "listed gene"
        known = settings.gene_text == "knowledge"
        each = _KNOWLEDGE_TOKENS if known else _GENE_TOKENS
        n_tokens = n_summarised * _SUMMARY_TOKENS + (n_texts - n_summarised) * each
    seconds = 2 * n_weights * n_tokens / rate if n_weights else None
    need = None if folder else needs_download(settings)
    return ModelForecast(
        model,
        n_texts,
        int(n_tokens),
        unit,
        where,
        rate,
        seconds,
        need,
        folder is not None,
    )


def _prompt_tokens(settings: SemanticsConfig, folder: Path | None) -> float:
    """Return about how many tokens are run of each prompt."""
    names = settings.n_genes * tokens_per_gene(folder)
    own = names + _END_TOKENS + _FILLED_TOKENS
    if folder is None:
        # What is not here is not known to keep anything, but the paper's model.
        kept = (settings.model or DEFAULT_MODEL) == DEFAULT_MODEL
    else:
        kept = shares_prefix(folder)
    if kept:
        return own
    words = TEMPLATES[settings.template]
    before = f"{words.system} {words.user}"
    return own + _WORD_TOKENS * len(re.findall(r"\w+|[^\w\s]", before))


def peak_operations(gpu: str) -> float | None:
    """Return the operations per second that the maker of a GPU states, if known."""
    rates = (rate for name, rate in PEAK_OPERATIONS if re.search(rf"\b{name}\b", gpu))
    return next(rates, None)


def _speed(device: str) -> tuple[str, float]:
    """Return a device in words, and what is assumed of it."""
    import torch

    if not device.startswith("cuda"):
        threads = torch.get_num_threads()
        return f"the CPU ({threads} threads)", threads * _CPU_THREAD
    name = torch.cuda.get_device_name(torch.device(device))
    known = peak_operations(name)
    return name, _UNKNOWN_GPU if known is None else known * _GPU_SHARE


def multiplied_weights(folder: Path) -> float | None:
    """Return how many weights of a model multiply each token, `None` if unknown.

    Tables of embeddings are left out. Of a mixture of experts all are counted, which
    is too many.

    Parameters
    ----------
    folder
        Holds the model as ``.safetensors``; only their headers are read.
    """
    count = 0
    for file in folder.glob("*.safetensors"):
        try:
            with file.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                header = parse_json(stream.read(min(length, _MOST_HEADER)))
            count += sum(
                prod(entry["shape"])
                for name, entry in header.items()
                if name != "__metadata__" and not any(k in name for k in _LOOKED_UP)
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
            return None
    return float(count) or None


def shares_prefix(folder: Path) -> bool:
    """Return whether what all texts begin with is run once, as far as files show."""
    config = _json(folder / "config.json")
    kinds = config.get("layer_types") or ()
    windows = config.get("sliding_window") and config.get("use_sliding_window", True)
    return bool(
        config.get("model_type")
        and config["model_type"] not in _ENCODERS
        and not config.get("is_encoder_decoder")
        and all(kind == "full_attention" for kind in kinds)
        and (kinds or not windows)
    )


def tokens_per_gene(folder: Path | None) -> float:
    """Return about how many tokens a gene's name has with its comma.

    Parameters
    ----------
    folder
        Holds the tokenizer; `None` where it is not here.
    """
    if folder is None:
        return _MOST_NAME_TOKENS
    model = _json(folder / "tokenizer.json").get("model")
    kind = str(model.get("type")) if isinstance(model, dict) else ""
    return _NAME_TOKENS.get(kind, _MOST_NAME_TOKENS)


def _json(file: Path) -> dict[str, Any]:
    """Return what a file holds; nothing where it cannot be read; loading fails then."""
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
