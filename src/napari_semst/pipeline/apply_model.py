"""A saved model labels a section that it was not made from; nothing is trained."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.core.memory import memory_limited
from napari_semst.core.progress import Progress, RunControl, run_to_end
from napari_semst.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config
    from napari_semst.domains.cluster import Assignment
    from napari_semst.methods.base import Fit
    from napari_semst.pipeline.inputs import SectionInputs
    from napari_semst.pipeline.model import DomainModel
    from napari_semst.pipeline.result import DomainResult
    from napari_semst.prepare.section import Section
    from napari_semst.semantics import Semantics

# Shares of the model's genes: below the first a section is refused, below the second
# it is labelled with a warning.
LEAST_KNOWN = 0.5
WELL_KNOWN = 0.9
_FEWEST_SPOTS = 10


def apply_model(
    model: DomainModel | str | Path,
    source: AnnData | str | Path,
    *,
    run: str = keys.DEFAULT_RUN,
    counts_layer: str = "",
    coordinates: str = "",
    device: str = "auto",
    max_memory: float = 0.0,
    adapt: bool = True,
    on_progress: Callable[[Progress], None] | None = None,
) -> AnnData:
    """Label a tissue or file by a model, and return the tissue with its domains.

    `label_section` is the same as a generator, which can be cancelled.

    Parameters
    ----------
    model
        ``DomainResult.model`` of a run, or the file that `save_model` wrote.
    source
        A tissue, or the path of a file or folder that `napari_semst.read` reads.
    run
        Name of the run.
    counts_layer, coordinates, device, max_memory
        As the settings of these names; they belong to the section, not to the model.
    adapt
        As for `label_section`.
    on_progress
        Called with every progress event.

    Returns
    -------
    tissue
        A new tissue; what was given is not changed.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.io.read import as_tissue
    from napari_semst.pipeline.input_files import with_inputs
    from napari_semst.pipeline.model import load_model
    from napari_semst.pipeline.result import attach

    keys.check_run_name(run)
    known = load_model(model) if isinstance(model, str | Path) else model
    with memory_limited(max_memory):
        tissue, own = as_tissue(source, features=known.config.prepare.features)
    steps = label_section(
        tissue,
        known,
        counts_layer=counts_layer,
        coordinates=coordinates,
        device=device,
        max_memory=max_memory,
        adapt=adapt,
    )
    if isinstance(source, str | Path):
        steps = with_inputs(
            steps,
            [Path(source)],
            known.config,
            RunControl(),
            model=Path(model) if isinstance(model, str | Path) else None,
        )
    result = run_to_end(steps, on_progress)
    return attach(tissue, result, run, inplace=own)


def label_section(
    tissue: AnnData,
    model: DomainModel,
    control: RunControl | None = None,
    *,
    counts_layer: str = "",
    coordinates: str = "",
    device: str = "auto",
    max_memory: float = 0.0,
    adapt: bool = True,
) -> Generator[Progress, None, DomainResult]:
    """Label a section by a model; the tissue is not changed.

    Several sections in one table are labelled one after the other: what a model adapts
    to is one section. Genes are found by symbol. Counts are scaled to the model's depth
    and placed on its axes, neighbours are the section's own, and the members of the
    model's consensus vote on every spot.

    Parameters
    ----------
    tissue
        Raw counts, ``(n_spots, n_genes)``, with coordinates in ``obsm``.
    adapt
        Let the centres of the model's domains move towards this section's spots
        before they are labelled. A spot's label then depends on the section it is in;
        switch it off for pieces that hold a few spots of a domain or two.

    Yields
    ------
    progress
        Events of the stages prepare, describe, train (encoding) and assign.

    Returns
    -------
    result
        With the model's names and colours, to be written into a tissue by `attach`.

    Raises
    ------
    InputError
        If the section has fewer than half of the model's genes, or ten spots.
    SemstError
        Others of its kinds, as a run.
    """
    from napari_semst.core.sections import naming_section
    from napari_semst.io.sections import sections_of
    from napari_semst.pipeline.apply_sections import concat_results
    from napari_semst.pipeline.content import content_hashes
    from napari_semst.pipeline.forecast import refuse_beyond_limit
    from napari_semst.pipeline.inputs import section_inputs
    from napari_semst.pipeline.provenance import CONTENT
    from napari_semst.pipeline.spot_semantics import options_of_parts

    control = control or RunControl()
    config = _own_settings(model, counts_layer, coordinates, device, max_memory)
    key = config.prepare.section_key
    parts = sections_of(tissue, key if key in tissue.obs else "")
    if max_memory:
        n_counts = section_inputs(tissue, config).counts.nnz
        refuse_beyond_limit(tissue.n_obs, n_counts, config, settled=True)
    with memory_limited(max_memory):
        content = yield from content_hashes(tissue, config, control, "prepare")
        if len(parts.names) == 1:
            one = yield from _label_one(tissue, model, config, control, adapt=adapt)
            one.provenance[CONTENT] = content
            return one
        results, rows = [], list(parts.spots())
        divided: list[dict[str, Any] | None] = [None] * len(rows)
        if model.reads_semantics:
            divided = options_of_parts(tissue, config, rows)
        for name, spots, own in zip(parts.names, rows, divided, strict=True):
            with naming_section(name):
                steps = _label_one(
                    tissue[spots].copy(), model, config, control, own, adapt=adapt
                )
                results.append((yield from steps))
        joined = concat_results(results, parts, tissue)
        joined.provenance[CONTENT] = content
        return joined


