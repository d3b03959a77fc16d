"""The one way from a tissue to its domains; dock, command line and API all take it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_semst.config import AUTO_DOMAINS, Request
from napari_semst.core.device import memory_errors_explained
from napari_semst.core.process_group import current_group
from napari_semst.core.progress import NOTED, Progress, RunControl
from napari_semst.core.threads import settle_threads, threads_limited, threads_wanted
from napari_semst.errors import ConfigError, ShareDone
from napari_semst.methods.first_look import first_look
from napari_semst.methods.resolve import resolve
from napari_semst.methods.run_device import run_device
from napari_semst.methods.spec import method_spec
from napari_semst.pipeline.content import content_hashes
from napari_semst.pipeline.provenance import CONTENT, record, spots_hash
from napari_semst.pipeline.result import DomainResult, attach
from napari_semst.pipeline.warnings import (
    other_number,
    run_warnings,
    tissue_warnings,
)
from napari_semst.wording import Way, Worded

__all__ = ["DomainResult", "attach", "find_domains"]

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData

    from napari_semst.config import Config
    from napari_semst.core.device import DeviceChoice
    from napari_semst.core.state_store import StateStore
    from napari_semst.domains.choose_k import NumberOfDomains
    from napari_semst.domains.cluster import Assignment
    from napari_semst.methods.base import Fit
    from napari_semst.pipeline.model import DomainModel, Standard
    from napari_semst.prepare.section import Section
    from napari_semst.semantics import Semantics
    from napari_semst.semantics.spot_vectors import SpotSemantics


# Numbers that a language model of 4 billion weights gives for a spot.
_LANGUAGE_WIDTH = 2560


class _Stopwatch:
    """Seconds spent per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._last, 3)
        self._last = now


