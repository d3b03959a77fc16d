"""The built-in gene table, where scripts written for earlier builds look for it."""

from napari_semst.genes.table import builtin_table

__all__ = ["builtin_table"]
