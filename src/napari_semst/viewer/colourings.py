"""What of a tissue can be shown as colour on its spots."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_semst import keys
from napari_semst.explore import spot_values
from napari_semst.explore.annotate import edited_columns
from napari_semst.io.export.linked import INSTANCE
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from numpy import ndarray
    from pandas import Series

TOTAL_COUNTS = "semst_total"
"""Key of the colouring by the sum of X; no column of obs can be called so."""

DIFFERING = ("agree", "differ")
"""Names of spots in the comparison of two columns."""

# Between the names of two columns; no column has it.
_AND = "\x1f"

# Beyond this many levels a text column is a list of names, not an annotation.
MOST_LEVELS = 60

# A level of a run's hierarchy that was kept as a column, see `domains.levels`.
_KEPT = re.compile(rf"{keys.DOMAIN}_at_(\d+)")

_RESULTS: tuple[tuple[str, str, str], ...] = (
    (keys.DOMAIN, "Domain", "The spatial domain that each spot belongs to."),
    (
        keys.TRANSFER_DOMAIN,
        "Name of the domain",
        "The name that each spot's domain got from another section. Grey: none of its "
        "names fits.",
    ),
    (
        keys.TRANSFER,
        "Name of the spot",
        "The name that each spot got from another section by itself. Grey: none of its "
        "names fits.",
    ),
    (
        keys.TRANSFER_SCORE,
        "Likeness to a name",
        "How like each spot is to the name that it is most like, -1 to 1.",
    ),
    (
        keys.TRANSFER_Q,
        "Name of the spot, false discovery rate",
        "The share of wrong names to expect among spots with names as sure or surer.",
    ),
    (
        keys.MODULATION,
        "Modulation",
        "How strongly the meaning of its genes moved each spot.",
    ),
    (
        keys.MODULATION_SCALE,
        "Modulation: scale (alpha)",
        "How strongly the meaning of its genes stretched each spot's features.",
    ),
    (
        keys.MODULATION_SHIFT,
        "Modulation: shift (beta)",
        "How strongly the meaning of its genes shifted each spot's features.",
    ),
    (
        keys.CONFIDENCE,
        "Confidence",
        "How sure each spot's domain is within this section, 0 to 1; low along "
        "borders, and where a domain could as well be split another way.",
    ),
    (
        keys.COVERAGE,
        "Semantic coverage",
        "Share of each spot's top genes whose meaning is known.",
    ),
    (
        keys.DISCORDANCE,
        "Discordance (nats)",
        "How far each spot's image misleads about its expression: the KL divergence of "
        "expression from what the image predicts, less that from expression at large. "
        "Below 0 the image helps. Grey: no usable image.",
    ),
    (
        keys.DISCORDANCE_FDR,
        "Discordance, false discovery rate",
        "The share of false calls to expect among the spots of regions that are as "
        "discordant or more; 1 outside of regions. Grey: no usable image.",
    ),
    (
        keys.DISCORDANT,
        "Discordant",
        "Spots whose expression is not what the image predicts, at the false discovery "
        "rate of the run. Grey: no usable image.",
    ),
    (
        keys.DISCORDANCE_KIND,
        "Kind of discordance",
        "What discordant spots are: their expression contradicts the image, as it goes "
        "with another one; or it is unexplained, unusual among spots that look alike. "
        "Grey: no usable image.",
    ),
    (
        keys.DISCORDANT_REGION,
        "Discordant region",
        "Regions in which spots that touch say together, more than chance does, that "
        "image and expression disagree; the least expected first.",
    ),
    (
        keys.UNEXPLAINED,
        "Unexplained expression (deviations)",
        "How unusual each spot's expression is among spots whose image leads to expect "
        "the same, in deviations of usual spots. Grey: no usable image.",
    ),
    (
        keys.SURPRISE,
        "Surprise at the image (nats)",
        "How far each spot's expression is from what its image predicts, in the "
        "patterns that images predict. High, too, where it is unusual for any image; "
        "it has no false discovery rate. Grey: no usable image.",
    ),
    (
        keys.IMAGE_FLAG,
        "Image flag",
        "Whether the image around each spot can be relied upon, and if not, why.",
    ),
    (
        keys.COMPARED,
        "Compared or not",
        "Of several sections, whether image and expression of a spot were compared, "
        "and if not, why.",
    ),
)
# Facts with names of their own, which are not for editing.
_FIXED = (
    keys.DISCORDANT,
    keys.DISCORDANCE_KIND,
    keys.DISCORDANT_REGION,
    keys.IMAGE_FLAG,
    keys.COMPARED,
)
_LABELS = (*_FIXED, keys.DOMAIN, keys.TRANSFER_DOMAIN, keys.TRANSFER)

DISCORDANT_NAMES = ("as the image predicts", "discordant")
"""Names of spots by whether they are called discordant."""


@dataclass(frozen=True, slots=True)
class Colouring:
    """One way to colour the spots.

    Parameters
    ----------
    key
        What it is, the same for every run: a key of `napari_semst.keys`, an obs
        column, or `TOTAL_COUNTS`.
    label
        Its name for users.
    column
        The obs column read; empty where the values are computed.
    kind
        ``categories`` or ``numbers``.
    note
        One sentence for users.
    place
        Where the values are: ``obs``, or a gene's in ``X``, or in ``obsm``; or made of
        two columns, as where they differ. ``fixed`` has names that nobody edits.
    """

    key: str
    label: str
    column: str
    kind: Literal["categories", "numbers"]
    note: str = ""
    place: Literal["obs", "gene", "obsm", "differ", "fixed"] = "obs"


def runs(tissue: AnnData) -> tuple[str, ...]:
    """Return the names of the runs whose domains the tissue holds."""
    prefix, levels = f"{keys.DOMAIN}_", kept_levels(tissue)
    columns = [c for c in map(str, tissue.obs.columns) if c.startswith(prefix)]
    return tuple(c.removeprefix(prefix) for c in columns if c not in levels)


def kept_levels(tissue: AnnData) -> dict[str, int]:
    """Return the columns that hold a level of a hierarchy, with its number of domains.

    A run may be named like one; then the column is that run's.
    """
    matches = {c: _KEPT.fullmatch(c) for c in map(str, tissue.obs.columns)}
    known = tissue.uns.get(keys.RUNS, {})
    return {
        column: int(match[1])
        for column, match in matches.items()
        if match and column.removeprefix(f"{keys.DOMAIN}_") not in known
    }


def latest_run(tissue: AnnData) -> str:
    """Return the run that the bare result columns stand for, or ''.

    Sections of before the tissue kept its name are judged by their labels.
    """
    if keys.DOMAIN not in tissue.obs:
        return ""
    there = runs(tissue)
    kept = str(tissue.uns.get(keys.LATEST, ""))
    if kept in there:
        return kept
    latest = as_texts(tissue.obs[keys.DOMAIN])
    for run in reversed(there):
        if latest.equals(as_texts(tissue.obs[keys.of_run(keys.DOMAIN, run)])):
            return run
    return ""


def colourings(tissue: AnnData, run: str = "") -> tuple[Colouring, ...]:
    """Return the ways to colour a tissue's spots, results first.

    Parameters
    ----------
    tissue
        The section.
    run
        The run whose results are offered; empty: the latest.
    """
    ways = []
    for key, label, note in _RESULTS:
        column = _column(tissue, key, run)
        if column:
            fixed = key in _FIXED
            kind = "categories" if key in _LABELS else "numbers"
            place = "fixed" if fixed else "obs"
            ways.append(Colouring(key, label, column, kind, note, place))  # type: ignore[arg-type]
    for column, k in kept_levels(tissue).items():
        note = f"Kept from a run's hierarchy, in the column {column!r}."
        ways.append(Colouring(column, f"Domains, {k} kept", column, "categories", note))
    ways.append(_totals(tissue))
    by_hand = edited_columns(tissue)
    for column in tissue.obs.columns:
        name = str(column)
        if name.startswith(keys.RESULTS) or name == INSTANCE:
            continue
        # Begun by hand, a column may have one name yet, or none.
        if name in by_hand or _is_annotation(tissue.obs[column]):
            note = f"The column {name!r} of the section's table."
            ways.append(Colouring(name, name, name, "categories", note))
    return tuple(ways)


def gene_colouring(tissue: AnnData, gene: str) -> Colouring:
    """Return the colouring by a gene's expression."""
    note = f"Expression of {gene}, {spot_values.unit_of_genes(tissue)}."
    return Colouring(f"gene:{gene}", gene, gene, "numbers", note, "gene")