def _label_one(
    tissue: AnnData,
    model: DomainModel,
    config: Config,
    control: RunControl,
    options: dict[str, Any] | None = None,
    *,
    adapt: bool,
) -> Generator[Progress, None, DomainResult]:
    from napari_semst.core.device import memory_errors_explained
    from napari_semst.core.threads import threads_limited, threads_wanted
    from napari_semst.methods.run_device import run_device
    from napari_semst.methods.spec import method_spec
    from napari_semst.pipeline.warnings import absent_domains

    start, spec = time.perf_counter(), method_spec(config.model.method)
    section, matched = yield from _prepare(tissue, model, config, control)
    embedding, described = yield from _describe(
        tissue, section, model, config, control, options
    )
    place = run_device(config)
    threads = threads_wanted(section.n_spots, all_cores=spec.uses_all_cores(config))
    with (
        threads_limited(threads),
        memory_errors_explained(),
    ):
        fit = yield from spec.load_transfer()(
            section, embedding, model.parameters, config, place, control
        )
        assignment = yield from _predict_domains(
            fit, section, model, config, control, adapt=adapt
        )
    control.check()
    seconds = {"apply": round(time.perf_counter() - start, 3)}
    provenance = _record(
        tissue, model, matched, (config, section, described, place, fit, seconds)
    )
    provenance["model"]["adapted"] = adapt
    provenance["warnings"] += absent_domains(assignment.codes, model.names)
    from napari_semst.pipeline.run import labelled

    result = labelled(assignment, model.names, fit, described, provenance)
    return replace(result, colors=model.colors)


@dataclass(frozen=True, slots=True)
class _Matched:
    """How a section's genes match the model's."""

    n_genes: int
    n_found: int
    n_repeated: int

    @property
    def share(self) -> float:
        """Share of the model's genes that the section has."""
        return self.n_found / self.n_genes

    def warnings(self) -> list[str]:
        warnings = []
        if self.share < WELL_KNOWN:
            warnings.append(
                f"The section has {self.n_found} of the model's {self.n_genes} genes "
                f"({self.share:.0%}; 90% or more is expected); the others are taken "
                "as not expressed, and labels are less sure than they say."
            )
        if self.n_repeated:
            warnings.append(
                f"{self.n_repeated} of the model's gene symbols stand several times "
                "in the section; the first of each was read."
            )
        return warnings


def _own_settings(
    model: DomainModel, layer: str, coordinates: str, device: str, max_memory: float
) -> Config:
    """Return the model's settings with what belongs to this section."""
    return model.config.with_overrides(
        {
            "prepare": {
                "counts_layer": layer,
                "coordinates": coordinates,
                # Mixtures know values averaged so often, whatever this section's size.
                "smoothing_rounds": model.rounds,
            },
            "training": {"device": device, "max_memory": max_memory},
        }
    )


