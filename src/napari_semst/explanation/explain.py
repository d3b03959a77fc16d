"""Why a domain is a domain: the walk from a labelled tissue to its explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.core.progress import (
    Progress,
    RunControl,
    run_in_thread,
    run_to_end,
)
from napari_semst.errors import ConfigError
from napari_semst.explanation import explained_run as runs
from napari_semst.explanation.semantic_genes import (
    STAGE,
    heard,
    read_gene_meanings,
    read_meanings,
)
from napari_semst.explanation.types import ExplainOptions, Explanation
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.explanation.markers import Markers

_PANELS = (
    "The sections are of different panels: genes are told of the table, which has the "
    "common ones, or 0 where a section did not look for one. To hear of its own genes, "
    "run and explain a section alone."
)
# Spots below which the approximations of p-values are poor.
_FEW = 10


def explain(
    source: AnnData | str | Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    **wanted: Any,
) -> dict[str, Any]:
    """Say why each domain of a section is a domain; the section is not changed.

    Parameters
    ----------
    source
        A tissue with domains, or the path of a file that `napari_semst.read` reads.
    on_progress
        Called with every progress event.
    **wanted
        ``run``: name of the run, else the latest; ``labels``: an obs column instead of
        a run; ``semantics``: ``"auto"``, ``"builtin"`` or ``"none"``;
        ``counterfactual``: also find the domains again without semantics; ``n_genes``,
        ``n_terms``, ``n_draws``, ``seed``.

    Returns
    -------
    dict
        Plain values: ``domains`` by name, each with a ``sentence``, its ``genes``,
        ``semantic_genes`` and ``terms`` as columns of equal length, ``modulation`` and
        ``counterfactual``; ``notes`` on what was not told, and why.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.io.read import as_tissue

    tissue, _ = as_tissue(source)
    steps = explain_steps(tissue, ExplainOptions(**wanted))
    return run_to_end(steps, on_progress)


def explain_steps(
    tissue: AnnData, wanted: ExplainOptions, control: RunControl | None = None
) -> Generator[Progress, None, dict[str, Any]]:
    """Say why each domain is a domain, as a generator that can be cancelled."""
    from napari_semst.core.threads import settle_threads
    from napari_semst.explanation.modulation import counterfactual
    from napari_semst.explanation.summary import summarise
    from napari_semst.io.own_counts import has_own_counts

    control = control or RunControl()
    settle_threads()
    what = runs.explained(tissue, wanted.run, wanted.labels)
    changed: list[dict[str, float]] = [{} for _ in what.names]
    if wanted.counterfactual:
        changed = yield from counterfactual(tissue, what, control)
    notes = _cautions(what, changed)
    if has_own_counts(tissue):
        notes.append(_PANELS)
    moved = _moved(tissue, what, wanted.counterfactual, notes)
    inside = what.codes >= 0
    if not inside.all():
        notes.append(
            f"{int((~inside).sum())} of {tissue.n_obs} spots have no label in "
            f"obs[{what.column!r}]; they are left out."
        )
        tissue = tissue[inside].copy()
    codes = what.codes[inside]
    genes, markers = yield from _markers(tissue, what, codes, control)
    meanings = None
    source = _meaning_of(wanted, what, notes)
    if source == "genes":
        meanings = yield from read_gene_meanings(tissue, what, codes, control, notes)
    elif source == "builtin":
        meanings = yield from read_meanings(
            tissue, what, codes, wanted.n_draws, wanted.seed, control, notes
        )
    found = Explanation(what, genes, markers, meanings, moved, changed, notes)
    return summarise(found, wanted, np.bincount(codes))


def _cautions(what: runs.Explained, changed: list[dict[str, float]]) -> list[str]:
    """Return what to know before the domains are read: small ones, and semantics."""
    sizes = np.bincount(what.codes[what.codes >= 0], minlength=len(what.names))
    notes = [
        f"Domain {name} has {size} spots: too few to trust what is said of it."
        for name, size in zip(what.names, sizes, strict=True)
        if size < _FEW
    ]
    if changed[0]:
        without, other = (
            float(np.average([shares[name] for shares in changed], weights=sizes))
            for name in ("without_semantics", "other_seed")
        )
        more = "no more" if without <= other else "more"
        notes.append(
            f"Of all spots {without:.1%} change domain without semantics, {other:.1%} "
            f"with another seed: leaving semantics out changes {more} than chance in "
            "training, as far as one other seed can say."
        )
    return notes


