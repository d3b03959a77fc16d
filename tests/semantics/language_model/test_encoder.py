"""Vectors do not depend on how texts are batched, padded or begun."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_semst.errors import DeviceError, SemanticsError
from napari_semst.models.load import load_language_model, load_tokenizer
from napari_semst.semantics.language_model import encoder as module
from napari_semst.semantics.language_model import token_arrays
from napari_semst.semantics.language_model.embed_texts import plan_batches
from napari_semst.semantics.language_model.encoder import (
    POOLINGS,
    EncoderSettings,
    TextEncoder,
)
from napari_semst.semantics.language_model.prompts import (
    PAPER_TEMPLATE,
    ListedPassages,
    distinct_lists,
    template,
)
from napari_semst.semantics.language_model.tokens import PromptTokenizer
from tests.semantics.language_models import save_tiny_qwen, some_lists

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_semst.semantics.language_model.prompts import Passage


@pytest.fixture(scope="module")
def passages() -> list[Passage]:
    lists = some_lists(16)
    return list(ListedPassages(PAPER_TEMPLATE, lists.genes, distinct_lists(lists)[0]))


def _in_order(encoder: TextEncoder, passages: list[Passage]) -> NDArray[np.float32]:
    """Return vectors of texts, batched by width as a run does."""
    tokens = encoder.tokens(passages)
    widths = np.array([encoder.width(one) for one in tokens])
    found: list[NDArray[np.float32] | None] = [None] * len(tokens)
    for width in np.unique(widths):
        own = np.flatnonzero(widths == width)
        rows = encoder.rows(int(width))
        for start in range(0, len(own), rows):
            part = own[start : start + rows]
            for at, vector in zip(
                part, encoder.vectors([tokens[one] for one in part]), strict=True
            ):
                found[at] = vector
    return np.stack(found)


def _one_by_one(
    folder: Path, pooling: str, passages: list[Passage]
) -> NDArray[np.float64]:
    """Return vectors by the plainest code: one text, whole, no padding."""
    tokenizer = load_tokenizer(folder, "tiny")
    model = load_language_model(folder, "tiny", "cpu", "float32")
    found = []
    for passage in passages:
        (tokens,) = PromptTokenizer(tokenizer, "tiny")([passage], with_genes=True)
        with torch.inference_mode():
            ids = torch.tensor(tokens.ids[None].astype(np.int64))
            states = model(input_ids=ids).last_hidden_state[0].double().numpy()
        picked = {
            "mean": states,
            "genes": states[tokens.of_genes],
            "last": states[-1:],
        }[pooling]
        found.append(picked.mean(axis=0))
    return np.stack(found)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_batches_padding_and_prefix_change_nothing(
    tiny_qwen: Path, passages: list[Passage], pooling: str
) -> None:
    plain = _one_by_one(tiny_qwen, pooling, passages)
    assert plain.std(axis=0).max() > 1e-2
    for batch_tokens in (1, 400):
        for padding in ("left", "right"):
            for share in (True, False):
                reading = EncoderSettings(pooling, batch_tokens=batch_tokens)
                with TextEncoder(
                    tiny_qwen, "tiny", reading, padding=padding, share_prefix=share
                ) as one:
                    found = _in_order(one, passages)
                    assert (one.notes["shared_tokens"] > 8) == share
                np.testing.assert_allclose(found, plain, atol=1e-5)


def test_a_text_has_the_same_bits_in_any_company(
    tiny_qwen: Path, passages: list[Passage]
) -> None:
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings(batch_tokens=400)) as one:
        whole = _in_order(one, passages)
        some = _in_order(one, passages[::-3])
    np.testing.assert_array_equal(some, whole[::-3])


def test_gene_tokens_are_those_of_the_names(tiny_qwen: Path) -> None:
    tokenizer = load_tokenizer(tiny_qwen, "tiny")
    passage = template("paper").passage(("MBP", "X", "GFAP"))
    (tokens,) = PromptTokenizer(tokenizer, "tiny")([passage], with_genes=True)
    text = tokenizer.decode(tokens.ids[tokens.of_genes])
    assert text.replace(" ", "") == "MBPXGFAP"


def test_a_conversation_is_in_the_model_s_own_marks(tiny_qwen: Path) -> None:
    tokenizer = load_tokenizer(tiny_qwen, "tiny")
    passage = template("paper").passage(("MBP",))
    (tokens,) = PromptTokenizer(tokenizer, "tiny")([passage], with_genes=False)
    assert tokenizer.decode(tokens.ids) == (
        f"<|im_start|>system\n{passage.system}<|im_end|>\n<|im_start|>user\nHighly "
        "expressed genes: MBP.<|im_end|>\n<|im_start|>assistant\n"
    )


def _failing(limit: int, error: type[Exception], text: str):  # type: ignore[no-untyped-def]
    """Return a `_run` that has memory for few texts only, and counts its failures."""
    plain, failures = TextEncoder._run, []

    def run(self, batch, width):  # type: ignore[no-untyped-def]
        if len(batch) > limit:
            failures.append(len(batch))
            raise error(text)
        return plain(self, batch, width)

    return run, failures


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory."),
        (RuntimeError, "DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_where_memory_runs_out_batches_are_halved(
    tiny_qwen: Path,
    passages: list[Passage],
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    text: str,
) -> None:
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings(batch_tokens=800)) as one:
        plain = _in_order(one, passages)
    run, failures = _failing(3, error, text)
    monkeypatch.setattr(TextEncoder, "_run", run)
    said: list[str] = []
    with TextEncoder(
        tiny_qwen, "tiny", EncoderSettings(batch_tokens=800), say=said.append
    ) as one:
        found = _in_order(one, passages)
        assert one.notes["batches_halved"] == len(failures) > 0
    assert len(said) == len(failures)
    assert "Memory ran out" in said[0]
    np.testing.assert_allclose(found, plain, atol=1e-5)


def test_where_memory_does_not_do_for_two_texts_they_are_read_one_by_one(
    tiny_qwen: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings()) as one:
        plain = _in_order(one, passages)
    run, failures = _failing(1, RuntimeError, "CUBLAS_STATUS_ALLOC_FAILED")
    monkeypatch.setattr(TextEncoder, "_run", run)
    said: list[str] = []
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings(), say=said.append) as one:
        found = _in_order(one, passages)
        assert one.notes["shared_tokens"] > 8
    assert failures == [2]
    assert said == ["Memory ran out; going on with 1 texts at once"]
    np.testing.assert_allclose(found, plain, atol=1e-5)


def test_where_memory_does_not_do_for_a_shared_beginning_all_is_read(
    tiny_qwen: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings(), share_prefix=False) as one:
        plain = _in_order(one, passages)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(TextEncoder, "_prefix_of", full)
    said: list[str] = []
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings(), say=said.append) as one:
        found = _in_order(one, passages)
        assert one.notes["shared_tokens"] == 0
    assert "without sharing" in said[0]
    np.testing.assert_allclose(found, plain, atol=1e-6)


def test_memory_that_does_not_do_for_the_first_text_is_told(
    tiny_qwen: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = _failing(0, torch.OutOfMemoryError, "CUDA out of memory.")
    monkeypatch.setattr(TextEncoder, "_run", run)
    with (
        TextEncoder(tiny_qwen, "tiny", EncoderSettings()) as one,
        pytest.raises(DeviceError, match="smaller model"),
    ):
        one.tokens(passages)


def test_a_text_that_begins_otherwise_is_read_whole_and_beside_the_others(
    tiny_qwen: Path, passages: list[Passage]
) -> None:
    mixed = [*passages, passages[0]._replace(head="Genes, highly expressed: ")]
    for pooling in POOLINGS:
        with TextEncoder(tiny_qwen, "tiny", EncoderSettings(pooling)) as one:
            tokens = one.tokens(mixed)
            assert [text.shared > 0 for text in tokens] == [True] * 14 + [False]
            batches = plan_batches(one, tokens)
            ((last,),) = [batch.texts for batch in batches if not batch.begins]
            found = one.vectors([tokens[last]])
        assert sorted(np.concatenate([batch.texts for batch in batches])) == [
            *range(15)
        ]
        plain = _one_by_one(tiny_qwen, pooling, mixed[-1:])
        np.testing.assert_allclose(found, plain, atol=1e-5)


def test_tokens_are_held_in_blocks(
    tiny_qwen: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings("genes")) as one:
        whole = list(one.tokens(passages))
        monkeypatch.setattr(module, "TEXTS_PER_BLOCK", 4)
        monkeypatch.setattr(token_arrays, "TEXTS_PER_BLOCK", 4)
        asked: list[int] = []
        parts = one.tokens(passages, between=lambda: asked.append(1))
    assert len(asked) == -(-len(passages) // 4)
    assert len(parts) == len(whole)
    for left, right in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(left.ids, right.ids)
        np.testing.assert_array_equal(left.of_genes, right.of_genes)


def test_memory_that_does_not_do_for_one_text_is_told(
    tiny_qwen: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings()) as one:
        tokens = one.tokens(passages[:1])
        run, _ = _failing(0, torch.OutOfMemoryError, "CUDA out of memory.")
        monkeypatch.setattr(TextEncoder, "_run", run)
        with pytest.raises(DeviceError, match="smaller model"):
            one.vectors(tokens)


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    tiny_qwen: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings()) as one:
        tokens = one.tokens(passages[:1])
        run, _ = _failing(0, RuntimeError, "shapes differ")
        monkeypatch.setattr(TextEncoder, "_run", run)
        with pytest.raises(RuntimeError, match="shapes differ"):
            one.vectors(tokens)


def test_texts_are_never_cut(tmp_path: Path, passages: list[Passage]) -> None:
    short = save_tiny_qwen(tmp_path / "short", lengths=40)
    with (
        TextEncoder(short, "short", EncoderSettings()) as one,
        pytest.raises(SemanticsError, match="at most 40 tokens"),
    ):
        one.tokens(passages)


def test_a_prefix_that_changes_vectors_is_not_shared(
    tiny_qwen: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings(), share_prefix=False) as one:
        plain = _in_order(one, passages)

    def shifted(pairs, n_rows):  # type: ignore[no-untyped-def]
        return repeated([(keys * 2, values) for keys, values in pairs], n_rows)

    repeated = module._repeated
    monkeypatch.setattr(module, "_repeated", shifted)
    with TextEncoder(tiny_qwen, "tiny", EncoderSettings()) as one:
        found = _in_order(one, passages)
        assert one.notes["shared_tokens"] == 0
    np.testing.assert_allclose(found, plain, atol=1e-5)


def test_a_model_that_mixes_the_texts_of_a_batch_is_refused(
    tiny_qwen: Path, passages: list[Passage], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = TextEncoder._run

    def mixed(self, batch, width):  # type: ignore[no-untyped-def]
        return plain(self, batch, width) + len(batch)

    monkeypatch.setattr(TextEncoder, "_run", mixed)
    with (
        TextEncoder(tiny_qwen, "tiny", EncoderSettings()) as one,
        pytest.raises(SemanticsError, match="same vector in a batch"),
    ):
        one.tokens(passages)


def test_an_unknown_pooling_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SemanticsError, match="'mean', 'genes', 'last'"):
        EncoderSettings("median")


class NewModel:
    def forward(self, input_ids, cache=None, **kwargs):
        """As models are from transformers 5.24 on."""


class OldModel:
    def forward(self, input_ids, past_key_values=None, use_cache=None):
        """As models were before."""


@pytest.mark.parametrize(
    ("model", "name"), [(NewModel(), "cache"), (OldModel(), "past_key_values")]
)
def test_keys_and_values_go_by_the_name_that_the_model_has(model, name):
    assert module.cache_argument(model) == name


@pytest.mark.parametrize("name", ["cache", "past_key_values"])
def test_keys_and_values_are_found_under_either_name(name):
    answer = OrderedDict({"last_hidden_state": 0, name: "kept"})
    vars(answer)[name] = "kept"
    assert module._cache_of(answer) == "kept"
    assert module._cache_of(SimpleNamespace(**{name: "kept"})) == "kept"
    assert module._cache_of(SimpleNamespace(last_hidden_state=0)) is None