def _prepare(
    tissue: AnnData, model: DomainModel, config: Config, control: RunControl
) -> Generator[Progress, None, tuple[Section, _Matched]]:
    """Match the genes and find this section's own neighbours."""
    from napari_semst.core.sections import Sections
    from napari_semst.pipeline.inputs import section_inputs
    from napari_semst.prepare.normalise import canonical_csr
    from napari_semst.prepare.section import Section, spatial_neighbours

    yield Progress("prepare", 0, 2, "Matching genes")
    if tissue.n_obs < _FEWEST_SPOTS:
        raise InputError(
            f"Expected a section of at least {_FEWEST_SPOTS} spots; found "
            f"{tissue.n_obs}."
        )
    inputs = section_inputs(tissue, config)
    counts, matched = matched_counts(
        canonical_csr(inputs.counts), inputs.symbols, model.genes
    )
    control.check()
    yield Progress("prepare", 1, 2, "Finding spatial neighbours")
    places = np.asarray(inputs.coordinates, dtype=np.float64)
    one = Sections.one(tissue.n_obs)
    spatial, found, average, near = spatial_neighbours(places, config.prepare, one)
    notes = {
        "genes": matched.n_genes,
        "genes_found": matched.n_found,
        "spatial_graph": found,
        "mean_spatial_neighbours": float(spatial.nnz / tissue.n_obs),
        "empty_spots": int((np.diff(counts.indptr) == 0).sum()),
    }
    section = Section(
        model.genes,
        counts,
        places,
        spatial,
        average,
        near,
        one,
        config.prepare,
        notes,
        gene_ids=_ids_of_model(inputs, model),
    )
    return section, matched


def _ids_of_model(inputs: SectionInputs, model: DomainModel) -> NDArray[np.str_] | None:
    """Return the ids that a section has for a model's genes, empty for the others."""
    if inputs.gene_ids is None:
        return None
    pairs = zip(inputs.symbols.tolist(), inputs.gene_ids.tolist(), strict=True)
    id_of = dict(reversed([*pairs]))
    return np.array([id_of.get(gene, "") for gene in model.genes.tolist()], np.str_)


def matched_counts(
    counts: sparse.csr_matrix, symbols: NDArray[np.str_], genes: NDArray[np.str_]
) -> tuple[sparse.csr_matrix, _Matched]:
    """Return the counts of a model's genes, in its order; genes not found are zero.

    A symbol that stands several times is read where it stands first, or, if it stands
    several times among the model's genes too, in the same order.

    Parameters
    ----------
    counts
        Raw counts, shape ``(n_spots, n_all_genes)``.
    symbols
        Of the columns, shape ``(n_all_genes,)``.
    genes
        The model's, shape ``(n_genes,)``.

    Raises
    ------
    InputError
        If fewer than half of the genes are found.
    """
    from scipy import sparse

    places: dict[tuple[str, int], int] = {}
    seen: dict[str, int] = {}
    for place, symbol in enumerate(map(str, symbols)):
        seen[symbol] = seen.get(symbol, 0) + 1
        places[symbol, seen[symbol]] = place
    wanted: dict[str, int] = {}
    columns, targets = [], []
    for target, gene in enumerate(map(str, genes)):
        wanted[gene] = wanted.get(gene, 0) + 1
        if (gene, wanted[gene]) in places:
            columns.append(places[gene, wanted[gene]])
            targets.append(target)
    repeated = sum(seen.get(gene, 0) > times for gene, times in wanted.items())
    matched = _Matched(len(genes), len(columns), repeated)
    if matched.share < LEAST_KNOWN:
        raise InputError(
            f"Expected a section with at least half of the model's {len(genes)} genes; "
            f"found {len(columns)} ({matched.share:.0%}). The model knows "
            f"{_some(genes)}; the section has {_some(symbols)}. Choose a section of "
            "the same species and panel, or train on it."
        )
    # A product with a matrix of zeros and ones picks, orders and leaves gaps at once.
    ones = np.ones(len(columns), dtype=counts.dtype)
    pick = sparse.csr_matrix((ones, (columns, targets)), (len(symbols), len(genes)))
    found = sparse.csr_matrix(counts @ pick)
    found.sort_indices()
    return found, matched


