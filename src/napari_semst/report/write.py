"""The file of a report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import SaveError
from napari_semst.io.export.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData


_GENES_EACH = 5
_COLUMNS = (
    "gene",
    "log2_fold_change",
    "auc",
    "share_in",
    "share_out",
    "p_adjusted",
)


def write_report(
    adata: AnnData,
    path: str | Path,
    *,
    run: str | None = None,
    annotation: str | None = None,
    markers: pd.DataFrame | None = None,
    colors: Sequence[str] = (),
    source: str | Path | None = None,
    coordinates: str | None = None,
    dpi: int = 110,
    overwrite: bool = False,
) -> Path:
    """Write a report of a run as one HTML file, which needs nothing beside it.

    It has the pictures, a table of the domains, the explanation where there is one,
    discordant regions with their genes and images where the latest run looked for them,
    input, settings, versions, device, warnings, and how to repeat the run.

    Parameters
    ----------
    adata
        A tissue with domains.
    path
        Where to, ending in ``.html``.
    run
        Name of the run; by default the latest.
    annotation
        obs column to show and to compare the domains with.
    markers
        A table of marker genes to print, one row per domain and gene; by default the
        genes of the run's explanation, where there is one.
    colors
        More to colour the spots by, as for `napari_semst.colour_figure`.
    source
        The file that the tissue was read from: its name and hash are told.
    coordinates
        Where the spots are: an obsm key, or two obs columns as ``"x,y"``; by default
        the usual places are looked through.
    dpi
        Dots per inch of the pictures.
    overwrite
        Whether a file that stands there may be replaced, once the new one is whole.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If there is no such run, annotation, column or coordinates.
    SaveError
        If the file cannot be written.
    """
    from napari_semst.figure.file import check_dpi
    from napari_semst.report.facts import gather_facts
    from napari_semst.report.figures import draw_pictures
    from napari_semst.report.page import render_page
    from napari_semst.report.regions import discordant_regions

    check_dpi(dpi)
    origin = None if source is None else Path(source)
    facts = gather_facts(adata, run, origin, annotation)
    shown = draw_pictures(adata, facts, annotation, colors, coordinates, dpi)
    if markers is None:
        markers = _explained(adata, facts.run)
    day = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return write_page(
        render_page(
            facts, shown, markers, day, discordant_regions(adata, facts.run, dpi)
        ),
        path,
        overwrite=overwrite,
    )


def write_page(page: str, path: str | Path, *, overwrite: bool) -> Path:
    """Write a page as a file ending in ``.html``, and return it.

    Raises
    ------
    SaveError
        If it cannot be written.
    """
    text = page.encode()

    def check(temporary: Path) -> None:
        if temporary.read_bytes() != text:
            raise SaveError(
                "Expected the report to read back the same; it differs. Nothing was "
                "changed; save again, or to another disk."
            )

    return write_atomically(
        path,
        lambda temporary: _write(temporary, text),
        check,
        overwrite=overwrite,
        suffix=".html",
    )


def _write(path: Path, text: bytes) -> None:
    path.write_bytes(text)


def _explained(adata: AnnData, run: str) -> pd.DataFrame | None:
    """Return the genes of a run's explanation, None where it has none."""
    import pandas as pd

    from napari_semst import keys
    from napari_semst.pipeline.provenance import python_values

    runs = adata.uns.get(keys.RUNS, {})
    recorded = python_values(runs.get(run, {})) if hasattr(runs, "get") else {}
    domains = recorded.get("explanation", {}).get("domains", {})
    tables = []
    for name, domain in domains.items():
        genes = domain.get("genes", {})
        # Files keep the columns in the order of the alphabet.
        order = [c for c in _COLUMNS if c in genes]
        table = pd.DataFrame({column: genes[column] for column in order})
        table = table.head(_GENES_EACH)
        if len(table):
            table.insert(0, "domain", name)
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else None
