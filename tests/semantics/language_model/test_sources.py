"""Sources that ask a language model: cache, resumption, what they tell, what fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_semst.cache.vectors import clear_vectors
from napari_semst.errors import Cancelled, SemanticsError
from napari_semst.semantics import GeneLists, with_control
from napari_semst.semantics.language_model import embed_texts
from napari_semst.semantics.language_model.encoder import TextEncoder
from tests.semantics.language_models import genes, prompts, shards, some_lists

# So few tokens at once that the lists below take many batches and several shards.
SMALL = 64


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads a model fails."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(TextEncoder, "__init__", refuse)


def test_equal_lists_get_equal_vectors_and_other_lists_others(tiny_qwen: Path) -> None:
    lists = some_lists()
    found = prompts(tiny_qwen).embed_spots(lists)
    assert found.embedding.shape == (40, 32)
    assert found.embedding.dtype == np.float32
    first = (lists.indices == lists.indices[0]).all(axis=1)
    assert first.sum() >= 5
    assert (found.embedding[first] == found.embedding[0]).all()
    assert np.abs(found.embedding[~first] - found.embedding[0]).max() > 1e-3
    assert found.provenance["reading"]["texts"] == len(np.unique(lists.indices, axis=0))
    assert found.provenance["revision"].startswith("sha256:")
    assert found.provenance["model"] == f"{tiny_qwen.parent.name}/tiny-qwen"
    assert json.loads(json.dumps(found.provenance)) == found.provenance


def test_a_spot_without_genes_gets_the_mean_of_the_others(tiny_qwen: Path) -> None:
    lists = some_lists(6)
    lists.indices[2] = -1
    for source in (prompts(tiny_qwen), genes(tiny_qwen)):
        found = source.embed_spots(lists)
        others = np.delete(found.embedding, 2, axis=0)
        np.testing.assert_allclose(found.embedding[2], others.mean(axis=0), atol=1e-6)
        assert found.coverage[2] == 0
        assert "1 spots list no gene" in found.warnings[0]


def test_no_genes_at_all_is_refused(tiny_qwen: Path) -> None:
    empty = GeneLists(np.array(["A"]), np.full((3, 2), -1, dtype=np.int32))
    for source in (prompts(tiny_qwen), genes(tiny_qwen)):
        with pytest.raises(SemanticsError, match="spots that list genes"):
            source.embed_spots(empty)


def test_a_gene_s_vector_is_averaged_by_weight(tiny_qwen: Path) -> None:
    single = GeneLists(some_lists().genes, np.arange(15, dtype=np.int32)[:, None])
    each = genes(tiny_qwen).embed_spots(single).embedding
    lists = GeneLists(single.genes, np.array([[0, 1, -1], [3, 2, 4]], dtype=np.int32))
    weights = np.array([[1.0, 3.0, 9.0], [1.0, 0.0, 1.0]])
    plain = genes(tiny_qwen).embed_spots(lists).embedding
    weighed = genes(tiny_qwen).embed_spots(lists, weights).embedding
    np.testing.assert_allclose(plain[0], each[:2].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(plain[1], each[[2, 3, 4]].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(weighed[0], (each[0] + 3 * each[1]) / 4, atol=1e-6)
    np.testing.assert_allclose(weighed[1], each[[3, 4]].mean(axis=0), atol=1e-6)
    with pytest.raises(SemanticsError, match="weights of shape"):
        genes(tiny_qwen).embed_spots(lists, weights[:, :2])


@pytest.mark.parametrize(
    ("name", "separator"), [("known.csv", ","), ("known.tsv", "\t")]
)
def test_summaries_change_vectors_and_count_as_coverage(
    tiny_qwen: Path, tmp_path: Path, name: str, separator: str
) -> None:
    table = tmp_path / name
    lines = (("Symbol", "other", "Summary"), ("mbp", "1", "myelin"), ("GFAP", "2", " "))
    table.write_text("\n".join(separator.join(line) for line in lines) + "\n")
    lists = GeneLists(np.array(["MBP", "GFAP"]), np.array([[0], [1]], dtype=np.int32))
    plain = genes(tiny_qwen, gene_text="symbol").embed_spots(lists)
    alone: dict[str, str] = {"gene_text": "symbol", "summaries": str(table)}
    told = genes(tiny_qwen, **alone).embed_spots(lists)
    assert plain.provenance["coverage"] is None
    assert plain.provenance["gene_text"] == "symbol"
    assert told.coverage.tolist() == [1, 0]
    assert np.abs(told.embedding[0] - plain.embedding[0]).max() > 1e-3
    np.testing.assert_array_equal(told.embedding[1], plain.embedding[1])


def test_what_is_known_of_genes_is_read_counted_and_told(tiny_qwen: Path) -> None:
    names = np.array(["MBP", "GFAP", "NOGENE1", "NOGENE2", "NOGENE3"])
    lists = GeneLists(names, np.array([[0, 1], [0, 2], [3, 4]], dtype=np.int32))
    said: list[str] = []
    told = genes(tiny_qwen, say=said.append).embed_spots(lists)
    alone = genes(tiny_qwen, gene_text="symbol").embed_spots(lists)
    assert told.coverage.tolist() == [1, 0.5, 0]
    assert told.provenance["coverage"] == 0.5
    assert told.provenance["known_genes"] == 2
    assert told.provenance["gene_text"].startswith("knowledge, wording 2, 20")
    assert "CC BY 4.0" in told.provenance["attribution"]
    assert "Of 2 of 5 genes more than the symbol is read" in said
    assert not told.warnings
    # The cache holds the other texts already: it must not give them for these.
    assert np.abs(told.embedding[0] - alone.embedding[0]).max() > 1e-3
    np.testing.assert_allclose(told.embedding[2], alone.embedding[2], atol=1e-6)
    few = GeneLists(names, np.array([[0, 2, 3]], dtype=np.int32))
    warned = genes(tiny_qwen).embed_spots(few)
    assert "known of 33% of the listed genes" in warned.warnings[0]
    assert json.loads(json.dumps(warned.provenance)) == warned.provenance


def test_shuffled_genes_have_each_other_s_texts(tiny_qwen: Path) -> None:
    single = GeneLists(some_lists().genes, np.arange(15, dtype=np.int32)[:, None])
    own = genes(tiny_qwen).embed_spots(single).embedding
    other = with_control(genes(tiny_qwen), "shuffled", 0).embed_spots(single).embedding
    gaps = np.abs(other[:, None] - own).max(axis=2)
    assert sorted(gaps.argmin(axis=1)) == list(range(15))
    assert gaps.min(axis=1).max() < 1e-6
    assert (gaps.argmin(axis=1) != np.arange(15)).sum() > 8


def test_tables_of_summaries_that_cannot_be_read_are_named(
    tiny_qwen: Path, tmp_path: Path
) -> None:
    lists = some_lists(2)
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("gene,text\nMBP,myelin\n")
    cases = {
        str(wrong): "found gene, text",
        str(tmp_path / "none.csv"): "Check the path",
        str(tmp_path / "notes.docx"): r"\.csv or \.tsv",
    }
    for path, words in cases.items():
        with pytest.raises(SemanticsError, match=words):
            genes(tiny_qwen, summaries=path).embed_spots(lists)


@pytest.mark.parametrize("make", [prompts, genes])
def test_a_second_run_reads_the_cache_and_loads_no_model(
    tiny_qwen: Path, make: Any, request: pytest.FixtureRequest
) -> None:
    lists = some_lists()
    first = make(tiny_qwen).embed_spots(lists)
    request.getfixturevalue("no_model")
    second = make(tiny_qwen).embed_spots(lists)
    np.testing.assert_array_equal(second.embedding, first.embedding)
    told = second.provenance["reading"]
    assert told["from_cache"] == told["texts"]
    with pytest.raises(AssertionError, match="a model was loaded"):
        make(tiny_qwen, pooling="last").embed_spots(lists)


def test_other_sections_read_only_genes_that_are_new(
    tiny_qwen: Path,
) -> None:
    some = GeneLists(some_lists().genes, np.array([[0, 1], [2, 3]], dtype=np.int32))
    more = GeneLists(some.genes, np.array([[1, 2], [3, 4]], dtype=np.int32))
    genes(tiny_qwen).embed_spots(some)
    found = genes(tiny_qwen).embed_spots(more)
    assert found.provenance["reading"]["from_cache"] == 3
    clear_vectors()
    np.testing.assert_array_equal(
        genes(tiny_qwen).embed_spots(more).embedding, found.embedding
    )


# Ends itself while the second shard stands beside its place, as a lack of power would.
_KILLED = """
import os, signal, sys
from pathlib import Path
from napari_semst.io.export import atomic
from tests.semantics.language_models import prompts, some_lists

