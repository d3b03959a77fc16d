"""From a section's counts to one semantic vector per spot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.progress import (
    FORESEEN,
    PRIVACY,
    Progress,
    RunControl,
    run_in_thread,
)
from napari_semst.errors import SemanticsError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config
    from napari_semst.core.progress import RunControl, ThreadReporter
    from napari_semst.pipeline.model import Standard
    from napari_semst.prepare.rows import CountRows
    from napari_semst.prepare.scaled_rows import ScaledRows
    from napari_semst.prepare.section import Section
    from napari_semst.semantics import GeneLists, Semantics
    from napari_semst.semantics.spot_vectors import SpotVectors


# Numbers of a vector of the built-in table. Vectors that would take more than this
# share of the memory are not held.
BUILTIN_WIDTH, MADE_SHARE = 256, 0.125
_OF_SERVERS = (
    "url",
    "model",
    "per",
    "batch_texts",
    "connections",
    "timeout",
    "keep_vectors",
)


def spot_embedding(
    tissue: AnnData, section: Section, config: Config, control: RunControl
) -> Generator[
    Progress,
    None,
    tuple[Any, Semantics | None, Standard | None],
]:
    """Turn the top genes of each spot into one semantic vector.

    The vectors come standardised where they are to be, and apart from what is told
    of them, so that those of a million spots are held once. Where that would take too
    much of the memory they are `SpotVectors`, made when some are asked for.
    """
    from napari_semst.pipeline.model import Extremes, Standard
    from napari_semst.semantics import standardise

    wanted = config.semantics
    if wanted.source == "none":
        return None, None, None
    options = source_options(tissue, config)
    # Values are as many as counts, and are given away once they are ranked.
    lists = yield from list_genes(
        rows_to_rank(section, wanted.ranking),
        section.genes,
        config,
        control,
        section.gene_ids,
    )
    if vectors_are_made(section.n_spots, config):
        return (yield from _made_vectors(lists, config, control))
    described = yield from embed_gene_lists(lists, config, control, **options)
    del lists
    if described.is_empty:
        return None, described, None
    embedding, standard = described.embedding, None
    if wanted.standardise and not config.model.weights:
        extremes = Extremes.of(embedding)
        # Vectors that were made for this run alone are not held twice.
        own = wanted.source == "builtin"
        embedding = standardise(embedding, in_place=own)
        standard = Standard.between(extremes, embedding)
    bare = replace(described, embedding=np.empty_like(embedding[:0]))
    return embedding, bare, standard


def vectors_are_made(n_spots: int, config: Config) -> bool:
    """Return whether vectors are made when asked for, as all of them take too much.

    They are the same to the bit, so that the machine's memory may decide.

    Parameters
    ----------
    n_spots
        Of the section.
    config
        The built-in table alone is fast enough, and steps that read a sample.
    """
    from napari_semst.core.memory import GIB, memory_allowed
    from napari_semst.methods.spec import method_spec
    from napari_semst.training.batching import batch_spots

    wanted, model = config.semantics, config.model
    plain = wanted.source == "builtin" and wanted.control == "none"
    if not plain or not wanted.standardise or model.weights:
        return False
    sampled = batch_spots(config.training, n_spots) > 0
    if not sampled or model.morphology == "modulation":
        return False
    if not method_spec(model.method).counts_by_rows(config):
        return False
    asked = config.training.max_memory * GIB or float("inf")
    allowed = min(asked, memory_allowed())
    return n_spots * 4 * BUILTIN_WIDTH > MADE_SHARE * allowed


def _made_vectors(
    lists: GeneLists, config: Config, control: RunControl
) -> Generator[Progress, None, tuple[SpotVectors, Semantics, Standard]]:
    from napari_semst.pipeline.model import Extremes, Standard
    from napari_semst.semantics.gene_table.source import BuiltinTable
    from napari_semst.semantics.weights import weights_for, with_weights_recorded

    wanted = config.semantics
    weights = weights_for(wanted, lists)
    species = None if wanted.species == "auto" else wanted.species

    def work(tell: ThreadReporter) -> tuple[SpotVectors, Semantics]:
        return BuiltinTable().spot_vectors(
            lists,
            weights,
            species,  # type: ignore[arg-type]
            tell,
            lambda: control.cancelled,
        )

    message = "Reading what genes mean"
    vectors, told = yield from run_in_thread("describe", message, work, control)
    standard = Standard.between(Extremes(*vectors.extremes), vectors)
    return vectors, with_weights_recorded(told, wanted), standard


def embed_tissue(
    tissue: AnnData,
    ranked: CountRows | ScaledRows,
    section: Section,
    config: Config,
    control: RunControl,
    options: dict[str, Any] | None = None,
) -> Generator[Progress, None, Semantics]:
    """Return what the top genes of each spot mean, as their source has it.

    Parameters
    ----------
    tissue
        Holds the embedding where it is a precomputed one.
    ranked
        Values by which genes are ranked, ``(n_spots, n_genes)``.
    section
        Names of the genes, and their ids.
    options
        Of the source; those of the settings if None.
    """
    if options is None:
        options = source_options(tissue, config)
    lists = yield from list_genes(
        ranked, section.genes, config, control, section.gene_ids
    )
    return (yield from embed_gene_lists(lists, config, control, **options))


def embed_gene_lists(
    lists: GeneLists, config: Config, control: RunControl, **options: Any
) -> Generator[Progress, None, Semantics]:
    """Return what lists of genes mean, as the source of the settings has it.

    Parameters
    ----------
    lists
        The genes of each spot, or of other units.
    config
        Its ``semantics``, seed and device are read.
    """
    from napari_semst.core.device import choose_device
    from napari_semst.semantics import source, with_control
    from napari_semst.semantics.language_model.gene_texts import known_texts
    from napari_semst.semantics.weights import weights_for, with_weights_recorded

    wanted = config.semantics
    weights = weights_for(wanted, lists)
    species = None if wanted.species == "auto" else wanted.species
    if wanted.source in ("prompts", "genes"):
        device = choose_device(config.training.device).name
        options = {"settings": wanted, "device": device, **options}
    reads_genes = wanted.source == "server" and wanted.per == "gene"
    if reads_genes and wanted.gene_text == "knowledge":
        options = {"texts": known_texts, **options}

    def work(tell: ThreadReporter) -> Semantics:
        if wanted.source in ("prompts", "genes"):
            options.update(say=tell.say, announce=tell.announce)
        made = source(wanted.source, **options)
        made = with_control(made, wanted.control, config.training.seed)
        # Sources that send anything elsewhere say so before they do.
        if notice := getattr(made, "notice", ""):
            sends = wanted.source == "server"
            tell.announce(notice, PRIVACY if sends else FORESEEN)
        found = made.embed_spots(
            lists,
            weights,
            species=species,  # type: ignore[arg-type]
            progress=tell,
            cancelled=lambda: control.cancelled,
        )
        return with_weights_recorded(found, wanted)

    return (
        yield from run_in_thread("describe", "Reading what genes mean", work, control)
    )


def source_options(tissue: AnnData, config: Config) -> dict[str, Any]:
    """Return what the source of the settings is made with."""
    wanted = config.semantics
    if wanted.source == "precomputed":
        return _embedding(tissue, wanted.embedding)
    if wanted.source == "table":
        return {"table": wanted.table}
    if wanted.source == "server":
        return {name: getattr(wanted, name) for name in _OF_SERVERS}
    return {}


def _embedding(tissue: AnnData, name: str) -> dict[str, Any]:
    """Return the obsm array of that name, else the name as a file's path."""
    if not name:
        raise SemanticsError(
            Worded(
                "Expected an obsm key or a file for the precomputed embedding; got "
                "none. ",
                Way(
                    "Name it: --semantics precomputed:NAME.",
                    "Set semantics.embedding.",
                    "Choose it under Embedding.",
                ),
            )
        )
    if name in tissue.obsm:
        return {"embedding": np.asarray(tissue.obsm[name]), "label": name}
    return {"embedding": name, "spots": tissue.obs_names}


