"""What was run, with what, on what."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.config import Config
from napari_semst.morphology.base import MOST_KEPT
from napari_semst.pipeline.content import texts_hash
from napari_semst.prepare.rows import total_per_gene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from napari_semst.core.device import DeviceChoice
    from napari_semst.methods.base import Fit
    from napari_semst.prepare.section import Section
    from napari_semst.semantics import Semantics

# Sources that find genes by the names of the built-in table.
_BY_TABLE = ("builtin", "genes")
_PACKAGES = (
    "napari-semst",
    "numpy",
    "scipy",
    "pandas",
    "anndata",
    "scikit-learn",
    "scanpy",
    "numba",
    "torch",
)
STOPPED_EARLY = "Training was stopped early"
# Entries of a run's provenance: the files it read, what it read of them, and by what a
# change can be told.
INPUTS, CONTENT, EVIDENCE = "inputs", "content", "evidence"


def versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    import platform

    releases = {"python": platform.python_version()}
    for package in _PACKAGES:
        releases[package] = _release(package, version)
    return releases


@cache
def _release(package: str, told_by: Callable[[str], str]) -> str:
    """Return a package's version; reading it takes longer than a step of a run."""
    try:
        return told_by(package)
    except PackageNotFoundError:
        return "unknown"


def spots_hash(names: Iterable[str]) -> str:
    """Return a SHA-256 of the spots' names in their order."""
    return texts_hash(names)


def section_hash(section: Section) -> str:
    """Return a SHA-256 of the counts, genes and coordinates that were used."""
    return section.content_hash


def recorded_config(facts: Mapping[str, Any]) -> Config:
    """Return the settings that a run recorded, also after a file held them."""
    recorded = python_values(facts.get("config", {}))
    preset = str(recorded.pop("preset", "default"))
    return Config(preset).with_overrides(recorded)


def python_values(value: Any) -> Any:
    """Return nested values of a file as Python's own."""
    if hasattr(value, "items"):
        return {str(key): python_values(inner) for key, inner in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return value


def _genes_known(section: Section, semantics: dict[str, Any]) -> str:
    """Return in words which of the section's genes the built-in table knows."""
    from napari_semst.pipeline.gene_coverage import gene_coverage

    totals = total_per_gene(section.counts)
    known = gene_coverage(
        section.genes, section.gene_ids, totals, semantics.get("species")
    )
    return known.sentence()


def record(
    config: Config,
    section: Section,
    described: Semantics | None,
    device: DeviceChoice,
    fit: Fit,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Return what a reader needs to repeat the run and to trust it."""
    semantics = dict(described.provenance) if described is not None else {}
    warnings = [str(text) for text in semantics.pop("warnings", ())]
    if semantics.get("source") in _BY_TABLE:
        semantics["genes"] = _genes_known(section, semantics)
    morphology: dict[str, Any] = {}
    if section.morphology is not None:
        morphology = dict(section.morphology.notes)
        warnings += map(str, morphology.pop("warnings", ()))
        if len(section.morphology.names) <= MOST_KEPT:
            morphology["names"] = list(section.morphology.names)
    empty = section.notes["empty_spots"]
    if empty:
        warnings.append(
            f"{empty} of {section.n_spots} spots have no count in the chosen genes; "
            "their domain comes from their neighbours alone."
        )
    if fit.record.stopped_early:
        warnings.append(
            f"{STOPPED_EARLY} after {fit.record.epochs} of "
            f"{config.training.epochs} epochs."
        )
    return {
        "config": config.to_dict(),
        "seed": config.training.seed,
        "versions": versions(),
        "device": {"name": device.name, "reason": device.reason},
        "section": dict(section.notes),
        "semantics": semantics,
        "morphology": morphology,
        "training": {"epochs": fit.record.epochs, **fit.notes},
        "losses": {name: list(curve) for name, curve in fit.record.losses.items()},
        "seconds": dict(seconds),
        "input_hash": section_hash(section),
        "warnings": warnings,
    }
