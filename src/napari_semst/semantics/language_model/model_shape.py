"""What a language model's files say of its size and its way of reading."""

from __future__ import annotations

import json
import struct
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

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


def multiplied_weights(folder: Path) -> float | None:
    """Return how many weights of a model each token is multiplied with.

    Tables of embeddings are left out. Of a mixture of experts all are counted, which
    is too many.

    Parameters
    ----------
    folder
        Holds the model as ``.safetensors``; only their headers are read.

    Returns
    -------
    float or None
        `None` where no header can be read.
    """
    count = 0
    for file in folder.glob("*.safetensors"):
        try:
            with file.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                header = json.loads(stream.read(min(length, _MOST_HEADER)))
            count += sum(
                prod(entry["shape"])
                for name, entry in header.items()
                if name != "__metadata__" and not any(k in name for k in _LOOKED_UP)
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
            return None
    return float(count) or None


def keeps_beginning(folder: Path) -> bool:
    """Return whether what all texts begin with is run once, as far as files tell.

    Parameters
    ----------
    folder
        Holds the model's ``config.json``.
    """
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


def tokens_of_names(folder: Path | None) -> float:
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
    """Return what a file holds; nothing where it cannot be read: loading tells why."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
