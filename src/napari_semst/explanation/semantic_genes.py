"""What the built-in table says of the genes that a run's spots list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.progress import run_in_thread
from napari_semst.errors import SemanticsError
from napari_semst.wording import Way, Worded, message

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.explanation.explained_run import Explained
    from napari_semst.explanation.semantic_contrast import Listed, Meaning
    from napari_semst.explanation.significance import TermTests
    from napari_semst.explanation.terms import TermSet
    from napari_semst.prepare.section import Section
    from napari_semst.semantics import GeneLists

STAGE = "explain"


@dataclass(frozen=True)
class Meanings:
    """What is said of a section's domains.

    Parameters
    ----------
    listed, meaning
        What spots are made of, and what sets domains apart.
    terms
        The terms tested and their tests; `None` where vectors are not the table's.
    """

    listed: Listed
    meaning: Meaning
    terms: tuple[TermSet, TermTests] | None


def heard(
    tell: Callable[[int, int], None], control: RunControl
) -> Callable[[int, int], None]:
    """Return a listener that ends the work in its thread once it is cancelled."""

    def listen(done: int, of: int) -> None:
        control.check()
        tell(done, of)

    return listen


def read_meanings(
    tissue: AnnData,
    what: Explained,
    codes: NDArray[np.int32],
    n_draws: int,
    seed: int,
    control: RunControl,
    notes: list[str],
) -> Generator[Progress, None, Meanings | None]:
    """Return what the built-in table says, with every term tested.

    Parameters
    ----------
    tissue
        Spots with a label only.
    n_draws, seed
        Random connected domains, and their seed.
    notes
        Is told what is not told, and why.
    """
    from napari_semst.explanation.random_domains import make_patches
    from napari_semst.explanation.semantic_contrast import find_meaning
    from napari_semst.explanation.significance import compare_terms
    from napari_semst.explanation.terms import choose_terms
    from napari_semst.genes.table import builtin_table
    from napari_semst.genes.terms import builtin_terms
    from napari_semst.prepare.graphs import touching_graph
    from napari_semst.semantics.base import LOW_COVERAGE

    section = yield from _section(tissue, what, control)
    try:
        listed = yield from _listed(section, what, control)
    except SemanticsError as error:
        notes.append(Worded("Genes only are told. ", message(error)))
        return None
    if listed.coverage < LOW_COVERAGE:
        notes.append(
            f"Of the listed genes the gene table knows {listed.coverage:.0%}: what it "
            "says stands on few of them."
        )
    n_domains = len(what.names)
    meaning = find_meaning(listed, codes, n_domains)
    tested = choose_terms(builtin_terms(), builtin_table(), listed)
    graph = touching_graph(section.average)
    patches = make_patches(section.coordinates, section.sections, graph)
    sizes = [
        np.bincount(codes[s], minlength=n_domains) for s in section.sections.spots()
    ]
    tests = yield from run_in_thread(
        STAGE,
        "Comparing with random connected domains and genes",
        lambda tell: compare_terms(
            tested,
            listed,
            meaning,
            patches,
            np.array(sizes, np.int64),
            n_draws,
            seed,
            heard(tell, control),
        ),
        control,
    )
    return Meanings(listed, meaning, (tested, tests))


def read_gene_meanings(
    tissue: AnnData,
    what: Explained,
    codes: NDArray[np.int32],
    control: RunControl,
    notes: list[str],
) -> Generator[Progress, None, Meanings | None]:
    """Return which genes' vectors set the domains of a run of ``genes`` apart."""
    from napari_semst.explanation.gene_vectors import kept_vectors
    from napari_semst.explanation.semantic_contrast import find_meaning, listed_by
    from napari_semst.pipeline.provenance import python_values

    section = yield from _section(tissue, what, control)
    lists = yield from _lists(section, what, control)
    used = np.unique(lists.indices[lists.listed])
    settings = what.config.semantics
    record = python_values(what.facts["semantics"])
    try:
        symbols, ids = lists.genes[used].tolist(), lists.ids_of(used)
        vectors, known = kept_vectors(record, settings, symbols, ids)
    except SemanticsError as error:
        notes.append(Worded("Genes only are told. ", message(error)))
        return None
    if not known.all():
        notes.append(
            f"Of {len(known)} listed genes the cache has the vectors of {known.sum()}: "
            "what the others did in the meaning is not told."
        )
    notes.append(
        Worded(
            f"Genes in the meaning are by the vectors of {record['model']}, read from "
            "the cache. Terms are not told: they are of the built-in table",
            Way(" (--semantics builtin).", " (semantics='builtin').", "."),
        )
    )
    listed = listed_by(lists, vectors, known, settings.gene_weights)
    return Meanings(listed, find_meaning(listed, codes, len(what.names)), None)


def _section(
    tissue: AnnData, what: Explained, control: RunControl
) -> Generator[Progress, None, Section]:
    """Return the section as the run had it: the same genes and neighbours."""
    from napari_semst.pipeline.inputs import section_inputs

    return (yield from section_inputs(tissue, what.config).prepared(control))


def _lists(
    section: Section, what: Explained, control: RunControl
) -> Generator[Progress, None, GeneLists]:
    """Return each spot's listed genes, ranked as the run ranked them."""
    from napari_semst.pipeline.spot_semantics import ranked_values
    from napari_semst.semantics import rank_genes

    settings = what.config.semantics
    return (
        yield from run_in_thread(
            STAGE,
            "Ranking the genes of every spot",
            lambda tell: rank_genes(
                ranked_values(section, settings.ranking),
                section.genes,
                settings.n_genes,
                ids=section.gene_ids,
                leave_out_uninformative=settings.leave_out_uninformative,
                progress=tell,
                cancelled=lambda: control.cancelled,
            ),
            control,
        )
    )


def _listed(
    section: Section, what: Explained, control: RunControl
) -> Generator[Progress, None, Listed]:
    """Return what the built-in table makes of each spot's list."""
    from napari_semst.explanation.semantic_contrast import listed_genes
    from napari_semst.genes.table import builtin_table
    from napari_semst.semantics import guess_species

    settings = what.config.semantics
    lists = yield from _lists(section, what, control)
    species = settings.species
    if species == "auto":
        species = guess_species(lists.genes)
    listed = listed_genes(
        lists,
        builtin_table(),
        species,  # type: ignore[arg-type]
        settings.gene_weights,
    )
    if not len(listed.genes):
        raise SemanticsError(
            "Expected gene names that the built-in table knows; it knows none of the "
            f"{len(lists.genes)} genes (read as {species}). Use gene symbols or human "
            "Ensembl ids."
        )
    return listed