def _some(names: NDArray[np.str_]) -> str:
    return ", ".join(map(str, names[:3])) + ", ..."


def _describe(
    tissue: AnnData,
    section: Section,
    model: DomainModel,
    config: Config,
    control: RunControl,
    options: dict[str, Any] | None,
) -> Generator[Progress, None, tuple[NDArray[np.float32] | None, Semantics | None]]:
    """Return one semantic vector per spot, standardised as the model's section."""
    from napari_semst.pipeline.spot_semantics import embed_tissue

    if not model.reads_semantics:
        return None, None
    ranked = section.counts
    if model.deviation is not None:
        # What is ranked by specificity was not clipped.
        plain = config.semantics.ranking == "specificity"
        clip = np.inf if plain else section.config.clip
        ranked = _scaled_alike(section, model.deviation, clip)
    semantics = yield from embed_tissue(
        tissue, ranked, section, config, control, options
    )
    embedding = semantics.embedding
    if model.standard is not None:
        width = len(model.standard.mean)
        if embedding.shape[1] != width:
            raise InputError(
                f"Expected an embedding of {width} dimensions, as the model was "
                f"trained with; found {embedding.shape[1]}. Embed this section by the "
                "same source."
            )
        embedding = model.standard.transform(embedding)
    return embedding, replace(semantics, embedding=np.empty_like(embedding[:0]))


def _scaled_alike(
    section: Section, deviation: NDArray[np.float64], clip: float
) -> sparse.csr_matrix:
    """Return scaled expression by the deviations of the model's section."""
    from napari_semst.prepare.normalise import scale_depth, with_values

    depth = scale_depth(section.counts, section.config.target_sum)
    known = np.where(deviation == 0, 1.0, deviation).astype(np.float32)
    values = depth.data / known[depth.indices]
    np.minimum(values, np.float32(clip), out=values)
    return with_values(depth, values)


def _predict_domains(
    fit: Fit,
    section: Section,
    model: DomainModel,
    config: Config,
    control: RunControl,
    *,
    adapt: bool,
) -> Generator[Progress, None, Assignment]:
    """Return the domains that the model's members agree on, by the model's codes."""
    from napari_semst.domains.cluster import Assignment, settled
    from napari_semst.domains.confidence import spot_confidence
    from napari_semst.domains.consensus import predict_members

    seed = config.training.seed
    posterior = yield from predict_members(
        fit.views, section.average, model.members, seed, control, adapt=adapt
    )
    # Domains that had no spot when the model was made have no name.
    posterior = posterior[:, : len(model.names)]
    labels = yield from settled(
        posterior, fit.views, section, config.domains, seed, control
    )
    share = posterior[np.arange(len(labels)), labels]
    present = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    confidence = yield from spot_confidence(
        fit.views, section, present, share, seed, control
    )
    return Assignment(labels.astype(np.int32), confidence)


def _record(
    tissue: AnnData, model: DomainModel, matched: _Matched, made: tuple[Any, ...]
) -> dict[str, Any]:
    """Return the provenance of a run, and the model behind it."""
    from napari_semst.pipeline.provenance import record, spots_hash
    from napari_semst.pipeline.warnings import tissue_warnings

    provenance = record(*made)
    noticed = dict.fromkeys(tissue_warnings(tissue, made[1]))
    provenance["warnings"][:0] = [*noticed, *matched.warnings()]
    provenance["spots_hash"] = spots_hash(tissue.obs_names)
    trained = model.facts.get("semantics", {})
    now = provenance["semantics"]
    if now and str(now.get("revision", "")) != trained.get("revision", ""):
        provenance["warnings"].append(
            f"The model was trained with revision {trained.get('revision')!r} of the "
            f"gene semantics; this is {now.get('revision')!r}. Labels may differ."
        )
    provenance["model"] = {
        "hash": model.fingerprint,
        **{name: value for name, value in model.facts.items() if name != "semantics"},
        "genes": matched.n_genes,
        "genes_found": matched.n_found,
    }
    return provenance
