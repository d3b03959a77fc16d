"""Names for a section from an annotated one in one call, for scripts and notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.transfer.references import (
    Reference,
    references_from,
    refuse_own_labels,
)
from napari_semst.transfer.result import attach_transfer
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.steps import signature_steps, transfer_steps
from napari_semst.transfer.target import TargetOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.core.progress import Progress
    from napari_semst.transfer.references import Source
    from napari_semst.transfer.signature import Signature


def transfer_labels(
    reference: Source | Sequence[Source],
    target: AnnData | str | Path,
    *,
    labels: str | Sequence[str] | None = None,
    domains: str = "",
    n_domains: int = 0,
    fdr: float = 0.1,
    seed: int = 0,
    counts_layer: str = "",
    coordinates: str = "",
    on_progress: Callable[[Progress], None] | None = None,
) -> AnnData:
    """Name the spots and domains of a section from an annotated one.

    The two need no gene in common: shared genes and what genes mean count together.
    `transfer_steps` is the same as a generator, which can be cancelled.

    Parameters
    ----------
    reference
        An annotated section or its path, a `Signature` or its file, or the name of one
        that ships, as ``"builtin:cortex"``; or a list of these.
    target
        The section to name, or its path.
    labels
        The obs column of the reference that holds the names; a list, where several
        references have columns of their own. Not needed for signatures.
    domains, n_domains, counts_layer, coordinates
        As for `TargetOptions`.
    fdr, seed
        As for `TransferSettings`.
    on_progress
        Called with every progress event.

    Returns
    -------
    tissue
        A new tissue with ``obs["semst_transfer"]``, ``obs["semst_transfer_score"]``,
        ``obs["semst_transfer_q"]``, ``obs["semst_transfer_domain"]`` and
        ``uns["semst_transfer"]``; what was given is not changed.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.io.read import as_tissue

    options = TargetOptions(domains, n_domains, counts_layer, coordinates)
    settings = TransferSettings(fdr=fdr, seed=seed)
    references = references_from(reference, labels)
    refuse_own_labels(references, target)
    tissue, own = as_tissue(target)
    steps = transfer_steps(references, tissue, options, settings)
    result = run_to_end(steps, on_progress)
    return attach_transfer(tissue, result, inplace=own)


def make_signature(
    source: AnnData | str | Path,
    labels: str,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> Signature:
    """Return the signature of an annotated section: how its names differ by gene.

    Parameters
    ----------
    source
        The annotated section, or its path.
    labels
        The obs column of the names; spots without one are left out.
    on_progress
        Called with every progress event.

    Returns
    -------
    signature
        To be given as a reference, or written by `save_signature`.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    reference = Reference(source, labels)
    return run_to_end(signature_steps(reference, RunControl()), on_progress)
