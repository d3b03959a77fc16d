"""Products with a constant sparse matrix, differentiable in the dense factor."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from scipy import sparse


# A matrix with more than this share of values that are not zero is faster dense, if
# that takes no more than this many bytes.
_DENSE_SHARE = 0.2
_DENSE_BYTES = 2**28


def constant_matrix(
    matrix: sparse.csr_matrix,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor | SparseOperator:
    """Return a constant matrix in the form whose products are the faster ones."""
    size = matrix.shape[0] * matrix.shape[1]
    if matrix.nnz > _DENSE_SHARE * size and 4 * size <= _DENSE_BYTES:
        return torch.as_tensor(matrix.toarray(), dtype=dtype, device=device)
    return SparseOperator(matrix, device, dtype)


class SparseOperator:
    """A constant sparse matrix S and its transpose, for ``S @ dense``.

    The gradient needs the transpose; it is laid out once, so that no step sorts
    indices again.

    Parameters
    ----------
    matrix
        Shape ``(n_rows, n_columns)``.
    dtype
        Floating-point type of the values.
    """

    def __init__(
        self,
        matrix: sparse.csr_matrix,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.shape: tuple[int, int] = matrix.shape
        self.forward_matrix = csr_tensor(matrix, device, dtype)
        self.backward_matrix = csr_tensor(matrix.T.tocsr(), device, dtype)

    def __matmul__(self, dense: Tensor) -> Tensor:
        """Return ``S @ dense``, shape ``(n_rows, width)``."""
        product: Tensor = _SparseProduct.apply(dense, self)  # type: ignore[no-untyped-call]
        return product


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, dense: Tensor, operator: SparseOperator) -> Tensor:
        context.operator = operator
        return operator.forward_matrix @ dense

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return context.operator.backward_matrix @ gradient.contiguous(), None


def csr_tensor(
    matrix: sparse.csr_matrix, device: torch.device | str, dtype: torch.dtype
) -> Tensor:
    """Return a matrix as torch's CSR tensor, in memory of its own."""
    # MKL takes 32-bit indices; beyond that torch falls back by itself.
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    index = np.int32 if matrix.nnz < np.iinfo(np.int32).max else np.int64
    # Copied into torch's own memory: the caller's matrix stays the caller's.
    parts = (
        torch.from_numpy(matrix.indptr.astype(index)).clone(),
        torch.from_numpy(matrix.indices.astype(index)).clone(),
        torch.from_numpy(matrix.data).clone(),
    )
    with warnings.catch_warnings():
        # Torch announces that its CSR layout is in beta once per process.
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support")
        return torch.sparse_csr_tensor(
            *parts,
            size=matrix.shape,
            dtype=dtype,
            device=device,
            check_invariants=True,
        )


@cache
def has_sampled_product(kind: str) -> bool:
    """Return whether torch has products at the places of a matrix there."""
    from scipy import sparse

    one = csr_tensor(
        sparse.csr_matrix(np.ones((1, 1), np.float32)), kind, torch.float32
    )
    try:
        torch.sparse.sampled_addmm(one, one.to_dense(), one.to_dense(), beta=0.0)
    except RuntimeError:
        return False
    return True
