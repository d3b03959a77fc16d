"""Chunks of rows of the reconstructed matrix, as each engine wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from napari_semst.nn.zinb.backend import compiled_forms, fused_kernels
from napari_semst.nn.zinb.torch_kernels import as_positives, as_zeros

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray
    from scipy import sparse

# Values of a chunk. CPU: about 260 rows of 3,000 genes, 9 MB for the three heads, were
# as fast as any from 130 to 1,000. GPU: few, large kernels.
_CHUNK_VALUES = {"cpu": 3 << 18, "cuda": 3 << 22}


class Chunk(Protocol):
    """Some rows of the reconstructed matrix."""

    @property
    def rows(self) -> slice:
        """Which rows."""
        ...

    @property
    def n_rows(self) -> int:
        """How many."""
        ...

    def turn(self, raw: Tensor, prior: float, pool: Executor | None) -> Tensor | float:
        """Turn logits into gradients in place, and return the summed loss.

        Parameters
        ----------
        raw
            Logits of pi, theta and mu, shape ``(3, n_rows, n_genes)``.
        prior
            Weight of the penalty ``pi^2``.
        pool
            Threads that may help.
        """
        ...


def cut_chunks(
    expression: sparse.csr_matrix,
    engine: str,
    device: torch.device,
    dtype: torch.dtype,
    chunk_rows: int,
) -> list[Chunk]:
    """Return a matrix in chunks of rows, laid out for an engine.

    Parameters
    ----------
    expression
        Non-negative values, shape ``(n_spots, n_genes)``.
    device, dtype
        Where the chunks are, and their floating-point type.
    chunk_rows
        Rows per chunk; 0 chooses by the number of genes and the device.
    """
    n_spots, n_genes = expression.shape
    size = _CHUNK_VALUES.get(device.type, _CHUNK_VALUES["cuda"])
    rows = chunk_rows or max(64, size // n_genes)
    chunks: list[Chunk] = []
    for start in range(0, n_spots, rows):
        part = _only_positive(expression[start : start + rows])
        where = slice(start, start + part.shape[0])
        chunks.append(
            FusedChunk.of(where, part)
            if engine == "numba"
            else TorchChunk.of(where, part, device, dtype, engine == "compiled")
        )
    return chunks


def _only_positive(part: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the rows as a matrix of their own that stores positive values only."""
    own = part.tocsr().copy()
    own.sum_duplicates()
    own.data[~(own.data > 0)] = 0
    own.eliminate_zeros()
    return own


@dataclass(frozen=True, slots=True)
class FusedChunk:
    """Rows in CSR form, for the pass compiled by numba."""

    rows: slice
    n_rows: int
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    log_factorials: float

    @classmethod
    def of(cls, rows: slice, part: sparse.csr_matrix) -> FusedChunk:
        """Return the chunk of a matrix that stores positive values only."""
        log_factorials, _ = fused_kernels()
        values = part.data.astype(np.float32)
        return cls(
            rows,
            part.shape[0],
            part.indptr.astype(np.int64),
            part.indices.astype(np.int32),
            values,
            log_factorials(values),
        )

    def turn(self, raw: Tensor, prior: float, pool: Executor | None) -> float:
        """Turn logits into gradients in place, and return the summed loss.

        Every row has its own sum, so that the number of threads changes no bit.
        """
        (_, kernel), losses = fused_kernels(), np.empty(self.n_rows)
        logits = raw.numpy()

        def share(first: int, last: int) -> None:
            kernel(
                logits, self.starts, self.columns, self.values, prior,
                first, last, losses,
            )  # fmt: skip

        if pool is None:
            share(0, self.n_rows)
        else:
            parts = torch.get_num_threads()
            edges = [self.n_rows * part // parts for part in range(parts + 1)]
            others = [pool.submit(share, *edges[i : i + 2]) for i in range(1, parts)]
            share(*edges[:2])
            for other in others:
                other.result()
        return float(losses.sum()) + self.log_factorials


@dataclass(frozen=True, slots=True)
class TorchChunk:
    """Rows with the places of their positive values, for the torch form."""

    rows: slice
    n_rows: int
    flat: Tensor
    values: Tensor
    log_factorials: float
    compiled: bool

    @classmethod
    def of(
        cls,
        rows: slice,
        part: sparse.csr_matrix,
        device: torch.device,
        dtype: torch.dtype,
        compiled: bool,
    ) -> TorchChunk:
        """Return the chunk of a matrix that stores positive values only."""
        positive = part.tocoo()
        flat = positive.row.astype(np.int64) * part.shape[1] + positive.col
        return cls(
            rows,
            part.shape[0],
            torch.as_tensor(flat, device=device),
            torch.as_tensor(positive.data, dtype=dtype, device=device),
            float(torch.lgamma(torch.as_tensor(part.data).double() + 1).sum()),
            compiled,
        )

    def turn(self, raw: Tensor, prior: float, pool: Executor | None) -> Tensor:
        """Turn logits into gradients in place, and return the summed loss.

        Every entry is first treated as a zero, for which no gamma function is needed;
        the few positive ones are then put in place of it.
        """
        zeros, positives = (
            compiled_forms() if self.compiled else (as_zeros, as_positives)
        )
        heads = raw.view(3, -1)
        at_positive = heads[:, self.flat]
        total = zeros(raw, prior)
        if len(self.values):
            total = total - zeros(at_positive.clone().unsqueeze(1), prior)
            gradients, some = positives(at_positive, self.values, prior)
            heads[:, self.flat] = gradients
            total = total + some
        result: Tensor = total + self.log_factorials
        return result
