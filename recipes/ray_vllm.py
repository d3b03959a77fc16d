"""Vectors of written prompts, by vLLM on the GPUs of a Ray cluster.

Reads the folder that `semst prompts write` wrote, and puts vectors below its `vectors`
for `semst prompts join`. One file of texts after the other; files that are done are
skipped, so that a job that was cut off is simply started again.

    pip install "ray[data,llm]" vllm
    python ray_vllm.py FOLDER --model Qwen/Qwen3-4B-Thinking-2507 --replicas 8

The folder must be seen by all nodes.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DONE = "_done"


def main() -> None:
    """Read the command line and do what is left to do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="Qwen/Qwen3-4B-Thinking-2507")
    parser.add_argument("--revision", default=None, help="commit of the model")
    parser.add_argument("--replicas", type=int, default=1, help="engines, a GPU each")
    parser.add_argument("--batch", type=int, default=256, help="texts handed over")
    parser.add_argument("--longest", type=int, default=1024, help="tokens of a text")
    given = parser.parse_args()
    work(given.folder, lambda texts, target: by_ray(texts, target, given))
    write_made_by(given.folder, versions(given))


def work(folder: Path, embed: Callable[[Path, Path], None]) -> int:
    """Embed each file of texts that is not done; return how many there were.

    Parameters
    ----------
    folder
        As `semst prompts write` wrote it.
    embed
        Reads a file with the columns key and text, and writes Parquet files with the
        columns key and embedding into a folder.
    """
    n_done = 0
    for texts in sorted(folder.glob("texts-*.parquet")):
        target = folder / "vectors" / texts.stem
        if (target / DONE).exists():
            continue
        if target.exists():  # of a job that was cut off
            shutil.rmtree(target)
        target.mkdir(parents=True)
        embed(texts, target)
        (target / DONE).touch()
        n_done += 1
    return n_done


def write_made_by(folder: Path, facts: dict[str, Any]) -> None:
    """Say what made the vectors; it becomes part of the record of each run."""
    place = folder / "vectors" / "made_by.json"
    place.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def by_ray(texts: Path, target: Path, given: argparse.Namespace) -> None:
    """Embed a file by vLLM engines under Ray Data."""
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    config = vLLMEngineProcessorConfig(
        model_source=given.model,
        task_type="embed",
        # The texts are whole conversations already.
        chat_template_stage=False,
        # The engine reads texts itself, with the special tokens that it adds.
        tokenize_stage=False,
        detokenize_stage=False,
        batch_size=given.batch,
        concurrency=given.replicas,
        engine_kwargs={
            "runner": "pooling",
            "convert": "embed",
            "pooler_config": mean_of_all_tokens(),
            "dtype": "bfloat16",
            "max_model_len": given.longest,
            "trust_remote_code": False,
            **({"revision": given.revision} if given.revision else {}),
        },
    )
    processor = build_processor(
        config,
        preprocess=lambda row: {"prompt": row["text"], "key": row["key"]},
        postprocess=lambda row: {
            "key": row["key"],
            "embedding": [float(value) for value in row["embeddings"]],
        },
    )
    processor(ray.data.read_parquet(str(texts))).write_parquet(str(target))


def mean_of_all_tokens() -> Any:
    """Return vLLM's settings for the mean of the last states, not normalised."""
    from dataclasses import fields

    from vllm.config import PoolerConfig

    known = {field.name for field in fields(PoolerConfig)}
    # Newer versions call it an activation.
    length = "use_activation" if "use_activation" in known else "normalize"
    return PoolerConfig(pooling_type="MEAN", **{length: False})


def versions(given: argparse.Namespace) -> dict[str, Any]:
    """Return what a reader needs to know of the engine."""
    from importlib.metadata import version

    return {
        "model": given.model,
        "revision": given.revision or "not told",
        "pooling": "mean",
        "engine": f"vLLM {version('vllm')} by Ray Data {version('ray')}",
        "dtype": "bfloat16",
    }


if __name__ == "__main__":
    main()