def embedding_colouring(key: str, number: int) -> Colouring:
    """Return the colouring by a column of obsm, counted from 1."""
    note = f"Column {number} of obsm[{key!r}]."
    column = f"{key}:{number}"
    return Colouring(
        f"obsm:{column}", f"{key} {number}", column, "numbers", note, "obsm"
    )


def obs_colouring(tissue: AnnData, column: str) -> Colouring | None:
    """Return the colouring by a column of obs, None where it shows nothing."""
    from pandas.api import types

    series, note = tissue.obs[column], f"The column {column!r} of the section's table."
    if column in edited_columns(tissue) or _is_annotation(series):
        return Colouring(column, column, column, "categories", note)
    numeric = types.is_numeric_dtype(series) and not types.is_bool_dtype(series)
    if numeric and series.nunique() > 1:
        return Colouring(column, column, column, "numbers", note)
    return None


def colouring_for_key(tissue: AnnData, key: str, run: str = "") -> Colouring | None:
    """Return the colouring of a key, None where the tissue has nothing of the kind.

    Parameters
    ----------
    tissue
        The section.
    key
        As a `Colouring` has it.
    run
        The run whose results are meant.
    """
    kind, _, name = key.partition(":")
    if kind == "gene" and tissue.X is not None and name in tissue.var_names:
        return gene_colouring(tissue, name)
    if kind == "differ" and all(one in tissue.obs for one in name.split(_AND)):
        label = name.replace(_AND, " and ")
        note = f"Where the columns {label} agree, names matched one to one."
        return Colouring(key, label, name, "categories", note, "differ")
    if kind == "obsm" and name:
        entry, _, number = name.rpartition(":")
        width = spot_values.embedding_columns(tissue).get(entry, 0)
        if number.isdigit() and 1 <= int(number) <= width:
            return embedding_colouring(entry, int(number))
        return None
    offered = {c.key: c for c in colourings(tissue, run)}
    if key not in offered and key in tissue.obs:
        return obs_colouring(tissue, key)
    return offered.get(key)


