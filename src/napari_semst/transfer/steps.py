"""The way from annotated references to the names of a section; all callers take it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.progress import Progress, RunControl, run_in_thread
from napari_semst.genes.gene_names import guess_species
from napari_semst.genes.table import builtin_table
from napari_semst.pipeline.inputs import section_inputs
from napari_semst.pipeline.provenance import spots_hash, versions
from napari_semst.transfer.account import (
    named_domains_of,
    provenance_of,
    remarks_of_names,
    remarks_of_reference,
    remarks_of_target,
)
from napari_semst.transfer.builtin_signatures import (
    builtin_for,
    builtin_signature,
    is_builtin,
)
from napari_semst.transfer.estimator import name_spots
from napari_semst.transfer.null import name_each_spot, name_groups
from napari_semst.transfer.references import names_per_spot
from napari_semst.transfer.result import NamedSpots, TransferResult
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.signature import Signature, signature_of
from napari_semst.transfer.signature_file import load_signature
from napari_semst.transfer.target import TargetOptions, target_config, target_domains

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from anndata import AnnData

    from napari_semst.config import Config
    from napari_semst.transfer.estimator import TransferScores
    from napari_semst.transfer.null import GroupNames
    from napari_semst.transfer.references import Reference
    from napari_semst.transfer.target import TargetDomains


def transfer_steps(
    references: Sequence[Reference],
    tissue: AnnData,
    options: TargetOptions | None = None,
    settings: TransferSettings | None = None,
    control: RunControl | None = None,
) -> Generator[Progress, None, TransferResult]:
    """Name the spots and domains of a section; the tissue is not changed.

    Parameters
    ----------
    references
        Where the names are from, as `references_from` returns them.
    tissue
        The section to name: raw counts, with coordinates in ``obsm``.
    options
        What of it is named.
    settings
        How: neighbours, draws, false discovery rate, seed.
    control
        Cancels from another thread.

    Yields
    ------
    progress
        Events of the stages read, prepare, describe, train where domains are found,
        assign and explain.

    Returns
    -------
    result
        To be written into a tissue by `attach_transfer`.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    started = time.perf_counter()
    options, settings = options or TargetOptions(), settings or TransferSettings()
    control = control or RunControl()
    config = target_config(options)
    signatures, titles, remarks = yield from _signatures(
        references, tissue, config, settings, control
    )
    n_labels = len({label for one in signatures for label in one.labels})
    domains = yield from target_domains(
        tissue, options, n_labels, settings.seed, control
    )
    control.check()
    named = yield from _named(tissue, signatures, domains, settings, config, control)
    scores, groups, spots = named
    remarks += remarks_of_target(tissue, scores, domains, config)
    remarks += remarks_of_names(groups, domains, settings.fdr)
    seconds = round(time.perf_counter() - started, 3)
    return TransferResult(
        scores.labels,
        NamedSpots(
            spots.best.astype(np.int32),
            np.take_along_axis(spots.scores, spots.ranked[:, :1], axis=1).ravel(),
            spots.q.astype(np.float32),
        ),
        named_domains_of(scores, domains, groups),
        domains.codes,
        {
            "references": titles,
            "signatures": {
                str(number): provenance_of(one)
                for number, one in enumerate(signatures, 1)
            },
            "labels": list(scores.labels),
            "domains": domains.column,
            "fdr": settings.fdr,
            "seed": settings.seed,
            "draws": settings.n_draws,
            "neighbours": settings.n_neighbours,
            "rounds": settings.n_rounds,
            "genes": {
                "reference": max(len(one.genes) for one in signatures),
                "target": len(scores.target.symbols),
                "shared": scores.n_shared,
                "known": int(scores.target.known.sum()),
            },
            "table": str(builtin_table().provenance.get("revision", "")),
            "versions": versions(),
            "seconds": seconds,
            "warnings": remarks,
            "spots_hash": spots_hash(tissue.obs_names),
        },
        domains.found,
    )


def _named(
    tissue: AnnData,
    signatures: Sequence[Signature],
    domains: TargetDomains,
    settings: TransferSettings,
    config: Config,
    control: RunControl,
) -> Generator[Progress, None, tuple[TransferScores, GroupNames, GroupNames]]:
    """Return how like spots are to names, and the names of domains and of spots."""
    scores = yield from name_spots(
        signatures, tissue, builtin_table(), control, settings, config
    )
    control.check()
    groups = yield from name_groups(
        scores, domains.codes, len(domains.names), settings, control
    )
    control.check()
    spots = yield from name_each_spot(scores, settings, control)
    control.check()
    return scores, groups, spots


def signature_steps(
    reference: Reference,
    control: RunControl,
    settings: TransferSettings | None = None,
) -> Generator[Progress, None, Signature]:
    """Read an annotated section where it is a path, and return its signature.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.io.read import read

    source, title = reference.source, reference.name
    if isinstance(source, Signature):
        return source
    if reference.path is not None and not reference.is_section:
        return load_signature(reference.path)
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        tissue = yield from run_in_thread(
            "read", f"Reading {title}", lambda tell: read(path), control
        )
    else:
        tissue = source
    # Looked at here: what is wrong with a column is said of the reference.
    codes, names = names_per_spot(tissue, reference.labels, title)
    made = yield from signature_of(tissue, reference.labels, control, settings=settings)
    told = {
        **made.provenance,
        "reference": title,
        "labels": reference.labels,
        "genes": len(made.genes),
        "spots_named": int((codes >= 0).sum()),
        "spots_hash": spots_hash(tissue.obs_names),
        "left_out": [name for name in names if name not in made.labels],
        "version": versions()["napari-semst"],
    }
    return replace(made, provenance=told)


def _signatures(
    references: Sequence[Reference],
    tissue: AnnData,
    config: Config,
    settings: TransferSettings,
    control: RunControl,
) -> Generator[Progress, None, tuple[list[Signature], list[str], list[str]]]:
    """Return the signature of each reference, its name, and remarks on all."""
    made, titles, remarks = [], [], []
    own = spots_hash(tissue.obs_names)
    for number, reference in enumerate(references):
        yield Progress("read", number, len(references), f"Reference {reference.name}")
        control.check()
        title = reference.name
        if is_builtin(reference.source):
            species = guess_species(section_inputs(tissue, config).symbols)
            title = builtin_for(title, species)
            one = builtin_signature(title, species)
        else:
            one = yield from signature_steps(reference, control, settings)
        remarks += remarks_of_reference(one, title, own)
        made.append(one)
        titles.append(title)
    return made, titles, remarks
