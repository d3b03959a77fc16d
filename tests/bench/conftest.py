"""Cells of comparisons without processes."""

from tests.bench.cases import inside  # noqa: F401
