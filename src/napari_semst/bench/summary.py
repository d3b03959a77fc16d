"""The tables of a comparison: mean, deviation, rank, agreement of seeds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.bench.layout import variants_of
from napari_semst.bench.paper import NONE
from napari_semst.bench.published import published_scores
from napari_semst.bench.results import oracle_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_semst.bench.paper import Variant
    from napari_semst.bench.plan import BenchPlan
    from napari_semst.bench.results import Finished
    from napari_semst.bench.store import FinishedCell

# The four of the paper; it does not say which F1, ours is the mean over domains.
SCORES_SHOWN = ("ari", "nmi", "acc", "f1_macro")


@dataclass(frozen=True)
class SummaryRow:
    """A variant on a file, read by one readout, over its seeds.

    Parameters
    ----------
    label
        The variant for people.
    seeds
        How many are finished.
    mean, deviation
        Of each score; the deviation is that of a sample, `None` for one seed.
    rank
        Place by mean ARI among the rows of the table, 1 the best; `None` without seeds.
    agreement
        Mean adjusted Rand index between the labels of two seeds; `None` for one.
    cpu_seconds
        Median over seeds, from the file to the domains.
    peak_memory_mb
        The most of all seeds.
    oracle_ari
        Mean of the best epochs by the annotation, where these were asked for.
    published
        What the paper published; `None` where it did not.
    """

    label: str
    variant: Variant
    seeds: int
    mean: dict[str, float]
    deviation: dict[str, float] | None
    rank: int | None
    agreement: float | None
    cpu_seconds: float | None
    peak_memory_mb: float | None
    oracle_ari: float | None
    published: dict[str, float] | None


@dataclass(frozen=True)
class SummaryTable:
    """A table of the paper on one file, read by one readout."""

    part: str
    file: str
    readout: str
    dataset: str
    rows: tuple[SummaryRow, ...]


def summary_tables(
    plan: BenchPlan, finished: Finished, names: Sequence[str]
) -> list[SummaryTable]:
    """Return every table that a plan makes, those without a finished cell left out.

    Parameters
    ----------
    names
        What the files are called, in the order of the plan.
    """
    tables = []
    for number in plan.tables:
        part = f"table {number}"
        for file, name in zip(plan.files, names, strict=True):
            for readout in plan.readouts:
                rows = _ranked(
                    [
                        _row(
                            part, variant, name, file.published, readout, finished, plan
                        )
                        for variant in _once(variants_of(part, plan))
                    ]
                )
                if any(row.seeds for row in rows):
                    found = SummaryTable(part, name, readout, file.published, rows)
                    tables.append(found)
    return tables


def cells_over_seeds(
    finished: Finished, file: str, variant: Variant
) -> list[FinishedCell]:
    """Return the finished cells of a variant on a file, by seed."""
    return [
        cell
        for (name, one, _), cell in sorted(
            finished.each().items(), key=lambda item: item[0][2]
        )
        if (name, one) == (file, variant)
    ]


def variant_label(variant: Variant) -> str:
    """Return what a variant is called in tables and pictures."""
    words = [variant.method]
    if variant.fusion != NONE:
        words += ["+", variant.fusion, f"({variant.semantics})"]
    parts = [" ".join(words)]
    if variant.control != NONE:
        parts.append(f"control: {variant.control}")
    if variant.n_genes:
        parts.append(f"k_g {variant.n_genes}")
    return ", ".join(parts)


def mean_agreement(labels: Sequence[np.ndarray]) -> float | None:
    """Return the mean adjusted Rand index of pairs of labels, `None` for one alone."""
    from sklearn.metrics import adjusted_rand_score

    pairs = itertools.combinations(labels, 2)
    found = [adjusted_rand_score(first, second) for first, second in pairs]
    return float(np.mean(found)) if found else None


def _row(
    part: str,
    variant: Variant,
    name: str,
    dataset: str,
    readout: str,
    finished: Finished,
    plan: BenchPlan,
) -> SummaryRow:
    cells = [
        cell
        for cell in cells_over_seeds(finished, name, variant)
        if readout in cell.record["readouts"]
    ]
    read = [cell.record["readouts"][readout] for cell in cells]
    scores = {n: [one[n] for one in read] for n in SCORES_SHOWN}
    mean = {n: float(np.mean(values)) for n, values in scores.items() if values}
    several = {n: float(np.std(v, ddof=1)) for n, v in scores.items() if len(v) > 1}
    memory = [cell.record["peak_memory_mb"] for cell in cells]
    known = [one for one in memory if one is not None]
    looked = (oracle_of(cell.record, plan.oracle) for cell in cells)
    best = [found["ari"] for found in looked if found]
    # The paper's are of one source, which stands for the first one here.
    beside = dataset and variant.semantics in (NONE, plan.semantics[0])
    return SummaryRow(
        variant_label(variant),
        variant,
        len(cells),
        mean,
        several or None,
        None,
        mean_agreement([cell.arrays[f"codes_{readout}"] for cell in cells]),
        float(np.median([one["cpu_seconds"] for one in read])) if read else None,
        max(known) if known else None,
        float(np.mean(best)) if best else None,
        published_scores(part, dataset, variant) if beside else None,
    )


def _ranked(rows: list[SummaryRow]) -> tuple[SummaryRow, ...]:
    """Return rows with their places by mean ARI; equal means share the better one."""
    from dataclasses import replace

    known = sorted((row.mean["ari"] for row in rows if row.seeds), reverse=True)
    return tuple(
        replace(row, rank=known.index(row.mean["ari"]) + 1) if row.seeds else row
        for row in rows
    )


def _once(variants: Sequence[Variant]) -> list[Variant]:
    return list(dict.fromkeys(variants))
