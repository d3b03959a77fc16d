"""A run made again with its settings, and its labels compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import Cancelled, InputError, SemstError
from napari_semst.pipeline.input_files import INPUT, MODEL
from napari_semst.pipeline.provenance import STOPPED_EARLY
from napari_semst.verification.check import DIFFERS, HOLDS, UNKNOWN, Check
from napari_semst.verification.saved import table_of
from napari_semst.wording import Worded, message

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData

    from napari_semst.config import Config
    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.pipeline.result import DomainResult
    from napari_semst.verification.contents import OwnContents
    from napari_semst.verification.given_files import FilesFound
    from napari_semst.verification.saved import SavedRun

_NAME = "rerun"


def check_repeat(
    saved: SavedRun, files: FilesFound, own: OwnContents, control: RunControl
) -> Generator[Progress, None, Check]:
    """Run again and compare the labels; nothing is written.

    The input is read where it is; where it is not, the counts in the result do, once
    they are known to be those of the run.
    """
    warnings = np.ravel(saved.record.get("warnings", ()))
    if any(str(text).startswith(STOPPED_EARLY) for text in warnings):
        text = "not made: training was stopped by hand, which settings do not repeat"
        return Check(_NAME, UNKNOWN, text)
    try:
        tissue, of = _tissue(saved, files, own)
        result = yield from _made_again(saved, tissue, files, control)
    except Cancelled:
        raise
    except SemstError as error:
        return Check(_NAME, UNKNOWN, Worded("could not be made: ", message(error)))
    return _compared(saved, result, of)


def _tissue(
    saved: SavedRun, files: FilesFound, own: OwnContents
) -> tuple[AnnData, str]:
    """Return what to run on, and what it is in words."""
    if files.tissue is not None:
        return files.tissue, "of the input"
    if own.holds:
        return saved.tissue, "of the counts in the result"
    missing = INPUT in files.roles or not files.roles
    what = "found none that could be read" if missing else "the run recorded none"
    raise InputError(f"Expected the input of the run; {what}.")


def _made_again(
    saved: SavedRun, tissue: AnnData, files: FilesFound, control: RunControl
) -> Generator[Progress, None, DomainResult]:
    from napari_semst.pipeline.apply_model import label_section
    from napari_semst.pipeline.model import load_model
    from napari_semst.pipeline.run import find_domains

    config = saved.config
    if config is None:
        raise InputError("Expected the settings of the run; they cannot be read.")
    if not saved.labelled_by_model:
        return (yield from find_domains(tissue, _found_again(config, files), control))
    place = next(iter(files.of_role(MODEL)), None)
    if place is None:
        raise InputError("Expected the model that labelled the section; found none.")
    return (
        yield from label_section(
            tissue,
            load_model(place),
            control,
            counts_layer=config.prepare.counts_layer,
            coordinates=config.prepare.coordinates,
            device=config.training.device,
            max_memory=config.training.max_memory,
            adapt=bool(saved.record["model"].get("adapted", True)),
        )
    )


def _found_again(config: Config, files: FilesFound) -> Config:
    """Return the settings with the files they name where those are now."""
    for role, place in zip(files.roles, files.places, strict=True):
        stage, _, name = role.partition(".")
        if name and place is not None:
            config = config.with_overrides({stage: {name: str(place)}})
    return config


def _compared(saved: SavedRun, result: DomainResult, of: str) -> Check:
    """Compare the labels of a result with those that were saved."""
    import pandas as pd

    from napari_semst.domains.metrics import truth_scores

    labels = pd.Categorical(saved.tissue.obs[saved.column])
    if len(labels) != len(result.codes):
        text = f"{len(result.codes):,} spots {of}, {len(labels):,} in the result"
        return Check(_NAME, DIFFERS, text)
    then = np.asarray(labels.codes)
    names: Any = np.asarray(labels.categories.astype(str), dtype=object)
    if (then >= 0).all() and _same_partition(then, result.codes):
        called = np.asarray(result.names, dtype=object)[result.codes]
        if (called == names[then]).all():
            return Check(_NAME, HOLDS, f"made again {of}: the same labels")
        text = f"made again {of}: the same domains, under other names"
        return Check(_NAME, HOLDS, text)
    scores = truth_scores(result.codes, pd.Series(labels))
    labelled = int((then >= 0).sum())
    others = round((1 - scores["acc"]) * labelled) + len(then) - labelled
    text = (
        f"made again {of}: {others:,} of {len(then):,} spots have other labels, "
        f"adjusted Rand index {scores['ari']:.3f}{_elsewhere(saved, result)}"
    )
    return Check(_NAME, DIFFERS, text)


def _same_partition(one: Any, other: Any) -> bool:
    import pandas as pd

    return bool((pd.factorize(one)[0] == pd.factorize(other)[0]).all())


def _elsewhere(saved: SavedRun, result: DomainResult) -> str:
    """Return what was otherwise when the result was made, as a reason."""
    then, now = saved.record, result.provenance
    reasons = []
    versions = table_of(then, "versions")
    if any(now["versions"].get(name) != told for name, told in versions.items()):
        reasons.append("other versions")
    device = table_of(then, "device").get("name")
    if device != now["device"]["name"]:
        reasons.append(f"device {device} then")
    revision = table_of(then, "semantics").get("revision") or ""
    if revision != (now["semantics"].get("revision") or ""):
        reasons.append(f"revision {revision or 'unknown'} of the gene semantics then")
    return f" ({', '.join(reasons)})" if reasons else ""