def find_domains(
    tissue: AnnData, request: Request | Config, control: RunControl | None = None
) -> Generator[Progress, None, DomainResult]:
    """Find the spatial domains of a section; the tissue is not changed.

    Parameters
    ----------
    tissue
        Raw counts, ``(n_spots, n_genes)``, with coordinates in ``obsm``.
    request
        Preset and settings, or all settings complete; ``domains.n_domains`` must be
        among them.
    control
        Cancels or stops the run early from another thread.

    Yields
    ------
    progress
        Events of the stages prepare, morphology and describe where they are asked for,
        train and assign.

    Returns
    -------
    result
        To be written into a tissue by `attach`.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.core.memory import memory_limited
    from napari_semst.io.own_counts import are_of_different_panels
    from napari_semst.pipeline.across_panels import find_across_panels

    control = control or RunControl()
    config = resolve(request) if isinstance(request, Request) else request
    with memory_limited(config.training.max_memory):
        if are_of_different_panels(tissue, config.prepare.section_key):
            return (yield from find_across_panels(tissue, config, control, _found))
        return (yield from _found(tissue, config, control))


def _found(
    tissue: AnnData, request: Config, control: RunControl
) -> Generator[Progress, None, DomainResult]:
    """Find the domains of a section, or of several by the genes that all have."""
    from napari_semst.domains.cluster import assign_domains
    from napari_semst.domains.hierarchy import build_hierarchy
    from napari_semst.morphology.describe import describe_morphology
    from napari_semst.pipeline.spot_semantics import spot_embedding

    if method_spec(request.model.method).networks != "none":
        settle_threads()
    watch = _Stopwatch()
    config, section, short = yield from prepared(tissue, request, control)
    yield from first_look(section, config, control)
    watch.lap("prepare")
    morphology = yield from describe_morphology(
        tissue, section.coordinates, config, control
    )
    if morphology is not None:
        section = section.with_morphology(morphology)
        watch.lap("morphology")
    control.check()
    embedding, described, standard = yield from spot_embedding(
        tissue, section, config, control
    )
    watch.lap("describe")
    device = run_device(config)
    spec = method_spec(config.model.method)
    yield from _begun(control.states, config, section, embedding, device)
    threads = threads_wanted(section.n_spots, all_cores=spec.uses_all_cores(config))
    with threads_limited(threads), memory_errors_explained():
        fit = yield from spec.load_fit()(section, embedding, config, device, control)
        del embedding  # as large as all that follows
        watch.lap("train")
        if current_group().rank:
            raise ShareDone("This process did its share; the first one goes on.")
        wanted, chosen = yield from _number(fit, section, config, control)
        seed = config.training.seed
        assignment = yield from assign_domains(
            fit, section, replace(config.domains, n_domains=wanted), seed, control
        )
        tree = yield from build_hierarchy(assignment.codes, fit, section, seed, control)
    watch.lap("assign")
    control.check()
    provenance = record(config, section, described, device, fit, watch.seconds)
    before = [*tissue_warnings(tissue, section), *filter(None, [short])]
    _note_fit(provenance, fit, before, run_warnings(config, section, fit))
    provenance["spots_hash"] = spots_hash(tissue.obs_names)
    provenance[CONTENT] = yield from content_hashes(tissue, config, control)
    provenance["hierarchy"] = tree.table()
    _note_number(provenance, chosen, wanted, assignment.n_domains)
    names = tuple(str(code + 1) for code in range(assignment.n_domains))
    result = labelled(assignment, names, fit, described, provenance)
    model = _model(section, config, assignment, result, fit, described, standard)
    return replace(
        result,
        model=model,
        fine=tree.fine,
        morphology=morphology,
        discordance=fit.discordance,
    )


def _check_reference(section: Section, config: Config) -> None:
    """Refuse a reference that is not there before images are read for minutes."""
    if method_spec(config.model.method).discordance:
        from napari_semst.methods.image_guided.reference import reference_sections

        reference_sections(config, section.sections.names)


def _begun(
    states: StateStore | None,
    config: Config,
    section: Section,
    embedding: SpotSemantics | None,
    device: DeviceChoice,
) -> Generator[Progress, None, None]:
    """Tell the store what run this is, and the user what lies there of others."""
    from napari_semst.pipeline.checkpoint import run_identity

    if states is None or method_spec(config.model.method).networks == "none":
        return
    yield Progress("train", 0, 0, "Looking for a checkpoint")
    said = states.begin(run_identity(config, section, embedding, device))
    for text in [] if current_group().rank else said:
        yield Progress("train", 0, 0, text, notice=NOTED)


def _note_fit(
    provenance: dict[str, Any], fit: Fit, before: list[str], after: list[str]
) -> None:
    """Note warnings of the tissue and of the run, and where training went on."""
    provenance["warnings"][:0] = dict.fromkeys(before)
    provenance["warnings"] += after
    if fit.record.resumed_after:
        provenance["training"]["resumed_after"] = fit.record.resumed_after


def _note_number(
    provenance: dict[str, Any], chosen: NumberOfDomains | None, wanted: int, found: int
) -> None:
    """Note how the number of domains was chosen, and whether it was found."""
    if chosen is not None:
        provenance["number_of_domains"] = chosen.table()
        provenance["warnings"] += chosen.warnings()
    provenance["warnings"] += other_number(wanted, found)


def _number(
    fit: Fit, section: Section, config: Config, control: RunControl
) -> Generator[Progress, None, tuple[int, NumberOfDomains | None]]:
    """Return the number of domains, and the curve where it is to be chosen."""
    from napari_semst.domains.choose_k import choose_number

    wanted = config.domains.n_domains
    if wanted != AUTO_DOMAINS:
        return wanted, None
    chosen = yield from choose_number(fit.views, section, config.training.seed, control)
    return chosen.chosen, chosen


def prepared(
    tissue: AnnData,
    request: Request | Config,
    control: RunControl,
    *,
    settled: bool = False,
) -> Generator[Progress, None, tuple[Config, Section, str | None]]:
    """Return settings, a prepared section, and a warning where memory is short.

    Parameters
    ----------
    settled
        As for `refuse_beyond_limit`.
    """
    from napari_semst.domains.leiden import check_installed
    from napari_semst.io.stored_counts import StoredCounts
    from napari_semst.pipeline.forecast import memory_warning, refuse_beyond_limit
    from napari_semst.pipeline.inputs import section_inputs

    yield Progress("prepare", 0, 0, "Reading counts and coordinates")
    config = resolve(request) if isinstance(request, Request) else request
    if config.domains.n_domains == 0:
        raise ConfigError(
            Worded(
                "Expected the number of domains (k) to be given; got none. ",
                Way(
                    "Give it with -k 7; or let it be chosen: -k auto.",
                    "Set domains.n_domains: n_domains=7; or let it be chosen: "
                    "n_domains='auto'.",
                    "Set Domains; or let it be chosen: Automatic.",
                ),
            )
        )
    if config.domains.n_domains > tissue.n_obs:
        raise ConfigError(
            "Expected at most as many domains as spots; got "
            f"{config.domains.n_domains} domains for {tissue.n_obs} spots. Choose a "
            "smaller number of domains."
        )
    if config.domains.readout == "leiden":
        check_installed()
    inputs = section_inputs(tissue, config)
    given = tissue.obsm.get(config.semantics.embedding)
    # Of an embedding in a file the width is not known yet.
    width = {} if given is None else {"semantic_width": given.shape[1]}
    if config.semantics.source in ("prompts", "genes"):
        width = {"semantic_width": _LANGUAGE_WIDTH}
    held = tissue.n_obs, inputs.counts.nnz, config
    on_disk = isinstance(inputs.counts, StoredCounts)
    refuse_beyond_limit(*held, settled=settled, on_disk=on_disk, **width)
    short = memory_warning(*held, on_disk=on_disk, **width)
    if short is not None:
        yield Progress("prepare", 0, 0, short)
    control.check()
    section = yield from inputs.prepared(control)
    _check_reference(section, config)
    return config, section, short


def labelled(
    assignment: Assignment,
    names: tuple[str, ...],
    fit: Fit,
    described: Semantics | None,
    provenance: dict[str, Any],
) -> DomainResult:
    """Return a result of what was assigned, learnt and described."""
    moved = fit.modulation
    maps: dict[str, Any] = {}
    if moved is not None:
        maps = {
            "modulation": moved.strength,
            "modulation_scale": moved.scale_strength,
            "modulation_shift": moved.shift_strength,
            "scale": moved.scale,
            "shift": moved.shift,
        }
    coverage = None if moved is None or described is None else described.coverage
    return DomainResult(
        assignment.codes,
        names,
        fit.latent,
        confidence=assignment.confidence,
        coverage=coverage,
        provenance=provenance,
        **maps,
    )


def _model(
    section: Section,
    config: Config,
    assignment: Assignment,
    result: DomainResult,
    fit: Fit,
    described: Semantics | None,
    standard: Standard | None,
) -> DomainModel | None:
    """Return what labels other sections alike, or `None` where nothing can."""
    from napari_semst.palette import domain_colors
    from napari_semst.pipeline.model import DomainModel
    from napari_semst.pipeline.spot_semantics import gene_divisor

    if not assignment.members or fit.parameters is None:
        return None
    deviation, told = None, result.provenance
    read = described is not None and not described.is_empty
    if read and config.semantics.ranking != "expression":
        deviation = gene_divisor(section, config.semantics.ranking)
    semantics = {
        name: str(told["semantics"].get(name, "")) for name in ("source", "revision")
    }
    facts = {
        "version": told["versions"]["napari-semst"],
        "input_hash": told["input_hash"],
        "spots": section.n_spots,
        "semantics": semantics,
    }
    return DomainModel(
        config,
        section.genes,
        result.names,
        tuple(domain_colors(len(result.names))),
        section.smoothing_rounds,
        assignment.members,
        fit.parameters,
        standard,
        deviation,
        facts,
    )
