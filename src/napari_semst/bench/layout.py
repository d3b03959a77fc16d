"""The tables and figures of the paper: which variants of which methods each needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.bench.paper import (
    FIGURES,
    FSM,
    GENES_OF_A_SPOT,
    HOSTS,
    SEMST,
    SHUFFLED,
    TABLES,
    Variant,
)
from napari_semst.config.method_registry import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_semst.bench.plan import BenchPlan


def variants_of(part: str, plan: BenchPlan) -> list[Variant]:
    """Return what a part needs, in its order: ``table 1``, ``figure 4``.

    Methods, fusions and controls that the plan leaves out are left out.
    """
    return [
        one
        for one in _PARTS[part](plan)
        if one.method in plan.methods
        and one.fusion in plan.fusions
        and one.control in plan.controls
    ]


def parts_of(plan: BenchPlan) -> list[str]:
    """Return the parts that a plan makes, tables first."""
    tables = [f"table {number}" for number in TABLES if number in plan.tables]
    return tables + [f"figure {n}" for n in FIGURES if n in plan.figures]


def _table_1(plan: BenchPlan) -> Iterator[Variant]:
    """Methods as they are: SemST with semantics, all others without."""
    for method in METHODS:
        yield Variant(method) if method != SEMST else _semst(plan)


def _table_2(plan: BenchPlan) -> Iterator[Variant]:
    """Yield what semantics and FSM are worth to SemST."""
    yield Variant(SEMST)
    for control in ("random", "unrelated", SHUFFLED):
        yield _semst(plan)._replace(control=control)
    for fusion in ("cross-attention", "concatenation", "addition", FSM):
        yield _semst(plan)._replace(fusion=fusion)
    yield from _figure_8(plan)


def _table_3(plan: BenchPlan) -> Iterator[Variant]:
    """Yield hosts alone, with FSM, and with FSM and names of genes permuted."""
    for host in HOSTS:
        with_fsm = Variant(host, FSM, plan.semantics[0])
        yield from (Variant(host), with_fsm, with_fsm._replace(control=SHUFFLED))


def _table_5(plan: BenchPlan) -> Iterator[Variant]:
    """Yield hosts alone and with the other fusions."""
    for host in HOSTS:
        yield Variant(host)
        for fusion in ("concatenation", "addition", "cross-attention"):
            yield Variant(host, fusion, plan.semantics[0])


def _figure_3(plan: BenchPlan) -> Iterator[Variant]:
    """Yield sources whose vectors are laid out on a plane, and the shuffled one."""
    yield from _figure_8(plan)
    yield _semst(plan)._replace(control=SHUFFLED)


def _figure_4(plan: BenchPlan) -> Iterator[Variant]:
    """Yield SemST with more and more genes that speak for a spot."""
    for number in GENES_OF_A_SPOT:
        yield _semst(plan)._replace(n_genes=number)


def _modulated(plan: BenchPlan) -> Iterator[Variant]:
    """Yield SemST, or where it takes no part the hosts, with FSM."""
    if SEMST in plan.methods:
        yield _semst(plan)
    else:
        for host in HOSTS:
            yield Variant(host, FSM, plan.semantics[0])


def _figure_8(plan: BenchPlan) -> Iterator[Variant]:
    """Yield SemST with each of the sources."""
    for source in plan.semantics:
        yield Variant(SEMST, FSM, source)


def _semst(plan: BenchPlan) -> Variant:
    return Variant(SEMST, FSM, plan.semantics[0])


_PARTS = {
    "table 1": _table_1,
    "table 2": _table_2,
    "table 3": _table_3,
    "table 5": _table_5,
    "figure 3": _figure_3,
    "figure 4": _figure_4,
    "figure 6": _modulated,
    "figure 7": _modulated,
    "figure 8": _figure_8,
}
