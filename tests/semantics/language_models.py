"""A tiny language model on the disk, and lists of genes for it to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.config import SemanticsConfig
from napari_semst.semantics import GeneLists
from napari_semst.semantics.language_model.prompts import PAPER_TEMPLATE
from napari_semst.semantics.language_model.sources import GeneTexts, SpotPrompts

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = "MBP PLP1 GFAP SNAP25 SYT1 MOBP OLIG1 CD74 HBB ACTB CNP AQP4 NEFL PCP4 VIM"
SYMBOLS = tuple(_NAMES.split(" "))


def save_tiny_qwen(folder: Path, *, seed: int = 0, lengths: int = 2048) -> Path:
    """Save a random Qwen3 of 2 layers with a byte-level BPE, as hubs hold models."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model
    from transformers.utils import logging

    logging.disable_progress_bar()
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    text = f"{PAPER_TEMPLATE.system} {PAPER_TEMPLATE.user} "
    words.train_from_iterator([text * 3, ", ".join(SYMBOLS)], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<|endoftext|>", eos_token="<|im_end|>"
    )
    tokenizer.save_pretrained(folder)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=lengths,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        Qwen3Model(config).save_pretrained(folder)
    return folder


def some_lists(n_spots: int = 40, n_listed: int = 5, seed: int = 0) -> GeneLists:
    """Return lists of 2 to `n_listed` genes; some spots have equal ones."""
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(len(SYMBOLS)), (n_spots, 1)), axis=1)
    indices = order[:, :n_listed].astype(np.int32)
    lengths = rng.integers(2, n_listed + 1, n_spots)
    indices[np.arange(n_listed) >= lengths[:, None]] = -1
    indices[n_spots // 2 :: 4] = indices[0]
    return GeneLists(np.array(SYMBOLS), indices)


def prompts(model: Path, say: Any = None, **settings: Any) -> SpotPrompts:
    """Return the source that reads prompts with that model."""
    wanted = SemanticsConfig(source="prompts", model=str(model), **settings)
    return SpotPrompts(wanted, say=say)


def genes(model: Path, say: Any = None, **settings: Any) -> GeneTexts:
    """Return the source that reads genes with that model."""
    wanted = SemanticsConfig(source="genes", model=str(model), **settings)
    return GeneTexts(wanted, say=say)


def shards(cache: Path) -> dict[str, bytes]:
    """Return the files of vectors that a cache holds."""
    return {file.name: file.read_bytes() for file in cache.rglob("shard-*")}