def options_of_parts(
    tissue: AnnData, config: Config, parts: list[NDArray[np.int64]]
) -> list[dict[str, Any] | None]:
    """Return what the source of the settings is made with, for parts of a tissue.

    A precomputed embedding has a row for each spot of the whole tissue; each part is
    given its own. For other sources there is nothing to divide: `None` for each.

    Parameters
    ----------
    parts
        Rows of the spots of each part.

    Raises
    ------
    SemanticsError
        If the embedding cannot be read, or has other rows than the tissue spots.
    """
    if config.semantics.source != "precomputed":
        return [None] * len(parts)
    from napari_semst.semantics.precomputed.source import Precomputed

    whole = Precomputed(**_embedding(tissue, config.semantics.embedding))
    return [whole.rows(spots, of=tissue.n_obs) for spots in parts]


def ranked_values(section: Section, ranking: str) -> sparse.csr_matrix:
    """Return the values by which a spot's genes are ranked.

    Parameters
    ----------
    ranking
        ``scaled`` (counts by depth and the gene's deviation, as published),
        ``expression`` (counts) or ``specificity`` (counts by depth, times the log of
        how few spots have the gene).
    """
    from napari_semst.prepare.rows import some_rows
    from napari_semst.prepare.scaled_rows import ScaledRows

    if ranking == "scaled":
        return section.scaled_expression()
    rows = rows_to_rank(section, ranking)
    return rows.whole() if isinstance(rows, ScaledRows) else some_rows(rows, None)


