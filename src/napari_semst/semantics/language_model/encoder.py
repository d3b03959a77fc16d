"""A language model that turns texts into vectors: exact under padding, and fast.

What every text begins with is run once and its keys and values are shared. Batches have
shapes that depend on a text's own length alone, never on its company, so that a text
has the same vector whatever else is read with it.
"""

from __future__ import annotations

import gc
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_semst.errors import DeviceError, SemanticsError, one_of
from napari_semst.models.load import load_language_model, load_tokenizer
from napari_semst.semantics.language_model.token_arrays import (
    TEXTS_PER_BLOCK,
    TokenStore,
)
from napari_semst.semantics.language_model.tokens import (
    PromptTokenizer,
    TextTokens,
    common_prefix,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    import torch
    from numpy.typing import NDArray

    from napari_semst.semantics.language_model.prompts import Passage

    Say = Callable[[str], None]

POOLINGS = ("mean", "genes", "last")
CPU_TOKENS, GPU_TOKENS = 1024, 8192
# Lengths are rounded up to this, so that few shapes serve all texts.
_STEP = 8
_MOST_ROWS = 128
_SHORTEST_PREFIX = 8
_PROBES = (("MBP", "PLP1", "GFAP"), ("ACTB", "SNAP25", "SYT1", "OLIG1", "CD74", "HBB"))
# Relative difference of vectors that should be the same, by how numbers are held:
# above rounding, below what another text does (11 % and more on small models).
_TOLERANCE = {"float32": 1e-3, "bfloat16": 1e-1}
_MEMORY_SIGNS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "ALLOC_FAILED",
)


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How texts are read.

    Parameters
    ----------
    pooling
        One of `POOLINGS`: mean over all tokens, over those of gene names, or the last.
    batch_tokens
        Tokens read at once; 0: by the device.

    Raises
    ------
    SemanticsError
        If there is no such pooling.
    """

    pooling: str = "mean"
    device: str = "cpu"
    batch_tokens: int = 0

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise SemanticsError(one_of("the pooling", self.pooling, POOLINGS))

    @property
    def dtype(self) -> str:
        """Numbers that the model computes in: bfloat16 on GPUs that have it."""
        import torch

        if self.device.startswith("cuda") and torch.cuda.is_bf16_supported():
            return "bfloat16"
        return "float32"

    @property
    def tokens_at_once(self) -> int:
        """Tokens in a batch."""
        gpu = self.device.startswith("cuda")
        return self.batch_tokens or (GPU_TOKENS if gpu else CPU_TOKENS)


class TextEncoder:
    """A model in memory; a context manager, which gives the memory back.

    Parameters
    ----------
    padding
        Side on which short texts are filled up; results do not depend on it.
    share_prefix
        Whether what all texts begin with is run once; results do not depend on it.
    say
        Called with sentences for users.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        reading: EncoderSettings,
        *,
        padding: Literal["left", "right"] = "right",
        share_prefix: bool = True,
        say: Say | None = None,
    ) -> None:
        self.name, self.reading = name, reading
        self.padding, self._say = padding, say
        self._share = share_prefix
        self._halved = 0
        self._beginning = np.zeros(0, dtype=np.int32)
        self._prefix: tuple[list[Any], NDArray[np.float64], int] | None = None
        self._tokenizing = PromptTokenizer(load_tokenizer(folder, name), name)
        self._model = load_language_model(folder, name, reading.device, reading.dtype)

    def __enter__(self) -> TextEncoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the memory of the model, the GPU's too."""
        self._model = self._prefix = None
        self._release()

    def _release(self) -> None:
        """Give memory that nothing uses back to whoever else wants it."""
        import torch

        # Looking for cycles takes long; on a CPU what is free is given back without.
        if self.reading.device.startswith("cuda"):
            gc.collect()
            torch.cuda.empty_cache()

    @property
    def notes(self) -> dict[str, Any]:
        """How texts were read, for the record of a run."""
        return {
            "shared_tokens": 0 if self._prefix is None else self._prefix[2],
            "batches_halved": self._halved,
            "chat": self._tokenizing.chat,
        }

    def tokens(
        self, passages: Sequence[Passage], between: Callable[[], None] | None = None
    ) -> TokenStore:
        """Return the tokens of texts, and make ready what they begin with.

        What that is depends on the words around the genes alone, so that a text is
        read in the same way whatever other texts there are.

        Parameters
        ----------
        passages
            Texts of one template; taken in blocks, none is held.
        between
            Called before each block; may raise.

        Raises
        ------
        SemanticsError
            If a text is longer than the model reads, or the model does not give the
            same vector for a text in a batch as for the text alone.
        DeviceError
            If memory does not do even for one text.
        """
        genes = self.reading.pooling == "genes"
        probes = [passages[0]._replace(names=names) for names in _PROBES]
        tried = self._tokenizing(probes, with_genes=genes)
        shared = common_prefix(self._tokenizing.beginning(passages[0]), tried)
        if not self._share or len(shared) < _SHORTEST_PREFIX:
            shared = shared[:0]
        self._beginning = shared
        store = TokenStore()
        for start in range(0, len(passages), TEXTS_PER_BLOCK):
            if between is not None:
                between()
            stop = min(start + TEXTS_PER_BLOCK, len(passages))
            block = [passages[one] for one in range(start, stop)]
            texts = self._tokenizing(block, with_genes=genes)
            store.add([one.without(shared) for one in texts])
        self._check_length(int((store.lengths + store.shared).max()))
        self._settle([one.without(shared) for one in tried])
        return store

    def _starts(self, shared: Any) -> Any:
        """Return how many tokens of texts are not run, but taken from what is kept."""
        return shared if self._prefix is not None else shared * 0

    def shapes(self, tokens: TokenStore) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the width of every text, and whether it begins as the others do.

        Only texts with both in common may be read together.
        """
        starts = self._starts(tokens.shared)
        own = tokens.lengths + tokens.shared - starts
        return -(-own // _STEP) * _STEP, starts > 0

    def width(self, tokens: TextTokens) -> int:
        """Return how many tokens of a text are run, rounded up to a common length."""
        own = len(tokens.ids) + tokens.shared - self._starts(tokens.shared)
        return -(-int(own) // _STEP) * _STEP

    def rows(self, width: int) -> int:
        """Return how many texts of a width are run at once."""
        return int(np.clip(self.reading.tokens_at_once // width, 1, _MOST_ROWS))

    def vectors(self, batch: Sequence[TextTokens]) -> NDArray[np.float32]:
        """Return one vector per text; all of one shape, at most `rows` of them.

        Raises
        ------
        DeviceError
            If memory does not do even for one text.
        """
        width = self.width(batch[0])
        found: list[NDArray[np.float32]] = []
        done = 0
        while done < len(batch):
            rows = max(self.rows(width) >> self._halved, 1)
            part = [batch[index] for index in range(done, min(done + rows, len(batch)))]
            # Filled up: the shape, and so the rounding, is the same for every batch.
            full = part + part[-1:] * (rows - len(part))
            states = self._tried(full, width, rows)
            if states is None:
                self._take_fewer(width, self._halved + 1)
                continue
            found.append(states[: len(part)])
            done += len(part)
        return np.concatenate(found)

    def _tried(
        self, full: list[TextTokens], width: int, rows: int
    ) -> NDArray[np.float32] | None:
        """Return the vectors of a batch, or `None` where memory ran out."""
        try:
            return self._run(full, width)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if rows == 1:
                raise DeviceError(
                    f"Expected {self.name} to read one text of {width} tokens in the "
                    f"memory of {self.reading.device}; it did not fit. Choose a "
                    "smaller model, fewer genes (semantics.n_genes), or device 'cpu'."
                ) from error
        # Out here nothing holds the tensors of what failed.
        self._release()
        return None

    def _take_fewer(self, width: int, halved: int) -> None:
        """Read fewer texts at once from here on."""
        self._halved = halved
        rows = max(self.rows(width) >> halved, 1)
        if self._say is not None:
            self._say(f"Memory ran out; going on with {rows} texts at once")

    def _run(self, batch: Sequence[TextTokens], width: int) -> NDArray[np.float32]:
        """Return the vectors of one batch, filled up to a width."""
        import torch

        shared = self._prefix if batch[0].shared else None
        start = 0 if shared is None else shared[2]
        ids, mask, weights = self._filled(batch, width, start)
        with torch.inference_mode():
            place = self.reading.device
            given: dict[str, Any] = {"input_ids": torch.from_numpy(ids).to(place)}
            whole = np.pad(mask, ((0, 0), (start, 0)), constant_values=True)
            given["attention_mask"] = torch.from_numpy(whole.astype(np.int64)).to(place)
            if shared is not None or self.padding == "left":
                places = start + np.maximum(np.cumsum(mask, axis=1) - 1, 0)
                given["position_ids"] = torch.from_numpy(places).to(place)
            assert self._model is not None
            if shared is not None:
                given[cache_argument(self._model)] = _repeated(shared[0], len(batch))
                given["use_cache"] = True
            states = self._model(**given).last_hidden_state
            # Beside the text a model may leave anything, NaN too.
            outside = torch.from_numpy(~mask).to(place)
            states = states.masked_fill(outside[..., None], 0).float()
            chosen = torch.from_numpy(weights).to(place)
            total = torch.bmm(chosen[:, None, :], states)[:, 0].double().cpu().numpy()
        count = weights.sum(axis=1, dtype=np.float64)
        if shared is not None and self.reading.pooling == "mean":
            total, count = total + shared[1], count + start
        vectors: NDArray[np.float32] = (total / count[:, None]).astype(np.float32)
        if not np.isfinite(vectors).all():
            raise SemanticsError(
                f"Expected finite numbers from {self.name}; it gave NaN or infinity "
                f"(in {self.reading.dtype}). Choose another model, or device 'cpu'."
            )
        return vectors

    def _filled(
        self, batch: Sequence[TextTokens], width: int, start: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float32]]:
        """Return ids, where there is text, and the weight of each token."""
        shape = (len(batch), width)
        ids = np.full(shape, self._tokenizing.pad, dtype=np.int64)
        mask = np.zeros(shape, dtype=bool)
        weights = np.zeros(shape, dtype=np.float32)
        for row, text in enumerate(batch):
            ids_of = text if start else text.whole(self._beginning)
            length = len(ids_of.ids)
            first = width - length if self.padding == "left" else 0
            columns = slice(first, first + length)
            ids[row, columns], mask[row, columns] = ids_of.ids, True
            if self.reading.pooling == "genes":
                weights[row, columns] = ids_of.of_genes
            elif self.reading.pooling == "last":
                weights[row, first + length - 1] = 1
            else:
                weights[row, columns] = 1
        return ids, mask, weights

    def _settle(self, texts: list[TextTokens]) -> None:
        """Share what texts begin with, where that changes nothing; else run all."""
        self._prefix = None
        # Alone means alone: nothing is filled up either.
        widths = [text.shared + len(text.ids) for text in texts]
        alone = self._one_by_one(texts, widths)
        if len(self._beginning) and all(text.shared for text in texts):
            self._prefix = self._tried_prefix()
            if self._prefix is not None and self._agrees(texts, alone):
                return
            self._prefix = None
        if not self._agrees(texts, alone):
            raise SemanticsError(
                f"Expected {self.name} to give a text the same vector in a batch as "
                "alone; it does not, so texts would influence each other. Choose "
                "another model."
            )

    def _one_by_one(
        self, texts: list[TextTokens], widths: list[int]
    ) -> NDArray[np.float32]:
        found = [
            self._tried([text], width, 1)
            for text, width in zip(texts, widths, strict=True)
        ]
        return np.concatenate([text for text in found if text is not None])

    def _agrees(self, texts: list[TextTokens], alone: NDArray[np.float32]) -> bool:
        """Return whether a batch gives the vectors that its texts have alone."""
        width = max(self.width(text) for text in texts)
        together = self._tried(texts, width, len(texts))
        if together is None:
            self._take_fewer(width, _MOST_ROWS.bit_length())
            together = self._one_by_one(texts, [width] * len(texts))
        difference = np.linalg.norm(together - alone, axis=1)
        limit = _TOLERANCE[self.reading.dtype] * np.linalg.norm(alone, axis=1)
        return bool((difference <= limit).all())

    def _tried_prefix(self) -> tuple[list[Any], NDArray[np.float64], int] | None:
        """Return what `_prefix_of` returns, `None` too where memory ran out."""
        try:
            return self._prefix_of(self._beginning)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self._release()
        if self._say is not None:
            self._say("Memory ran out; going on without sharing what texts begin with")
        return None

    def _prefix_of(
        self, shared: NDArray[np.int32]
    ) -> tuple[list[Any], NDArray[np.float64], int] | None:
        """Return keys and values, sum of states and length; `None` where not kept."""
        import torch
        from transformers.cache_utils import DynamicLayer

        ids = torch.from_numpy(shared.astype(np.int64))[None].to(self.reading.device)
        assert self._model is not None
        with torch.inference_mode():
            try:
                answer = self._model(input_ids=ids, use_cache=True)
            except TypeError:  # reads texts as a whole, keeps nothing
                return None
            kept = _cache_of(answer)
            layers = list(getattr(kept, "layers", ()))
            # Windows and running states are not to be continued from a copy.
            if not layers or any(type(layer) is not DynamicLayer for layer in layers):
                return None
            total = answer.last_hidden_state[0].double().sum(dim=0).cpu().numpy()
            pairs = [(layer.keys, layer.values) for layer in layers]
        return pairs, total, len(shared)

    def _check_length(self, longest: int) -> None:
        assert self._model is not None
        limit = getattr(self._model.config, "max_position_embeddings", None)
        limits = [self._tokenizing.limit, *([limit] if limit else [])]
        if longest > min(limits):
            raise SemanticsError(
                f"Expected texts of at most {min(limits)} tokens, which is what "
                f"{self.name} reads; the longest has {longest}. List fewer genes "
                "(semantics.n_genes), shorten the summaries, or choose another model. "
                "Nothing is cut off silently."
            )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch's says that memory ran out."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(sign in str(error) for sign in _MEMORY_SIGNS)


def cache_argument(model: Any) -> str:
    """Return the name under which a model takes keys and values computed before.

    Transformers 5.24 renames ``past_key_values`` to ``cache``, of the arguments and of
    the answer.
    """
    parameters = inspect.signature(model.forward).parameters
    return "cache" if "cache" in parameters else "past_key_values"


def _cache_of(answer: Any) -> Any:
    """Return the keys and values that a model's answer carries, `None` without."""
    fields = set(answer) if hasattr(answer, "keys") else set(vars(answer))
    name = "cache" if "cache" in fields else "past_key_values"
    return getattr(answer, name, None)


def _repeated(pairs: list[tuple[torch.Tensor, torch.Tensor]], n_rows: int) -> Any:
    """Return keys and values of what texts begin with, once for every row."""
    from transformers import DynamicCache

    return DynamicCache(
        [
            (keys.expand(n_rows, -1, -1, -1), values.expand(n_rows, -1, -1, -1))
            for keys, values in pairs
        ]
    )
