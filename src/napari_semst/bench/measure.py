"""What is measured of one cell: it is trained once and read by every readout."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.bench.cell import asks_for_number, readout_settings
from napari_semst.bench.oracle import BestEpoch, EveryEpochs
from napari_semst.core.progress import Progress, RunControl

if TYPE_CHECKING:
    from collections.abc import Generator

    import pandas as pd
    from numpy.typing import NDArray

    from napari_semst.bench.cell import BenchCell
    from napari_semst.config import Config
    from napari_semst.methods.base import Fit, ModulationMap
    from napari_semst.prepare.section import Section

_BINS = 120
_DIGITS = 6


class Measured(NamedTuple):
    """What was measured.

    Parameters
    ----------
    record
        Plain values.
    arrays
        Labels of each readout, and what pictures are made of.
    """

    record: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


class _Watch:
    """Seconds of the clock, and of the processor, since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {
            "seconds": round(time.perf_counter() - self._began[0], 3),
            "cpu_seconds": round(time.process_time() - self._began[1], 3),
        }


class _Learnt(NamedTuple):
    """What a method learnt of a section, and what scores need."""

    config: Config
    section: Section
    fit: Fit
    truth: pd.Series[Any]
    semantics: NDArray[np.float32] | None
    best: dict[str, float] | None


def measure_cell(
    cell: BenchCell, control: RunControl
) -> Generator[Progress, None, Measured]:
    """Do one cell, from the file to the scores.

    The annotation is set aside as the file is read, and meets the domains in the
    scores. Times are those from the file to the domains of each readout; where the best
    epoch is looked for, that is among them.

    Raises
    ------
    SemstError
        As `napari_semst.find_domains`; if files or the version are not those that the
        cell names.
    """
    from napari_semst.core.memory import memory_limited
    from napari_semst.core.threads import threads_limited
    from napari_semst.pipeline.summary import peak_memory_mb

    config = cell.config
    yield from _check_same_inputs(cell, control)
    with threads_limited(1), memory_limited(config.training.max_memory):
        watch = _Watch()
        learnt = yield from _learnt(cell, config, control)
        taken = watch.read()
        read, codes = yield from _read_out(cell, learnt, taken, control)
        more, arrays = yield from _pictured(cell, learnt, control)
    record = {
        **_identity(cell, learnt),
        **more,
        "readouts": read,
        "train_seconds": taken["seconds"],
        "peak_memory_mb": peak_memory_mb(),
        "oracle_every": cell.oracle,
        "oracle": learnt.best,
    }
    return Measured(record, {**codes, **arrays})


def _check_same_inputs(
    cell: BenchCell, control: RunControl
) -> Generator[Progress, None, None]:
    """Refuse a cell whose files or version are no longer those that it names.

    Raises
    ------
    InputError
        If so: its results would be kept as those of other content.
    """
    from napari_semst.bench.inputs import NamedDigests
    from napari_semst.errors import InputError
    from napari_semst.pipeline.input_files import hash_files, source_files
    from napari_semst.pipeline.provenance import versions

    version = versions()["napari-semst"]
    if version != cell.version:
        raise InputError(
            f"Expected napari-semst {cell.version}, with which the comparison was "
            f"begun; found {version}. Install the same everywhere, or begin again."
        )
    source = Path(cell.source)
    sha256, _ = yield from hash_files(source, source_files(source), control)
    if sha256 != cell.sha256:
        raise InputError(
            f"Expected {source} as it was when the comparison began; its content "
            "differs. Run the same again, which begins with what is there now."
        )
    if NamedDigests().of(cell.config, cell.source) != cell.named:
        raise InputError(
            f"Expected the files that settings name for {cell.file} as they were when "
            "the comparison began; they differ. Run the same again, which begins with "
            "what is there now."
        )


def _learnt(
    cell: BenchCell, config: Config, control: RunControl
) -> Generator[Progress, None, _Learnt]:
    """Read, prepare, describe and train; the annotation is taken out before."""
    from dataclasses import replace

    from napari_semst.bench.inputs import annotation_of, read_section
    from napari_semst.core.device import choose_device, memory_errors_explained
    from napari_semst.methods.spec import method_spec
    from napari_semst.morphology.describe import describe_morphology
    from napari_semst.pipeline.run import prepared
    from napari_semst.pipeline.spot_semantics import spot_embedding

    yield Progress("read", 0, 0, "Reading")
    tissue = read_section(cell.source, config)
    truth = annotation_of(tissue, cell.labels, cell.file)
    tissue.obs = tissue.obs.drop(columns=cell.labels)
    config, section, _ = yield from prepared(tissue, config, control)
    image = yield from describe_morphology(tissue, section.coordinates, config, control)
    if image is not None:
        section = replace(section, morphology=image)
    found, _, _ = yield from spot_embedding(tissue, section, config, control)
    embedding = None if found is None else found[:]
    device = choose_device(config.training.device)
    spec = method_spec(config.model.method)
    best = _best_epoch(cell, config, truth)
    own = EveryEpochs(control, cell.oracle) if best else control
    with memory_errors_explained():
        steps = spec.load_fit()(section, embedding, config, device, own)
        fit = yield from best.watching(steps, control) if best else steps
    return _Learnt(config, section, fit, truth, embedding, best.found if best else None)