def rows_to_rank(section: Section, ranking: str) -> CountRows | ScaledRows:
    """Return the same values, those that are scaled when some spots are asked for.

    Parameters
    ----------
    section, ranking
        As in `ranked_values`.
    """
    from napari_semst.prepare.scaled_rows import ScaledRows

    if ranking == "scaled":
        return section.scaled_rows()
    if ranking == "expression":
        return section.counts
    divisor = gene_divisor(section, ranking).astype(np.float32)
    return ScaledRows(section.counts, section.config.target_sum, divisor, np.inf)


def gene_divisor(section: Section, ranking: str) -> NDArray[np.float64]:
    """Return what each gene's values are divided by before ranking, ``(n_genes,)``.

    Parameters
    ----------
    section, ranking
        As in `ranked_values`; ``expression`` divides by nothing and is not asked for.
    """
    from napari_semst.prepare import normalise
    from napari_semst.prepare.rows import spots_per_gene

    if ranking == "specificity":
        counts = section.counts
        return normalise.gene_commonness(spots_per_gene(counts), counts.shape[0])
    return section.deviation


def list_genes(
    ranked: CountRows | ScaledRows,
    genes: NDArray[np.str_],
    config: Config,
    control: RunControl,
    ids: NDArray[np.str_] | None = None,
) -> Generator[Progress, None, GeneLists]:
    """List the genes that speak for each spot, highest first."""
    from napari_semst.prepare.rows import row_blocks
    from napari_semst.prepare.scaled_rows import ScaledRows
    from napari_semst.semantics import GeneLists, rank_genes

    wanted, n_spots = config.semantics, ranked.shape[0]
    scaled = isinstance(ranked, ScaledRows)
    blocks = ranked.blocks() if scaled else row_blocks(ranked)

    def rank(tell: ThreadReporter) -> GeneLists:
        indices = np.empty((n_spots, wanted.n_genes), np.int32)
        for spots, rows in blocks:
            lists = rank_genes(
                rows,
                genes,
                wanted.n_genes,
                ids=ids,
                leave_out_uninformative=wanted.leave_out_uninformative,
                cancelled=lambda: control.cancelled,
            )
            indices[spots] = lists.indices
            tell(spots.stop, n_spots)
        return GeneLists(lists.genes, indices, ids)

    message = "Ranking the genes of every spot"
    return (yield from run_in_thread("describe", message, rank, control))
