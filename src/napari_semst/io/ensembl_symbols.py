"""Gene symbols where a table names its genes by Ensembl id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemstError
from napari_semst.io.feature_names import (
    ID_COLUMNS,
    SYMBOL_COLUMNS,
    find_names,
    name_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    Lookup = Callable[[Sequence[str]], Sequence[str] | NDArray[np.str_]]

_ENSEMBL = re.compile(r"(ENS[A-Z]*G\d{11})(?:\.\d+)?(?:_PAR_Y)?")
_EMPTY = frozenset({"", "nan", "none", "na", "n/a", "<na>", "-", "."})


@dataclass(frozen=True, slots=True)
class Symbols:
    """Names of the genes and where they come from.

    Parameters
    ----------
    names
        Shape ``(n_genes,)``; not necessarily unique.
    where
        ``"var_names"``, a column of var, or ``"built-in table"``.
    warnings
        What the user should know.
    ids
        Names before Ensembl ids were replaced, references in front taken off.
    references
        The reference that stood before each name, empty for none.
    """

    names: NDArray[np.str_]
    where: str
    warnings: tuple[str, ...]
    ids: NDArray[np.str_]
    references: NDArray[np.str_]


def is_ensembl_id(name: str) -> bool:
    """Return whether a name is an Ensembl gene id, with or without a version."""
    return name.startswith("ENS") and _ENSEMBL.fullmatch(name) is not None


def gene_symbols(adata: AnnData) -> NDArray[np.str_]:
    """Return a symbol for each gene, the id where none is known; nothing is changed.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_genes,)``, str.
    """
    return find_symbols(adata).names


def gene_ids(adata: AnnData) -> NDArray[np.str_] | None:
    """Return the Ensembl id of each gene, whatever names it; nothing is changed.

    Returns
    -------
    numpy.ndarray or None
        Shape ``(n_genes,)``, empty where a gene has none; None where none has one.
    """
    columns = [find_names(adata.var).names]
    columns += [
        np.array([name_text(value) for value in adata.var[column]], dtype=np.str_)
        for column in ID_COLUMNS
        if column in adata.var
    ]
    for told in columns:
        ids = [one if is_ensembl_id(one) else "" for one in map(str, told)]
        if any(ids):
            return np.array(ids, dtype=np.str_)
    return None


def find_symbols(adata: AnnData, lookup: Lookup | None = None) -> Symbols:
    """Return the genes' symbols: Ensembl ids replaced, references in front taken off.

    Other names are kept, but for gaps and numbers that a column of var can name.

    Parameters
    ----------
    adata
        The table; it is not changed.
    lookup
        Function from ids to names, for what no column of var tells; None asks the
        built-in table of genes.
    """
    found = find_names(adata.var)
    names = found.names
    ids = np.array([is_ensembl_id(name) for name in names], dtype=bool)
    if not ids.any():
        return Symbols(names, found.where, found.warnings, names, found.references)
    where, symbols = _from_columns(adata, names, ids)
    open_ids = np.flatnonzero(ids & (symbols == ""))
    # A reference names genes without symbol by their id: a few such ids in a table
    # of symbols are no reason to load a table.
    if len(open_ids) and ids.sum() > len(names) / 2:
        told = (lookup or _built_in)([_without_version(names[i]) for i in open_ids])
        named = np.array([_usable(t) for t in told], dtype=object)
        symbols[open_ids] = named
        if where == "var_names" and (named != "").any():
            where = "built-in table"
    known = symbols != ""
    mixed = np.where(ids & known, symbols.astype(object), names.astype(object))
    left = int((ids & ~known).sum())
    warnings = found.warnings
    if left > len(names) / 2:
        warnings = (*warnings, _too_few(left, len(names)))
    return Symbols(mixed.astype(np.str_), where, warnings, names, found.references)


def _from_columns(
    adata: AnnData, names: NDArray[np.str_], ids: NDArray[np.bool_]
) -> tuple[str, NDArray[np.object_]]:
    """Return the first column that names at least half of the ids, and its symbols."""
    for column in SYMBOL_COLUMNS:
        if column not in adata.var:
            continue
        values = adata.var[column].astype(object).to_numpy()
        pairs = zip(values, names, ids, strict=True)
        symbols = [_usable(v, name) if is_id else "" for v, name, is_id in pairs]
        if sum(s != "" for s in symbols) >= ids.sum() / 2:
            return f"var[{column!r}]", np.array(symbols, dtype=object)
    return "var_names", np.full(len(names), "", dtype=object)


def _usable(value: Any, gene_id: str = "") -> str:
    """Return a value as symbol; empty where it says nothing or is an id itself."""
    text = str(value).strip()
    # CELLxGENE tells symbols that occur twice apart by the id: TBCE_ENSG00000284770.
    if gene_id:
        text = text.removesuffix(f"_{_without_version(gene_id)}")
    return "" if text.lower() in _EMPTY or is_ensembl_id(text) else text


def _without_version(name: str) -> str:
    """Return an id without its version."""
    match = _ENSEMBL.fullmatch(name)
    return match[1] if match else str(name)


def _built_in(ids: Sequence[str]) -> Sequence[str] | NDArray[np.str_]:
    # Imported here and nowhere else: io stands below semantics and needs its table
    # only for files that name genes by nothing but ids.
    try:
        from napari_semst.genes.table import readable_names

        return readable_names(list(ids))
    except (SemstError, ImportError, OSError):
        return ids


def _too_few(n_left: int, n_genes: int) -> str:
    return (
        f"{n_left:,} of {n_genes:,} genes are named by Ensembl ids that could not be "
        "turned into symbols: gene semantics may know few of them. Add the symbols as "
        "a column gene_symbols of var."
    )