def first_colouring(tissue: AnnData) -> Colouring:
    """Return the colouring that a section opens with: its domains, else its counts.

    Annotations are never chosen here: what is seen first should not be the answer.
    """
    offered = {c.key: c for c in colourings(tissue)}
    return offered.get(keys.DOMAIN) or offered[TOTAL_COUNTS]


def total_counts(tissue: AnnData) -> ndarray:
    """Return the sum of X per spot, NaN without X, shape ``(n_spots,)``."""
    import numpy as np

    if tissue.X is None:
        return np.full(tissue.n_obs, np.nan)
    return np.asarray(tissue.X.sum(axis=1), dtype=np.float64).ravel()


def number_values(tissue: AnnData, colouring: Colouring) -> ndarray:
    """Return a continuous colouring's values, shape ``(n_spots,)``."""
    import numpy as np

    if colouring.place == "gene":
        return spot_values.gene_values(tissue, colouring.column)
    if colouring.place == "obsm":
        key, _, number = colouring.column.rpartition(":")
        return spot_values.embedding_values(tissue, key, int(number) - 1)
    if not colouring.column:
        return total_counts(tissue)
    # Not `asarray`, which makes pandas look a name up among those of all spots.
    return np.asarray(tissue.obs[colouring.column].to_numpy(), dtype=np.float64)