put, shards = atomic._put, []

def killed(temporary, place, overwrite):
    if place.name.startswith("shard-"):
        if shards:
            os.kill(os.getpid(), signal.SIGKILL)
        shards.append(place)
    put(temporary, place, overwrite)

atomic._put = killed
prompts(Path(sys.argv[1]), batch_tokens=int(sys.argv[2])).embed_spots(some_lists())
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_run_resumes_to_the_same_bytes(
    tiny_qwen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prompts(tiny_qwen, batch_tokens=SMALL).embed_spots(some_lists())
    broken = tmp_path / "broken"
    undisturbed = shards(tmp_path / "semst-cache")
    monkeypatch.setenv("SEMST_CACHE", str(broken))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["src", "."]))
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tiny_qwen), str(SMALL)],
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(shards(broken)) == 1 < len(undisturbed)
    assert len(list(broken.rglob(".shard-*.tmp"))) == 1
    resumed = prompts(tiny_qwen, batch_tokens=SMALL).embed_spots(some_lists())
    assert resumed.provenance["reading"]["from_cache"] > 0
    assert resumed.embedding.tobytes() == whole.embedding.tobytes()
    # Not only the vectors: the files too.
    assert shards(broken) == undisturbed
    clear_vectors()
    assert not list(broken.rglob("*.tmp"))


