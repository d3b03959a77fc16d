"""Names of features as files have them: gaps, bytes, numbers, references in front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.genes.assemblies import species_of, split_prefixes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Columns of var that hold symbols, as the field's tools name them.
SYMBOL_COLUMNS = (
    "gene_symbols",
    "gene_symbol",
    "gene_name",
    "gene_names",
    "feature_name",
    "feature_names",
    "symbol",
    "symbols",
    "SYMBOL",
    "gene_short_name",
    "hgnc_symbol",
    "mgi_symbol",
    "external_gene_name",
    "gene",
    "Gene",
    "name",
)
# Columns that name features where the table's own names do not: Seurat's, then ids.
ID_COLUMNS = ("gene_ids", "gene_id", "feature_id", "ensembl_id", "ensembl_ids")
NAME_COLUMNS = ("features", "feature", "_index", *ID_COLUMNS)
# Columns that say of which reference or species a gene is.
_REFERENCES = ("genome", "assembly", "reference", "feature_reference", "species")
# What stands for no name, as R, pandas and JSON write it.
_NO_NAMES = frozenset({"", "nan", "NaN", "None", "<NA>", "NA", "N/A", "null"})
_MOST_REFERENCES = 20


@dataclass(frozen=True, slots=True)
class FeatureNames:
    """Names of features, made good where a file's own are of no use.

    Parameters
    ----------
    names
        Shape ``(n_features,)``; not necessarily unique.
    references
        The reference that stood before each name, empty for none; of the same shape.
    where
        ``"var_names"``, or the column of var that names them.
    warnings
        What the user should know.
    """

    names: NDArray[np.str_]
    references: NDArray[np.str_]
    where: str = "var_names"
    warnings: tuple[str, ...] = ()


def name_text(value: Any) -> str:
    """Return a name as text, also where a writer left bytes or their printed form."""
    if type(value) is str and value.isalnum():  # most are, and need no more
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    text = str(value).strip()
    if len(text) > 3 and text[:2] in ("b'", 'b"') and text[-1] == text[1]:
        return text[2:-1]
    return text


def find_names(var: pd.DataFrame) -> FeatureNames:
    """Return names of features: gaps filled, references taken off.

    Names that only count the features are replaced by those of a column of var.

    Parameters
    ----------
    var
        The table of features by name; it is not changed.
    """
    names, where, warnings = find_named(var)
    bare, references = split_prefixes(names, _stated(var))
    return FeatureNames(bare, references, where, warnings)


def say_references(var: pd.DataFrame) -> str:
    """Return what there is to say of genes of several references; else nothing.

    Parameters
    ----------
    var
        The genes by name.
    """
    found = references_of(var)
    known, numbers = np.unique(found[found != ""], return_counts=True)
    if len(known) < 2:
        return ""
    order = np.argsort(-numbers, kind="stable")
    parts = []
    for place in order:
        species = species_of(known[place])
        same = species == known[place].lower()
        of = f" ({species})" if species and not same else ""
        parts.append(f"{numbers[place]:,} of {known[place]}{of}")
    others = int((found == "").sum())
    more = f", {others:,} of none" if others else ""
    return (
        f"Genes of {len(known)} references: {', '.join(parts)}{more}. All are used, "
        "each looked up by its own symbol; spots may differ by how much of each they "
        "hold. For domains of one species, keep its genes alone."
    )


def references_of(var: pd.DataFrame) -> NDArray[np.str_]:
    """Return the reference of each gene, by its name or a column; empty for none.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_genes,)``.
    """
    found = find_names(var).references.astype(object)
    for column in _REFERENCES:
        if column in var and (found == "").all():
            told = _texts(var[column])
            if len(set(told)) <= _MOST_REFERENCES:
                found = told
    return found.astype(np.str_)


def _stated(var: pd.DataFrame) -> list[str]:
    """Return the references that a table names."""
    for column in _REFERENCES:
        if column in var:
            told = sorted({text for text in _texts(var[column]) if text})
            if len(told) <= _MOST_REFERENCES:
                return told
    return []


def find_named(
    var: pd.DataFrame,
) -> tuple[NDArray[np.str_], str, tuple[str, ...]]:
    """Return names without gaps and numbers, where they are from, and what to tell.

    Parameters
    ----------
    var
        As for `find_names`.
    """
    names = np.array([name_text(name) for name in var.index], dtype=np.str_)
    numbers = np.char.isdigit(names)
    counted = bool(numbers.all())
    gaps = np.array([name in _NO_NAMES for name in names], dtype=bool)
    # One gene may be called as what stands for a gap; pandas' own forms never are.
    open_places = np.ones(len(names), bool) if counted else gaps
    if not open_places.any():
        return names, "var_names", ()
    made, where = names.astype(object), "var_names"
    for column in (*SYMBOL_COLUMNS, *NAME_COLUMNS):
        if column not in var or not open_places.any():
            continue
        told = _texts(var[column])
        usable = open_places & ~np.isin(told, list(_NO_NAMES)) & ~_digits(told)
        if usable.any() and (not counted or usable.mean() > 0.5):
            made[usable] = told[usable]
            open_places &= ~usable
            where = f"var[{column!r}]" if counted else where
    warnings: tuple[str, ...] = ()
    left = np.flatnonzero(open_places)
    if counted and len(left) == len(names):
        warnings = (
            f"Genes are named by numbers alone (first: {names[0]}): what they mean is "
            "not known. Add the symbols as a column gene_symbols of var.",
        )
    elif len(left):
        made[left] = [f"unnamed_{place + 1}" for place in left]
        warnings = (
            f"{len(left):,} of {len(names):,} genes have no name: called unnamed_1 and "
            "so on, by their place.",
        )
    return made.astype(np.str_), where, warnings


def _digits(texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.asarray(np.char.isdigit(texts.astype(np.str_)), dtype=bool)


def _texts(column: pd.Series) -> NDArray[np.object_]:
    """Return texts of a column, empty where it has no entry."""
    listed = column.astype(object).to_numpy()
    values = np.array([name_text(text) for text in listed], dtype=object)
    values[column.isna().to_numpy()] = ""
    return values
