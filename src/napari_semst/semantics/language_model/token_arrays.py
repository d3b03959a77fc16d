"""The tokens of many texts in few large arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.semantics.language_model.tokens import TextTokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Texts that are taken apart at once: enough for the tokenizer's threads.
TEXTS_PER_BLOCK = 4096


class TokenStore(Sequence[TextTokens]):
    """The tokens of texts, 4 bytes for each (5 with those of gene names marked)."""

    def __init__(self) -> None:
        self._ids: list[NDArray[np.int32]] = []
        self._of_genes: list[NDArray[np.bool_]] = []
        self._bounds: list[NDArray[np.int64]] = []
        self._shared: list[NDArray[np.int32]] = []
        self._n_texts = 0

    def add(self, texts: Sequence[TextTokens]) -> None:
        """Take in the next texts: `TEXTS_PER_BLOCK` of them, fewer only at the end."""
        lengths = np.array([len(text.ids) for text in texts])
        self._ids.append(np.concatenate([text.ids for text in texts]))
        self._of_genes.append(np.concatenate([text.of_genes for text in texts]))
        self._bounds.append(np.concatenate([[0], np.cumsum(lengths)]))
        self._shared.append(np.array([text.shared for text in texts], dtype=np.int32))
        self._n_texts += len(texts)

    def __len__(self) -> int:
        return self._n_texts

    def __getitem__(self, position: Any) -> Any:
        if not 0 <= position < self._n_texts:
            raise IndexError(position)
        block, row = divmod(int(position), TEXTS_PER_BLOCK)
        start, stop = self._bounds[block][row : row + 2]
        return TextTokens(
            self._ids[block][start:stop],
            self._of_genes[block][start:stop],
            int(self._shared[block][row]),
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Own tokens of every text, without those that it shares."""
        return np.concatenate([np.diff(bounds) for bounds in self._bounds])

    @property
    def shared(self) -> NDArray[np.int32]:
        """How many tokens stand before the own ones of every text."""
        return np.concatenate(self._shared)