def category_values(tissue: AnnData, colouring: Colouring) -> tuple[ndarray, list[str]]:
    """Return a colouring's codes, -1 where there is none, and its level names."""
    if colouring.place == "differ":
        return _differing(tissue, colouring.column)
    if colouring.key == keys.DISCORDANT:
        return _discordant(tissue), list(DISCORDANT_NAMES)
    column = tissue.obs[colouring.column].astype("category").cat
    column = column.remove_unused_categories().cat
    names = [str(level) for level in column.categories]
    if colouring.key == keys.DISCORDANCE_KIND:
        from napari_semst.methods.image_guided.regions import KINDS

        # "none" is what legends call spots that have no value.
        names = [DISCORDANT_NAMES[0] if name == KINDS[0] else name for name in names]
    return column.codes.to_numpy(), names


def differing_key(one: str, other: str) -> str:
    """Return the key of the colouring by where two columns differ."""
    return f"differ:{one}{_AND}{other}"


def _discordant(tissue: AnnData) -> ndarray:
    """Return which spots are discordant (1), are not (0), or have no image (-1)."""
    import numpy as np

    codes = tissue.obs[keys.DISCORDANT].to_numpy(dtype=bool).astype(np.int8)
    if keys.DISCORDANCE in tissue.obs:
        codes[~np.isfinite(tissue.obs[keys.DISCORDANCE].to_numpy(np.float64))] = -1
    return np.asarray(codes)


def _differing(tissue: AnnData, pair: str) -> tuple[ndarray, list[str]]:
    """Return where two labellings agree (0), differ (1) or lack a name (-1)."""
    import numpy as np

    from napari_semst.explore.compare import compare
    from napari_semst.explore.labels import read_labels

    comparison = compare(*(read_labels(tissue, column) for column in pair.split(_AND)))
    codes = np.where(comparison.agree, 0, 1)
    codes[~comparison.known] = -1
    return codes, list(DIFFERING)


def _totals(tissue: AnnData) -> Colouring:
    """Return the colouring by the sum of X, under a name that is true of X."""
    import numpy as np

    if tissue.X is None:
        note = "The section has no main table (X): its spots are grey."
        return Colouring(TOTAL_COUNTS, "Total of X", "", "numbers", note)
    # A glance at the first values: whether X holds counts is settled elsewhere.
    data = getattr(tissue.X, "data", None)
    some = np.ravel(data if isinstance(data, np.ndarray) else tissue.X[:100])[:10_000]
    if np.array_equal(some, np.rint(some)):
        label, note = "Total counts", "Molecules counted per spot."
    else:
        label, note = "Total of X", "Sum of the table's values per spot; not of counts."
    return Colouring(TOTAL_COUNTS, label, "", "numbers", note)


def _column(tissue: AnnData, key: str, run: str) -> str:
    """Return the column that holds a result of a run, or '' where there is none."""
    # Only domains are kept run by run; "semst_modulation_scale" is no run's modulation.
    named = keys.of_run(key, run) if run and key == keys.DOMAIN else ""
    if named in tissue.obs:
        return named
    bare_is_of_run = not run or run == latest_run(tissue)
    return key if bare_is_of_run and key in tissue.obs else ""


def _is_annotation(column: Series) -> bool:
    from pandas.api import types

    if isinstance(column.dtype, types.CategoricalDtype):
        return 1 < len(column.cat.categories) <= MOST_LEVELS
    if types.is_bool_dtype(column):
        return bool(column.nunique() > 1)
    if types.is_numeric_dtype(column) or types.is_datetime64_any_dtype(column):
        return False
    return bool(1 < column.nunique() <= MOST_LEVELS)


def number_curve(tissue: AnnData, run: str) -> Mapping[str, Any] | None:
    """Return what a run chose its number of domains by, None where it was given."""
    facts = tissue.uns.get(keys.RUNS, {}).get(run, {})
    curve: Mapping[str, Any] | None = facts.get("number_of_domains")
    return curve


def confidence_of(tissue: AnnData, run: str) -> ndarray | None:
    """Return how sure a run's domains are, ``(n_spots,)``, None where it is unknown."""
    import numpy as np

    column = _column(tissue, keys.CONFIDENCE, run)
    # Not `asarray`, which makes pandas look a name up among those of all spots.
    return (
        np.asarray(tissue.obs[column].to_numpy(), dtype=np.float32) if column else None
    )
