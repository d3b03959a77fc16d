"""A transfer from files to files: read, name, save, and say what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.core.progress import run_to_end
from napari_semst.pipeline.files_read import inputs_of
from napari_semst.pipeline.job import RunOutputs
from napari_semst.transfer.references import refuse_own_labels
from napari_semst.transfer.result import attach_transfer
from napari_semst.transfer.steps import transfer_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.transfer.references import Reference
    from napari_semst.transfer.result import TransferResult
    from napari_semst.transfer.settings import TransferSettings
    from napari_semst.transfer.target import TargetOptions

    Steps = Generator[Progress, None, TransferResult]


@dataclass(frozen=True, slots=True)
class TransferOutputs(RunOutputs):
    """Where names go; the figure shows domains, and the names of both."""

    def draw(self, tissue: AnnData, figure: Path, coordinates: str | None) -> None:
        """Draw the domains beside the names that they and their spots got, if any."""
        from napari_semst.figure.coloured import colour_figure

        column = str(tissue.uns[keys.TRANSFER]["provenance"]["domains"])
        names = [keys.TRANSFER_DOMAIN, keys.TRANSFER]
        colour_figure(
            tissue,
            figure,
            [column, *(one for one in names if tissue.obs[one].notna().any())],
            coordinates=coordinates,
            overwrite=self.overwrite,
        )


def transfer_and_save(
    references: Sequence[Reference],
    target: Path,
    options: TargetOptions,
    settings: TransferSettings,
    files: TransferOutputs,
    *,
    through: Callable[[Steps], Steps],
    control: RunControl | None = None,
    part: str = "",
    positions: str = "",
) -> dict[str, Any]:
    """Read, name and save; return an account in plain values.

    Parameters
    ----------
    references
        Where names are from.
    target
        The input to name.
    through
        Passes the events of the transfer on, and shows them to whoever waits.
    part, positions
        As for `napari_semst.read`, of the target.
    """
    from napari_semst.io.read import read

    refuse_own_labels(references, target)
    read_beside = [
        file
        for one in references
        if one.path is not None
        for file in inputs_of(one.path)
    ]
    files = TransferOutputs(
        files.tissue, files.csv, files.figure, files.overwrite, None, (*read_beside,)
    )
    files.check(target)
    tissue = read(
        target,
        part=part or None,
        positions=positions or None,
        features=options.features or None,
    )
    files.try_writing(tissue)
    steps = transfer_steps(references, tissue, options, settings, control)
    result = run_to_end(through(steps))
    attach_transfer(tissue, result, inplace=True)
    written = files.write(tissue, options.coordinates)
    return transfer_account(target, result, written)


def transfer_account(
    target: Path, result: TransferResult, written: Sequence[str]
) -> dict[str, Any]:
    """Return the machine-readable account of a transfer."""
    from napari_semst.pipeline.summary import peak_memory_mb

    told = result.provenance
    codes = result.spots.codes
    sizes = np.bincount(codes[codes >= 0], minlength=len(result.labels)).tolist()
    return {
        "input": str(target),
        "references": told["references"],
        "labels": list(result.labels),
        "fdr": told["fdr"],
        "n_spots": len(codes),
        "spots_named": int((codes >= 0).sum()),
        "spots_per_name": dict(zip(result.labels, sizes, strict=True)),
        "domains_in": told["domains"],
        "domains_found_now": result.found is not None,
        "domains": [
            {
                "domain": one.domain,
                "n_spots": one.n_spots,
                "name": one.name or None,
                "best": one.best,
                "score": round(one.score, 4),
                "p": round(one.p, 6),
                "q": round(one.q, 6),
                "runners_up": [[name, round(s, 4)] for name, s in one.runners_up],
                "sentence": one.sentence,
            }
            for one in result.domains
        ],
        "genes": told["genes"],
        "seconds": told["seconds"],
        "peak_memory_mb": peak_memory_mb(),
        "warnings": result.warnings,
        "written": list(written),
    }
