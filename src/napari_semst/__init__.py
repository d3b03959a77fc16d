"""Spatial domains of tissue sections, guided by what genes mean."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_semst.bench.api import compare_methods
    from napari_semst.bench.plan import BenchFile, BenchPlan
    from napari_semst.cohort.api import find_domains_cohort
    from napari_semst.config import Config, Request
    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.explanation.discordance import explain_discordance
    from napari_semst.explanation.explain import explain
    from napari_semst.figure.coloured import colour_figure
    from napari_semst.io.export.h5ad import write
    from napari_semst.io.export.spatialdata import write_spatialdata_table
    from napari_semst.io.geojson.label import add_regions
    from napari_semst.io.geojson.write import write_geojson
    from napari_semst.io.import_labels import add_labels
    from napari_semst.io.places.added_image import add_image, remove_image
    from napari_semst.io.places.landmarks import (
        read_landmarks,
        register_image,
        write_landmarks,
    )
    from napari_semst.io.read import read
    from napari_semst.io.transcripts.read import read_transcripts
    from napari_semst.nn.semantic_modulation import FSM
    from napari_semst.pipeline.api import find_domains
    from napari_semst.pipeline.apply_model import apply_model
    from napari_semst.pipeline.convert import convert
    from napari_semst.pipeline.model import load_model, save_model
    from napari_semst.pipeline.result import attach
    from napari_semst.registration.landmarks import Landmarks
    from napari_semst.report.write import write_report
    from napari_semst.sample import simulated_cortex, simulated_discordance
    from napari_semst.session.script import write_session
    from napari_semst.transfer.api import make_signature, transfer_labels
    from napari_semst.transfer.signature import Signature
    from napari_semst.transfer.signature_file import load_signature, save_signature
    from napari_semst.verification.verify import verify_result

__version__ = "0.1.0"

_HOME = {
    "BenchFile": "bench.plan",
    "BenchPlan": "bench.plan",
    "Config": "config",
    "FSM": "nn.semantic_modulation",
    "Landmarks": "registration.landmarks",
    "Progress": "core.progress",
    "Request": "config",
    "RunControl": "core.progress",
    "Signature": "transfer.signature",
    "add_image": "io.places.added_image",
    "add_labels": "io.import_labels",
    "add_regions": "io.geojson.label",
    "apply_model": "pipeline.apply_model",
    "attach": "pipeline.result",
    "colour_figure": "figure.coloured",
    "compare_methods": "bench.api",
    "convert": "pipeline.convert",
    "explain": "explanation.explain",
    "explain_discordance": "explanation.discordance",
    "find_domains": "pipeline.api",
    "find_domains_cohort": "cohort.api",
    "load_model": "pipeline.model",
    "load_signature": "transfer.signature_file",
    "make_signature": "transfer.api",
    "read": "io.read",
    "read_landmarks": "io.places.landmarks",
    "read_transcripts": "io.transcripts.read",
    "register_image": "io.places.landmarks",
    "remove_image": "io.places.added_image",
    "save_model": "pipeline.model",
    "save_signature": "transfer.signature_file",
    "simulated_cortex": "sample",
    "simulated_discordance": "sample",
    "transfer_labels": "transfer.api",
    "verify_result": "verification.verify",
    "write": "io.export.h5ad",
    "write_geojson": "io.geojson.write",
    "write_landmarks": "io.places.landmarks",
    "write_report": "report.write",
    "write_session": "session.script",
    "write_spatialdata_table": "io.export.spatialdata",
}

__all__ = [
    "FSM",
    "BenchFile",
    "BenchPlan",
    "Config",
    "Landmarks",
    "Progress",
    "Request",
    "RunControl",
    "Signature",
    "__version__",
    "add_image",
    "add_labels",
    "add_regions",
    "apply_model",
    "attach",
    "colour_figure",
    "compare_methods",
    "convert",
    "explain",
    "explain_discordance",
    "find_domains",
    "find_domains_cohort",
    "load_model",
    "load_signature",
    "make_signature",
    "read",
    "read_landmarks",
    "read_transcripts",
    "register_image",
    "remove_image",
    "save_model",
    "save_signature",
    "simulated_cortex",
    "simulated_discordance",
    "transfer_labels",
    "verify_result",
    "write",
    "write_geojson",
    "write_landmarks",
    "write_report",
    "write_session",
    "write_spatialdata_table",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
