"""Texts as a model's tokens, and which of these belong to gene names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.semantics.language_model.prompts import GENE_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.semantics.language_model.prompts import Passage

_CHAT_START = "<|im_start|>"


class TextTokens(NamedTuple):
    """The tokens of one text.

    Parameters
    ----------
    ids
        Shape ``(n_tokens,)``, without those that it shares.
    of_genes
        Which of them belong to gene names, same shape; empty where nobody asks.
    shared
        How many tokens, the same for all texts, stand before `ids`.
    """

    ids: NDArray[np.int32]
    of_genes: NDArray[np.bool_]
    shared: int = 0

    def without(self, beginning: NDArray[np.int32]) -> TextTokens:
        """Return the tokens less a beginning; all of them where it is not theirs."""
        length = len(beginning)
        if not length or len(self.ids) <= length:
            return self
        if not np.array_equal(self.ids[:length], beginning):
            return self
        return TextTokens(self.ids[length:], self.of_genes[length:], length)

    def whole(self, beginning: NDArray[np.int32]) -> TextTokens:
        """Return the tokens with the beginning that was taken off."""
        if not self.shared:
            return self
        ids = np.concatenate([beginning, self.ids])
        if not len(self.of_genes):
            return TextTokens(ids, self.of_genes)
        none = np.zeros(len(beginning), dtype=bool)
        return TextTokens(ids, np.concatenate([none, self.of_genes]))


def text_around_genes(passage: Passage, chat: str) -> tuple[str, str]:
    """Return what stands before and after the names of a text, as a model is given it.

    Parameters
    ----------
    chat
        ``chatml`` or ``plain``: how the model is given a conversation.
    """
    if not passage.system:
        return passage.head, passage.tail
    if chat == "plain":
        return f"{passage.system}\n{passage.head}", passage.tail
    return (
        f"{_CHAT_START}system\n{passage.system}<|im_end|>\n"
        f"{_CHAT_START}user\n{passage.head}",
        f"{passage.tail}<|im_end|>\n{_CHAT_START}assistant\n",
    )


class PromptTokenizer:
    """A tokenizer, and how it is to be given a conversation.

    Models that know ChatML (Qwen and its kin) get system and user in it, with the
    header of the answer at the end, as the authors wrote it; others get plain text.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        self._tokenizer, self._name = tokenizer, name
        self.chat = "chatml" if _CHAT_START in tokenizer.get_vocab() else "plain"
        given = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
        self.pad = int(next(one for one in given if one is not None))
        self.limit = int(tokenizer.model_max_length)

    def __call__(
        self, passages: Sequence[Passage], *, with_genes: bool
    ) -> list[TextTokens]:
        """Return the tokens of texts, uncut.

        Raises
        ------
        SemanticsError
            If gene names are to be found and the tokenizer does not say where its
            tokens stand.
        """
        if with_genes and not self._tokenizer.is_fast:
            raise SemanticsError(
                f"Expected a tokenizer that says where its tokens stand for pooling "
                f"'genes'; that of {self._name} does not. Use pooling 'mean'."
            )
        around = [self._around(passage) for passage in passages]
        texts = [
            f"{before}{GENE_SEPARATOR.join(passage.names)}{after}"
            for passage, (before, after) in zip(passages, around, strict=True)
        ]
        encoded = self._tokenizer(
            texts,
            padding=False,
            truncation=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            return_offsets_mapping=with_genes,
            verbose=False,
        )
        ids = [np.array(ids_of, dtype=np.int32) for ids_of in encoded["input_ids"]]
        if not with_genes:
            none = np.zeros(0, dtype=bool)
            return [TextTokens(ids_of, none) for ids_of in ids]
        return [
            TextTokens(ids_of, _of_genes(np.array(spans), len(before), passage.names))
            for ids_of, spans, passage, (before, _) in zip(
                ids, encoded["offset_mapping"], passages, around, strict=True
            )
        ]

    def beginning(self, passage: Passage) -> NDArray[np.int32]:
        """Return the tokens of what stands before the names."""
        before, _ = self._around(passage)
        # A space before a name becomes a part of the name's first token.
        found = self._tokenizer(before.rstrip(" "), return_attention_mask=False)
        return np.array(found["input_ids"], dtype=np.int32)

    def _around(self, passage: Passage) -> tuple[str, str]:
        """Return all that stands before and after the names."""
        return text_around_genes(passage, self.chat)


def common_prefix(
    beginning: NDArray[np.int32], texts: Sequence[TextTokens]
) -> NDArray[np.int32]:
    """Return the tokens with which a beginning and all texts start.

    At least one token of every text is left over.
    """
    length = len(beginning)
    for text in texts:
        length = min(length, len(text.ids) - 1)
        differ = np.flatnonzero(text.ids[:length] != beginning[:length])
        length = int(differ[0]) if len(differ) else length
    return beginning[:length]


def _of_genes(
    spans: NDArray[np.int64], start: int, names: tuple[str, ...]
) -> NDArray[np.bool_]:
    """Return which tokens share a letter with a gene name."""
    lengths = np.array([len(name) for name in names])
    first = start + np.concatenate([[0], np.cumsum(lengths + len(GENE_SEPARATOR))[:-1]])
    last = first + lengths
    # The last name that begins before a token's end is the only one it can share.
    name = np.searchsorted(first, spans[:, 1], side="left") - 1
    shared: NDArray[np.bool_]
    shared = (name >= 0) & (last[np.maximum(name, 0)] > spans[:, 0])
    return shared
