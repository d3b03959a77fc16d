"""Which features of a table are genes, and what is said of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.genes.feature_kinds import (
    GENE,
    kind_of_name,
    kinds_by_flag,
    kinds_by_type,
    say_kinds,
)
from napari_semst.io.feature_names import NAME_COLUMNS, SYMBOL_COLUMNS, name_text
from napari_semst.io.matrices import stored_matrices
from napari_semst.io.notes import INPUT, note, warn
from napari_semst.io.text_columns import as_texts
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions

# The column of var that tells which reference a gene is of.
GENOME = "genome"
ALL = "all"
"""The choice that takes every feature for a gene."""


@dataclass(frozen=True, slots=True)
class FeatureKinds:
    """What each feature is.

    Parameters
    ----------
    kinds
        ``""`` for a gene, else what it is (as ``"blank codeword"``); shape
        ``(n_features,)``.
    where
        What told: columns of var, or ``"their names"``.
    """

    kinds: NDArray[np.object_]
    where: tuple[str, ...] = ()

    @property
    def genes(self) -> NDArray[np.bool_]:
        """Which features are genes, shape ``(n_features,)``."""
        return np.asarray(self.kinds == GENE, dtype=bool)

    @property
    def n_others(self) -> int:
        """How many features are no genes."""
        return int((~self.genes).sum())

    def numbers(self) -> dict[str, int]:
        """Return how many features there are of each kind that is no gene."""
        others = [str(kind) for kind in self.kinds if kind != GENE]
        return {kind: others.count(kind) for kind in dict.fromkeys(others)}

    def sentence(self) -> str:
        """Return what is left out, by whose word, and how to keep it."""
        n_all, n_others = len(self.kinds), self.n_others
        if not n_others:
            return ""
        are = "is no gene and is" if n_others == 1 else "are no genes and are"
        return Worded(
            f"{n_others:,} of {n_all:,} features {are} left out: "
            f"{say_kinds(self.kinds)} (told by {' and '.join(self.where)}).",
            _way_to_use("it as a gene" if n_others == 1 else "them as genes"),
        )


def _way_to_use(what: str) -> Way:
    return Way(
        f" To use {what}, add --features {ALL}.",
        f" To use {what}, set features to {ALL!r}.",
        "",
    )


def feature_kinds(
    names: Iterable[str], var: pd.DataFrame | None = None, features: str = ""
) -> FeatureKinds:
    """Return what each feature is, by columns that say so and by the makers' names.

    Parameters
    ----------
    names
        Names of the features.
    var
        What else is known of them, a row for each; None for nothing.
    features
        ``"all"`` takes every feature for a gene.
    """
    listed = [name_text(name) for name in names]
    kinds = np.full(len(listed), GENE, dtype=object)
    if features == ALL:
        return FeatureKinds(kinds)
    where = []
    for column, values in () if var is None else var.items():
        told = _by_column(values, str(column))
        if told is not None and (new := (kinds == GENE) & (told != GENE)).any():
            kinds[new] = told[new]
            where.append(f"var[{str(column)!r}]")
    by_name = np.array([kind_of_name(name) for name in listed], dtype=object)
    if (new := (kinds == GENE) & (by_name != GENE)).any():
        kinds[new] = by_name[new]
        where.append("their names")
    return FeatureKinds(kinds, tuple(where))


def keep_genes(adata: AnnData, options: ReadOptions, what: str) -> AnnData:
    """Return a table without the features that are no genes, and say so in it.

    Parameters
    ----------
    adata
        As it was read; what is kept is a copy where anything is left out.
    options
        Whether every feature is to be taken for a gene.
    what
        The input, as a user says it.

    Raises
    ------
    InputError
        If no feature is a gene.
    """
    if options.features == ALL:
        note(adata, features=ALL)
        return adata
    found = genes_of(adata)
    if not found.n_others:
        return adata
    refuse_without_genes(found, what)
    if stored_matrices(adata):
        # A copy without them would be in memory; runs leave them out by themselves.
        return adata
    # Images in uns can be large and are handed on as they are.
    uns, adata.uns = adata.uns, {}
    kept: AnnData = adata[:, found.genes].copy()
    kept.uns = uns
    tell_kinds(kept, found)
    return kept


def name_genes_alone(adata: AnnData, give_names: Callable[[AnnData], None]) -> None:
    """Let the genes of a table be named without a look at other features.

    Those stay in a table whose counts are on disk. In memory they are gone by then, so
    that they must not change a gene's name: a protein may share that of its gene.

    Parameters
    ----------
    adata
        As it was read; other features keep their names, told apart from genes.
    give_names
        Names the genes of a table, and notes in it what there is to say.
    """
    import anndata

    genes = genes_of(adata).genes if stored_matrices(adata) else np.ones(1, bool)
    if genes.all():
        give_names(adata)
        return
    alone = anndata.AnnData(var=adata.var[genes].copy())
    alone.uns = adata.uns
    give_names(alone)
    adata.uns = alone.uns
    given = np.array(list(map(str, adata.var_names)), dtype=object)
    for column in [c for c in alone.var if c not in adata.var]:
        values = np.full(len(given), "", object) if column == GENOME else given.copy()
        values[genes] = alone.var[column].to_numpy(dtype=object)
        adata.var[column] = values
    names, taken = given.copy(), set(alone.var_names)
    names[genes] = alone.var_names
    for place in np.flatnonzero(~genes):
        number = 0
        while names[place] in taken:
            number += 1
            names[place] = f"{given[place]}-{number}"
        taken.add(names[place])
    adata.var_names = names


def refuse_without_genes(found: FeatureKinds, what: str) -> None:
    """Raise where features were found and none is a gene.

    Parameters
    ----------
    found
        What the features are.
    what
        The input, as a user says it.
    """
    if found.n_others and found.n_others == len(found.kinds):
        what_they_are = (
            f"{say_kinds(found.kinds)} (told by {' and '.join(found.where)})"
        )
        raise InputError(
            Worded(
                f"Expected genes in {what}; all {len(found.kinds):,} features are "
                f"others: {what_they_are}. Open a file with gene expression.",
                _way_to_use("them as genes"),
            )
        )


def tell_kinds(tissue: AnnData, found: FeatureKinds) -> None:
    """Keep with a tissue what was left out of it: a number, and a warning."""
    kept = tissue.uns.get(INPUT)
    before = kept.get("not_genes", 0) if isinstance(kept, dict) else 0
    note(tissue, not_genes=int(before) + found.n_others, kinds_left_out=found.numbers())
    warn(tissue, found.sentence())


def genes_of(tissue: AnnData, features: str = "") -> FeatureKinds:
    """Return what the features of a tissue in memory are.

    Parameters
    ----------
    tissue
        As it was read, or made by the user.
    features
        ``"all"`` takes every feature for a gene; so does a tissue that was read so.
    """
    kept = tissue.uns.get(INPUT)
    told = kept.get("features", "") if isinstance(kept, dict) else ""
    return feature_kinds(
        tissue.var_names, tissue.var, ALL if ALL in (features, str(told)) else ""
    )


def _by_column(column: pd.Series, name: str) -> NDArray[np.object_] | None:
    """Return what features are by one column, None where it does not say."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        values = as_texts(column.where(column.notna()))
        return kinds_by_flag(_without_gaps(column, values), name)
    texts = _without_gaps(column, as_texts(column))
    if name in (*SYMBOL_COLUMNS, *NAME_COLUMNS):
        return np.array([kind_of_name(text) for text in texts], dtype=object)
    by_type = kinds_by_type(texts, name)
    return kinds_by_flag(texts, name) if by_type is None else by_type


def _without_gaps(column: pd.Series, texts: pd.Series) -> NDArray[np.object_]:
    """Return texts of a column, empty where it has no entry."""
    values = np.array([name_text(text) for text in texts], dtype=object)
    values[column.isna().to_numpy()] = ""
    return values
