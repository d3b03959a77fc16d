"""What a report tells, gathered from a tissue."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.io.places.landmark_facts import landmarks_in_words, microns_per_unit
from napari_semst.io.places.landmarks import landmarks_of
from napari_semst.io.sections import libraries
from napari_semst.io.text_columns import as_texts
from napari_semst.pipeline.input_files import INPUT as INPUT_FILE
from napari_semst.pipeline.input_files import MODEL
from napari_semst.pipeline.provenance import CONTENT, EVIDENCE, INPUTS
from napari_semst.semantics.base import known_coverage

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.transfer.result import NamedDomain

_BLOCK = 2**22
_SETTINGS = "settings.toml"
_STAGES = {
    "prepare": "Preparing",
    "morphology": "Histology",
    "describe": "Gene semantics",
    "train": "Training",
    "assign": "Domains",
}


@dataclass(frozen=True)
class DomainRow:
    """A domain in the table of domains; scores are None where there are none."""

    name: str
    color: str
    count: int
    share: float
    confidence: float | None
    modulation: float | None
    sentence: str


@dataclass(frozen=True)
class ReportFacts:
    """What a report tells.

    Parameters
    ----------
    run, column
        Name of the run, and the obs column of its domains.
    domains
        In the order of the column.
    n_spots, n_genes, without
        Of the section; spots without a domain.
    given
        The input: pairs of a term and what stands there.
    made
        Method, seed, device: likewise.
    versions
        Of packages, likewise.
    seconds
        Of each stage, likewise.
    settings
        All settings as TOML, empty where none were recorded.
    command, python
        The lines that repeat the run, in a shell and in Python, empty likewise.
    hashes
        SHA-256s of what was read and found, pairs as above.
    warnings
        Sentences that users should read.
    agreement
        Scores against an annotation, likewise pairs.
    confusion
        Spots by domain and annotation; None without one.
    losses
        One value per epoch, empty without training.
    naming
        Names of the domains from another section, empty without.
    named_by, naming_fdr
        Which section, and the false discovery rate up to which names are given.
    """

    title: str
    run: str
    column: str
    domains: tuple[DomainRow, ...]
    n_spots: int
    n_genes: int
    without: int
    given: tuple[tuple[str, str], ...]
    made: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    seconds: tuple[tuple[str, str], ...]
    settings: str
    command: str
    python: str
    hashes: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    agreement: tuple[tuple[str, str], ...]
    confusion: pd.DataFrame | None
    losses: tuple[float, ...]
    naming: tuple[NamedDomain, ...] = ()
    named_by: str = ""
    naming_fdr: str = ""


def gather_facts(
    adata: AnnData,
    run: str | None = None,
    source: Path | None = None,
    annotation: str | None = None,
) -> ReportFacts:
    """Return what a report tells of a run, or raise `InputError`.

    Parameters
    ----------
    run
        Name of the run; the latest where None.
    source
        The file that the tissue was read from.
    annotation
        obs column to compare with.
    """
    from napari_semst.figure.colouring import domain_column
    from napari_semst.io.notes import INPUT, input_warnings
    from napari_semst.pipeline.provenance import python_values
    from napari_semst.transfer.result import naming_facts, read_naming

    name = str(adata.uns.get(keys.LATEST, "")) if run is None else run
    column = domain_column(adata, run)
    runs = adata.uns.get(keys.RUNS, {})
    recorded = python_values(runs.get(name, {})) if hasattr(runs, "get") else {}
    input_notes = python_values(adata.uns.get(INPUT, {}))
    rows, codes = _rows(adata, column, name, recorded)
    scores, confusion = _agreement(adata, column, annotation)
    settings, command, python = _again(recorded, input_notes, name, source)
    title = str(input_notes.get("name", "")) or (source.name if source else "Section")
    # A run says itself whether it mixed sections.
    noticed = input_warnings(adata, told_apart=bool(recorded))
    transfer = naming_facts(adata)
    warnings = [*noticed, *_texts(recorded.get("warnings"))]
    warnings += _texts(transfer.get("warnings"))
    return ReportFacts(
        title=title,
        run=name,
        column=column,
        domains=rows,
        n_spots=adata.n_obs,
        n_genes=adata.n_vars,
        without=int((codes < 0).sum()),
        given=tuple(_given(adata, input_notes, recorded, source)),
        made=tuple(_made(recorded)),
        versions=tuple((k, str(v)) for k, v in recorded.get("versions", {}).items()),
        seconds=_seconds(recorded.get("seconds", {})),
        settings=settings,
        command=command,
        python=python,
        hashes=tuple(_hashes(recorded)),
        warnings=tuple(dict.fromkeys(warnings)),
        agreement=scores,
        confusion=confusion,
        losses=_losses(recorded),
        naming=read_naming(adata),
        named_by=", ".join(_texts(transfer.get("references"))),
        naming_fdr=f"{float(transfer.get('fdr', 0)):g}",
    )


def _rows(
    adata: AnnData, column: str, run: str, recorded: Mapping[str, Any]
) -> tuple[tuple[DomainRow, ...], NDArray[np.int64]]:
    """Return the table of domains, and the domain of each spot."""
    from napari_semst.figure.colouring import Categories, colouring_by_name

    domains = colouring_by_name(adata, column)
    if not isinstance(domains, Categories):
        raise InputError(f"Expected labels in obs[{column!r}]; found numbers.")
    codes = domains.codes
    counts = np.bincount(codes[codes >= 0], minlength=len(domains.names))
    latest = run in ("", str(adata.uns.get(keys.LATEST, run)))
    explained = recorded.get("explanation", {}).get("domains", {})
    rows = []
    for code, name in enumerate(domains.names):
        mask = codes == code
        rows.append(
            DomainRow(
                name,
                domains.colors[code],
                int(counts[code]),
                float(counts[code]) / max(len(codes), 1),
                _mean(adata, keys.CONFIDENCE, mask) if latest else None,
                _mean(adata, keys.MODULATION, mask) if latest else None,
                str(explained.get(name, {}).get("sentence", "")),
            )
        )
    return tuple(rows), codes


def _mean(adata: AnnData, key: str, mask: NDArray[np.bool_]) -> float | None:
    if key not in adata.obs:
        return None
    values = adata.obs[key].to_numpy(dtype=np.float64)[mask]
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _given(
    adata: AnnData,
    input_notes: Mapping[str, Any],
    recorded: Mapping[str, Any],
    source: Path | None,
) -> list[tuple[str, str]]:
    """Return what is known of the input."""
    pairs = [("Spots", f"{adata.n_obs:,}"), ("Genes", f"{adata.n_vars:,}")]
    if "name" in input_notes and (source is None or source.name != input_notes["name"]):
        pairs.append(("Read from", str(input_notes["name"])))
    if "kind" in input_notes:
        pairs.append(("Format", str(input_notes["kind"])))
    if "coordinates" in input_notes:
        pairs.append(("Coordinates", str(input_notes["coordinates"])))
    for library in libraries(adata):
        known = landmarks_of(adata, library)
        if known is not None:
            told = landmarks_in_words(known, microns_per_unit(adata, library, None))
            pairs.append((f"Image {library}", told[0].upper() + told[1:]))
    section = recorded.get("section", {})
    if "genes" in section:
        own = section.get("own_genes") or {}
        each = ", ".join(f"{genes} of {name}" for name, genes in own.items())
        pairs.append(("Genes used", each or str(section["genes"])))
    if "spatial_graph" in section:
        pairs.append(("Neighbourhood", str(section["spatial_graph"])))
    if source is not None:
        pairs.append(("File of this report", source.name))
        if source.is_file():
            pairs.append(("SHA-256 of that file", _file_hash(source)))
    return pairs


def _seconds(seconds: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the time of each stage, in their order."""
    stages = [stage for stage in _STAGES if stage in seconds]
    stages += [stage for stage in seconds if stage not in _STAGES]
    return tuple(
        (_STAGES.get(stage, stage), f"{float(seconds[stage]):.1f} s")
        for stage in stages
    )


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _made(recorded: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return with what the domains were found."""
    config, device = recorded.get("config", {}), recorded.get("device", {})
    pairs = []
    if "model" in config:
        pairs += [
            ("Method", str(config["model"].get("method", ""))),
            ("Recipe", str(config.get("preset", ""))),
            ("Readout", str(config.get("domains", {}).get("readout", ""))),
        ]
    if "seed" in recorded:
        pairs.append(("Seed", str(recorded["seed"])))
    if "epochs" in recorded.get("training", {}):
        pairs.append(("Epochs", str(recorded["training"]["epochs"])))
    semantics = recorded.get("semantics", {})
    if config:
        pairs.append(("Gene semantics", str(semantics.get("source", "none"))))
    if semantics.get("control"):
        pairs.append(("Control, not a result", str(semantics["control"])))
    if (coverage := known_coverage(semantics)) is not None:
        pairs.append(("Genes it knows", f"{coverage:.0%}"))
    if semantics.get("genes"):
        pairs.append(("Gene names", str(semantics["genes"])))
    if device:
        pairs.append(("Device", f"{device.get('name')}: {device.get('reason')}"))
    return pairs


def _again(
    recorded: Mapping[str, Any],
    input_notes: Mapping[str, Any],
    run: str,
    source: Path | None,
) -> tuple[str, str, str]:
    """Return the settings as TOML, and what repeats the run: in a shell, in Python."""
    from napari_semst.config import Request
    from napari_semst.pipeline.provenance import recorded_config
    from napari_semst.report.repeat import RunAsked, python_call, shell_command

    if not recorded.get("config"):
        return "", "", ""
    config = recorded_config(recorded)
    stages = config.to_dict()
    preset = str(stages.pop("preset"))
    name = str(input_notes.get("name", "")) or (source.name if source else "FILE")
    inputs = recorded.get(INPUTS, {})
    given = list(zip(inputs.get("role", ()), inputs.get("given", ()), strict=False))
    sources = tuple(place for role, place in given if role == INPUT_FILE) or (name,)
    model: Mapping[str, Any] = recorded.get("model", {})
    file = next((place for role, place in given if role == MODEL), "")
    asked = RunAsked(
        sources,
        run,
        str(inputs.get("spots", "all")),
        (file or str(model.get("file", "MODEL"))) if model else "",
        bool(model.get("adapted", True)),
    )
    if len(sources) > 1:
        # Of each input; joined, they have their usual places.
        before = {"counts_layer": inputs.get("layer", "")}
        before["coordinates"] = inputs.get("places", "")
        config = config.with_overrides({"prepare": before})
    toml = "" if model else Request(preset, stages).to_toml()
    return toml, shell_command(config, asked), python_call(config, asked)


def _hashes(recorded: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the hashes of the files, of their contents and of the labels."""
    inputs, content = recorded.get(INPUTS, {}), recorded.get(CONTENT, {})
    pairs = [
        (f"{Path(path).name} ({role})", str(digest))
        for role, path, digest in zip(
            *(inputs.get(name, ()) for name in ("role", "path", "sha256")),
            strict=False,
        )
    ]
    pairs += [
        (name.replace("_", " ").capitalize(), str(digest))
        for name, digest in content.items()
        if isinstance(digest, str)
    ]
    if recorded.get("input_hash"):
        pairs.append(("What was used of them", str(recorded["input_hash"])))
    labels = recorded.get(EVIDENCE, {}).get("labels", {})
    if labels:
        pairs.append(("Labels", str(labels.get("sha256", ""))))
    return pairs


def _agreement(
    adata: AnnData, column: str, annotation: str | None
) -> tuple[tuple[tuple[str, str], ...], pd.DataFrame | None]:
    """Return scores against an annotation, and the spots by domain and annotation."""
    import pandas as pd

    from napari_semst.domains.metrics import truth_scores
    from napari_semst.io.checks import abbreviate

    if annotation is None:
        return (), None
    if annotation not in adata.obs:
        raise InputError(
            f"Expected an annotation in obs[{annotation!r}]; found obs columns "
            f"{abbreviate(list(adata.obs))}. Name one of them."
        )
    both = adata.obs[[column, annotation]].dropna()
    if not len(both):
        raise InputError(
            f"Expected spots with a domain and an entry in obs[{annotation!r}]; found "
            "none. Name another column."
        )
    codes = pd.factorize(as_texts(both[column]))[0]
    scores = truth_scores(codes, both[annotation])
    shown = {"ari": "Adjusted Rand index", "nmi": "Normalised mutual information"}
    pairs = [(shown[k], f"{scores[k]:.3f}") for k in shown if k in scores]
    pairs.append(("Spots compared", f"{len(both):,}"))
    labels = [both[name].astype("category").cat for name in (column, annotation)]
    rows, columns = (each.remove_unused_categories() for each in labels)
    return tuple(pairs), pd.crosstab(rows, columns)


def _losses(recorded: Mapping[str, Any]) -> tuple[float, ...]:
    curves = recorded.get("losses", {})
    curve = curves.get("loss", next(iter(curves.values()), ())) if curves else ()
    return tuple(float(value) for value in np.ravel(curve))


def _texts(values: Any) -> list[str]:
    return [] if values is None else [str(text) for text in np.ravel(values)]