def _moved(
    tissue: AnnData, what: runs.Explained, counterfactual: bool, notes: list[str]
) -> list[dict[str, Any]]:
    """Return the modulation of each domain, where the tissue has it."""
    from napari_semst.explanation.modulation import UNUSED, modulation_of

    none: list[dict[str, Any]] = [{} for _ in what.names]
    if not what.run or what.read_meaning == "none":
        return none
    if what.run != str(tissue.uns.get(keys.LATEST, "")):
        notes.append(
            "Modulation is kept for the latest run only: how strongly semantics moved "
            f"the spots of {what.run!r} is not known any more."
        )
        return none
    moved = modulation_of(tissue, what.codes, len(what.names))
    if moved[0] and max(domain["modulation_in"] for domain in moved) < UNUSED:
        notes.append(
            "The network made next to no use of semantics (modulation below "
            f"{UNUSED:g} in every domain): ranks between domains say nothing."
        )
    elif moved[0] and not counterfactual:
        notes.append(
            Worded(
                "Semantics moved spots inside the network. Whether that changed any "
                "domain is known only ",
                Way(
                    "with --counterfactual.",
                    "with counterfactual=True.",
                    "by a test without semantics: press Test without semantics.",
                ),
            )
        )
    return moved


def _markers(
    tissue: AnnData, what: runs.Explained, codes: NDArray[np.int32], control: RunControl
) -> Generator[Progress, None, tuple[NDArray[np.str_], Markers]]:
    """Return the genes that are seen often enough and say something, tested."""
    from napari_semst.explanation.markers import find_markers, informative_expression
    from napari_semst.pipeline.inputs import section_inputs

    yield Progress(STAGE, 0, 0, "Reading counts")
    symbols, logged = informative_expression(section_inputs(tissue, what.config))
    control.check()
    markers = yield from run_in_thread(
        STAGE,
        "Comparing genes",
        lambda tell: find_markers(logged, codes, len(what.names), heard(tell, control)),
        control,
    )
    return symbols, markers


def _meaning_of(wanted: ExplainOptions, what: runs.Explained, notes: list[str]) -> str:
    """Return by what meanings are told (or none), and say why where they are not."""
    had = what.read_meaning
    control = what.config.semantics.control
    if control != "none":
        notes.append(
            f"The run {what.run!r} was a control ({control}): its gene semantics were "
            "spoilt on purpose. Do not report its domains, or what is said of them."
        )
    if wanted.semantics == "auto" and had == "genes" and control == "none":
        return "genes"
    if wanted.semantics == "auto" and had not in ("", "builtin"):
        why = "had no semantics" if had == "none" else f"read {had!r} semantics"
        if had == "prompts":
            why = (
                "let a language model read each spot's list as a whole, and what a "
                "gene did in it cannot be told apart"
            )
        notes.append(
            Worded(
                f"The run {what.run!r} {why}: genes only are told.",
                Way(
                    " --semantics builtin reads its domains by the built-in table.",
                    " semantics='builtin' reads its domains by the built-in table.",
                    "",
                ),
            )
        )
        return "none"
    if wanted.semantics == "builtin" and had not in ("", "builtin"):
        notes.append(
            f"The built-in table took no part in the run {what.run!r}: what it says "
            "of the genes was read afterwards."
        )
    return "none" if wanted.semantics == "none" else "builtin"


def attach_explanation(tissue: AnnData, explanation: dict[str, Any]) -> None:
    """Write an explanation into ``uns["semst"][run]["explanation"]`` of a tissue.

    Parameters
    ----------
    tissue
        With the run that was explained; it is changed.
    explanation
        What `explain` returned.

    Raises
    ------
    ConfigError
        If a column of labels was explained: it has no place of its own.
    """
    from napari_semst.pipeline.result import storable

    run = explanation["run"]
    stored = dict(tissue.uns.get(keys.RUNS, {}))
    if not run or run not in stored:
        raise ConfigError(
            "Expected the explanation of a run that the tissue holds; got "
            f"{run or explanation['labels']!r}. Save a table (.csv) instead."
        )
    stored[run] = {**stored[run], "explanation": storable(explanation)}
    tissue.uns[keys.RUNS] = stored