def test_slow_batches_are_kept_one_by_one_and_resumed_to_the_same_bytes(
    tiny_qwen: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = prompts(tiny_qwen, batch_tokens=SMALL)
    whole = source.embed_spots(some_lists())
    fast = shards(own_cache)
    clear_vectors()
    now = iter(np.arange(0, 1e6, 31.0))
    batches = []
    read = TextEncoder.vectors

    def counted(self: Any, batch: Any) -> Any:
        batches.append(len(batch))
        return read(self, batch)

    monkeypatch.setattr(embed_texts.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(TextEncoder, "vectors", counted)
    slow = source.embed_spots(some_lists())
    assert len(shards(own_cache)) == len(batches) > len(fast)
    # As a run that was killed leaves it: the last shards are not there.
    for file in sorted(own_cache.rglob("shard-*"), key=lambda f: f.stat().st_mtime_ns)[
        len(batches) // 2 :
    ]:
        file.unlink()
    resumed = source.embed_spots(some_lists())
    assert resumed.provenance["reading"]["from_cache"] > 0
    for one in (slow, resumed):
        assert one.embedding.tobytes() == whole.embedding.tobytes()


def test_cancelling_between_batches_keeps_what_was_read(
    tiny_qwen: Path, own_cache: Path
) -> None:
    lists, asked = some_lists(), []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 4

    source = prompts(tiny_qwen, batch_tokens=SMALL)
    with pytest.raises(Cancelled):
        source.embed_spots(lists, cancelled=cancelled)
    assert shards(own_cache)
    resumed = source.embed_spots(lists)
    assert resumed.provenance["reading"]["from_cache"] > 0
    clear_vectors()
    whole = source.embed_spots(lists)
    assert resumed.embedding.tobytes() == whole.embedding.tobytes()


def test_a_damaged_file_of_the_cache_is_removed_and_computed_again(
    tiny_qwen: Path, own_cache: Path
) -> None:
    lists = some_lists()
    source = prompts(tiny_qwen, batch_tokens=SMALL)
    first = source.embed_spots(lists)
    before = shards(own_cache)
    changed, cut, *_ = sorted(own_cache.rglob("shard-*"))
    content = changed.read_bytes()
    changed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    cut.write_bytes(cut.read_bytes()[:-7])
    second = source.embed_spots(lists)
    assert second.embedding.tobytes() == first.embedding.tobytes()
    assert sum("was damaged" in text for text in second.warnings) == 2
    assert shards(own_cache) == before


def test_a_cache_that_cannot_be_written_is_told_once(
    tiny_qwen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SEMST_CACHE", str(tmp_path / "file"))
    found = prompts(tiny_qwen, batch_tokens=SMALL).embed_spots(some_lists())
    assert len(found.warnings) == 1
    assert "SEMST_CACHE" in found.warnings[0]
    assert np.isfinite(found.embedding).all()


def test_the_forecast_is_told_before_and_the_time_left_on_the_way(
    tiny_qwen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(np.arange(0, 1e6, 60.0))
    monkeypatch.setattr(embed_texts.time, "monotonic", lambda: next(now))
    said: list[str] = []
    steps: list[tuple[int, int]] = []
    lists = some_lists()
    n_texts = len(np.unique(lists.indices, axis=0))
    prompts(tiny_qwen, said.append, batch_tokens=SMALL).embed_spots(
        lists, progress=lambda done, in_all: steps.append((done, in_all))
    )
    assert f"At most {n_texts} texts are read" in said[0]
    assert said[1] == f"{tiny_qwen} is on this machine."
    assert said[2].startswith("About ")
    assert " on the CPU" in said[2]
    assert said[3].startswith(f"Loading {tiny_qwen.parent.name}/tiny-qwen on cpu")
    assert f"reads {n_texts} distinct texts (" in said[4]
    assert said[5].endswith(" min left")
    assert len(said) > 6
    assert all(" tokens a second; about " in text for text in said[5:])
    assert steps[-1] == (n_texts, n_texts)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_unrelated_sentences_are_read_with_any_pooling(tiny_qwen: Path) -> None:
    lists = some_lists()
    for pooling in ("mean", "genes", "last"):
        source = with_control(prompts(tiny_qwen, pooling=pooling), "unrelated", 0)
        found = source.embed_spots(lists)
        assert found.embedding.shape == (40, 32)
        assert np.isfinite(found.embedding).all()
        assert "sentences" in found.provenance["control"] or found.warnings