def _best_epoch(
    cell: BenchCell, config: Config, truth: pd.Series[Any]
) -> BestEpoch | None:
    """Return what looks for the best epoch, where that is asked for.

    The annotation meets the latents of epochs there, and nothing of it comes back to
    the training.
    """
    if not cell.oracle:
        return None
    k = truth.dropna().astype(str).nunique()
    if not asks_for_number(config):
        k = config.domains.n_domains
    return BestEpoch(truth, k, config.domains.n_starts, config.training.seed)


def _read_out(
    cell: BenchCell, learnt: _Learnt, taken: dict[str, float], control: RunControl
) -> Generator[Progress, None, tuple[dict[str, Any], dict[str, NDArray[Any]]]]:
    """Return scores and times of every readout, and the labels."""
    from napari_semst.domains.cluster import assign_domains
    from napari_semst.domains.metrics import spatial_scores, truth_scores

    config, section, fit = learnt.config, learnt.section, learnt.fit
    watch, seed = _Watch(), config.training.seed
    k = yield from _number(learnt, control)
    chosen = watch.read()
    read: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for readout in cell.readouts:
        watch = _Watch()
        settings = readout_settings(config, readout, k)
        found = yield from assign_domains(fit, section, settings, seed, control)
        own = watch.read()
        scores = truth_scores(found.codes, learnt.truth)
        places = section.sections.codes
        scores |= spatial_scores(found.codes, section.coordinates, sections=places)
        read[readout] = {
            **{name: round(value, _DIGITS) for name, value in scores.items()},
            "n_domains": found.n_domains,
            **{name: round(taken[name] + chosen[name] + own[name], 3) for name in own},
        }
        arrays[f"codes_{readout}"] = _small(found.codes)
    return read, arrays


def _number(learnt: _Learnt, control: RunControl) -> Generator[Progress, None, int]:
    """Return the number of domains, chosen from the curve where that is wanted."""
    from napari_semst.domains.choose_k import choose_number

    if not asks_for_number(learnt.config):
        return learnt.config.domains.n_domains
    seed = learnt.config.training.seed
    found = yield from choose_number(learnt.fit.views, learnt.section, seed, control)
    return found.chosen


def _identity(cell: BenchCell, learnt: _Learnt) -> dict[str, Any]:
    from napari_semst.core.device import choose_device

    record = learnt.fit.record
    moved = learnt.fit.modulation
    losses = {name: curve[-1] for name, curve in record.losses.items()}
    return {
        "key": cell.key,
        "file": cell.file,
        "sha256": cell.sha256,
        "labels": cell.labels,
        **cell.variant._asdict(),
        "seed": cell.seed,
        "version": cell.version,
        "settings_hash": cell.settings_hash,
        "request": cell.request,
        "n_spots": learnt.section.n_spots,
        "n_genes_read": len(learnt.section.genes),
        "epochs": record.epochs,
        "losses": losses,
        "strength": None if moved is None else float(moved.strength.mean()),
        "device": choose_device(learnt.config.training.device).name,
    }


def _pictured(
    cell: BenchCell, learnt: _Learnt, control: RunControl
) -> Generator[Progress, None, tuple[dict[str, Any], dict[str, NDArray[Any]]]]:
    """Return what the pictures of figures 3, 6 and 7 are made of."""
    record: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    moved = learnt.fit.modulation
    if moved is not None:
        for name, values in (("alpha", moved.scale), ("beta", moved.shift)):
            counts, edges = np.histogram(values, bins=_BINS)
            arrays[f"{name}_counts"], arrays[f"{name}_edges"] = counts, edges
            record[f"{name}_mean"] = float(values.mean(dtype=np.float64))
            record[f"{name}_sd"] = float(values.std(dtype=np.float64))
        arrays |= yield from _before_and_after(learnt, moved, control)
    if cell.planar and learnt.semantics is not None:
        arrays["plane"] = laid_out(learnt.semantics, cell.seed)
    return record, arrays


def _before_and_after(
    learnt: _Learnt, moved: ModulationMap, control: RunControl
) -> Generator[Progress, None, dict[str, NDArray[Any]]]:
    """Return k-means of the features before the fusion, and of those after it."""
    from napari_semst.domains.cluster import largest_first
    from napari_semst.domains.cluster_methods import k_means_of_latent

    if moved.before is None:
        return {}
    found: dict[str, NDArray[Any]] = {}
    settings, seed = learnt.config.domains, learnt.config.training.seed
    k = yield from _number(learnt, control)
    after = (1 + moved.scale) * moved.before + moved.shift
    for name, features in (("before", moved.before), ("after", after)):
        labels = yield from k_means_of_latent(
            features, k, settings.n_starts, seed, control
        )
        found[f"modulation_{name}"] = _small(largest_first(labels))
    return found


def _small(codes: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Return numbers of domains as few bytes: a comparison holds those of all cells."""
    small: NDArray[np.integer[Any]] = codes.astype(np.min_scalar_type(int(codes.max())))
    return small


def laid_out(
    vectors: NDArray[np.float32], seed: int, most: int = 20_000
) -> NDArray[np.float32]:
    """Return places of spots on a plane, near where their vectors are alike (UMAP).

    Parameters
    ----------
    most
        Spots that are laid out; of more, those drawn by the seed, and the others are
        not a number.
    """
    from napari_semst.explore.umap import plane_of

    n_spots = len(vectors)
    spots = np.arange(n_spots)
    if n_spots > most:
        random = np.random.default_rng(seed)
        spots = np.sort(random.choice(spots, most, replace=False))
    places = np.full((n_spots, 2), np.nan, np.float32)
    places[spots] = plane_of(vectors[spots], seed)
    return places
