"""Models and their vectors on the disk: found, hashed, listed, cleared, refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_semst.cache import vectors
from napari_semst.cache.vectors import cache_entries, clear_vectors
from napari_semst.errors import SemanticsError
from napari_semst.models import folder_hash
from napari_semst.models.hub import locate_model
from tests.semantics.language_models import (
    genes,
    prompts,
    save_tiny_qwen,
    shards,
    some_lists,
)

if TYPE_CHECKING:
    from napari_semst.semantics import Semantics


def test_the_cache_is_listed_and_cleared_by_model_and_nothing_else_goes(
    tiny_qwen: Path, tmp_path: Path, own_cache: Path
) -> None:
    other = save_tiny_qwen(tmp_path / "other", seed=1)
    lists = some_lists(4)
    prompts(tiny_qwen).embed_spots(lists)
    genes(other).embed_spots(lists)
    found = {entry.about["model"].split("/")[1]: entry for entry in cache_entries()}
    assert set(found) == {"tiny-qwen", "other"}
    assert found["tiny-qwen"].n_vectors == len(np.unique(lists.indices, axis=0))
    mine = found["other"].folder / "mine.txt"
    mine.write_text("not the cache's")
    with pytest.raises(SemanticsError, match=r"those of .*/tiny-qwen, .*/other"):
        clear_vectors("tiny")
    assert len(list(cache_entries())) == 2
    assert clear_vectors(f"{tiny_qwen}/") == found["tiny-qwen"].n_bytes > 0
    assert [entry.folder for entry in cache_entries()] == [found["other"].folder]
    clear_vectors("other")
    assert list(cache_entries()) == []
    clear_vectors()
    assert [file for file in own_cache.rglob("*") if file.is_file()] == [mine]


def _found(source: Any) -> Semantics:
    found: Semantics = source.embed_spots(some_lists(4))
    return found


def test_a_changed_model_in_the_same_folder_is_another_model(tmp_path: Path) -> None:
    folder = save_tiny_qwen(tmp_path / "model")
    first = _found(prompts(folder))
    save_tiny_qwen(folder, seed=1)
    second = _found(prompts(folder))
    assert first.provenance["revision"] != second.provenance["revision"]
    assert np.abs(first.embedding - second.embedding).max() > 1e-3


def test_a_folder_is_hashed_once_while_its_files_stay_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny_qwen(tmp_path / "model")
    hashed: list[int] = []
    plain = folder_hash._hashed

    def count(files: Any) -> str:
        hashed.append(len(files))
        return plain(files)

    monkeypatch.setattr(folder_hash, "_hashed", count)
    # Files so young may change within a tick of the clock: they are not remembered.
    first = locate_model(str(folder)).identity
    assert locate_model(str(folder)).identity == first
    assert len(hashed) == 2
    monkeypatch.setattr(folder_hash, "_SETTLED_SECONDS", -60.0)
    for _ in range(3):
        assert locate_model(str(folder)).identity == first
    assert len(hashed) == 3
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    seen = weights.stat()
    weights.write_bytes(bytes(content))
    os.utime(weights, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert locate_model(str(folder)).identity != first
    (memory,) = (tmp_path / "semst-cache" / "vectors").glob("folder-*.json")
    memory.write_text("[1")
    assert locate_model(str(folder)).identity != first
    assert len(hashed) == 5


def test_models_that_are_not_here_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SemanticsError, match=r"hf download nobody/nothing.*HF_TOKEN"):
        _found(prompts("nobody/nothing"))  # type: ignore[arg-type]
    with pytest.raises(SemanticsError, match=r"--revision v1`"):
        _found(prompts("nobody/nothing", revision="v1"))  # type: ignore[arg-type]
    with pytest.raises(SemanticsError, match=r"neither\. Check the path"):
        _found(prompts(tmp_path / "nothing"))


def test_only_the_environment_s_token_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    sent: list[Any] = []

    def snapshot(*_: Any, token: Any, **__: Any) -> str:
        sent.append(token)
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(SemanticsError, match="no network"):
        _found(prompts("nobody/nothing"))  # type: ignore[arg-type]
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    with pytest.raises(SemanticsError) as refused:
        _found(prompts("nobody/nothing"))  # type: ignore[arg-type]
    assert sent == [False, False, "hf_mine", "hf_mine"]
    assert "hf_mine" not in str(refused.value)


def test_folders_without_safe_or_whole_weights_are_refused(
    tiny_qwen: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    def copy(name: str) -> Path:
        return shutil.copytree(tiny_qwen, tmp_path / name)

    pickled = copy("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(SemanticsError, match=r"model\.safetensors is missing"):
        _found(prompts(pickled))
    gaps = copy("gaps")
    weights = load_file(gaps / "model.safetensors")
    weights.pop("layers.1.mlp.up_proj.weight")
    save_file(weights, gaps / "model.safetensors", {"format": "pt"})
    with pytest.raises(SemanticsError, match=r"layers\.1\.mlp\.up_proj"):
        _found(prompts(gaps))
    bare = copy("bare")
    for file in bare.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(SemanticsError, match=r"tokenizer\.json is missing"):
        _found(prompts(bare))
    cut = copy("cut")
    (cut / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(SemanticsError, match=r"model of \S*/cut"):
        _found(prompts(cut))


def test_a_shard_that_cannot_be_read_for_once_is_not_removed(
    tiny_qwen: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prompts(tiny_qwen).embed_spots(some_lists())
    kept = shards(own_cache)
    assert kept

    def busy(*_: Any, **__: Any) -> None:
        raise OSError("Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(vectors, "read_shard", busy)
        again = prompts(tiny_qwen).embed_spots(some_lists())
    assert any("could not be read" in text for text in again.warnings)
    np.testing.assert_array_equal(again.embedding, first.embedding)
    assert shards(own_cache).keys() == kept.keys()


def test_a_model_is_cleared_by_its_folder_and_not_by_a_name_that_two_have(
    tmp_path: Path,
) -> None:
    lists = some_lists(4)
    folders = [save_tiny_qwen(tmp_path / n / "model", seed=int(n)) for n in "12"]
    for folder in folders:
        prompts(folder).embed_spots(lists)
    with pytest.raises(SemanticsError, match=r"found 2: .*1/model; .*2/model"):
        clear_vectors("model")
    clear_vectors(str(folders[0]))
    assert [entry.about["model"] for entry in cache_entries()] == ["2/model"]
    clear_vectors("model")
    assert list(cache_entries()) == []


def test_a_text_beside_a_model_does_not_change_it(tiny_qwen: Path) -> None:
    from napari_semst.models.hub import locate_model

    before = locate_model(str(tiny_qwen))
    note = tiny_qwen / "notes.txt"
    try:
        note.write_text("mine")
        assert locate_model(str(tiny_qwen)) == before
    finally:
        note.unlink()


def test_a_folder_of_the_hub_s_cache_is_called_as_the_hub_calls_it() -> None:
    from napari_semst.models.hub import _called

    assert _called(Path("/c/models--Qwen--Qwen3-4B/snapshots/ab12")) == "Qwen/Qwen3-4B"
    assert _called(Path("/mine/minilm/model")) == "minilm/model"
