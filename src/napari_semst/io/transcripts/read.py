"""Single molecules of some genes as a table: what scripts and sessions call."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import InputError
from napari_semst.io.beside.noted_files import COSMX, MERSCOPE, XENIUM
from napari_semst.io.checks import abbreviate
from napari_semst.io.transcripts.instruments import source_of_file, table_in
from napari_semst.io.transcripts.points import points_in
from napari_semst.io.transcripts.reader import LEAST_QUALITY, MoleculeReader
from napari_semst.io.transcripts.sources import names_before, transcript_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from anndata import AnnData

    from napari_semst.core.progress import Progress
    from napari_semst.io.transcripts.sources import TranscriptSource
    from napari_semst.io.transcripts.tables import Box

# As each instrument calls its table.
TABLES = {XENIUM: "transcripts", MERSCOPE: "detected_transcripts", COSMX: "tx_file"}
NO_TABLE = (
    "Expected a section with a table of single molecules: transcripts.parquet of "
    "Xenium, detected_transcripts.csv of MERSCOPE, tx_file.csv of CosMx, or points of "
    "a SpatialData store; found none. Open the instrument's own folder, or keep the "
    "saved section beside it."
)


def read_transcripts(
    section: AnnData | str | Path,
    genes: str | Sequence[str],
    region: Box | None = None,
    *,
    min_quality: float = LEAST_QUALITY,
    control: RunControl | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> pd.DataFrame:
    """Return the single molecules of some genes in a section.

    The table is gone through once, in pieces: memory is taken for the molecules found,
    some 40 bytes each. Molecules outside of cells are among them.

    Parameters
    ----------
    section
        As `napari_semst.read` returns it, also after it was saved beside its folder; or
        a folder of Xenium, MERSCOPE or CosMx, a SpatialData store, or the table itself.
    genes
        One or several, by the names in the table or in the section, which may have
        symbols for ids. Controls are read only by name.
    region
        ``(x_min, y_min, x_max, y_max)`` in the coordinates of ``obsm["spatial"]``; all
        of the section if not given.
    min_quality
        Molecules of a lower quality value (``qv``, which Xenium has) are left out.
    control
        Cancels, from another thread.
    progress
        Is told how far reading is.

    Returns
    -------
    pandas.DataFrame
        A row for each molecule: ``x`` and ``y`` (float32, in the coordinates and the
        unit of ``obsm["spatial"]``), ``gene`` (categorical) and, where sections were
        joined, ``section``. ``attrs["low_quality"]`` counts, for each gene, the
        molecules left out for their quality.

    Raises
    ------
    InputError
        If no table is known, or it is damaged; if the region is none; if a gene is not
        among the section's and has no molecule.
    Cancelled
        If that was asked for.
    """
    wanted = tuple(
        dict.fromkeys([genes] if isinstance(genes, str) else map(str, genes))
    )
    if not wanted:
        raise InputError("Expected one gene or several; got none. Name some.")
    known: Any = ()
    before: dict[str, str] = {}
    if isinstance(section, str | Path):
        sources = sources_at(section)
    else:
        sources, known = transcript_sources(section), section.var_names
        before = names_before(section, wanted)
    if not sources:
        raise InputError(NO_TABLE)
    reader = MoleculeReader(
        sources, wanted, min_quality, checked_region(region), before
    )
    run_to_end(reader.steps(control or RunControl()), progress)
    found = reader.molecules()
    there = np.sum([one.n_found + one.n_low for one in found], axis=0)
    missing = [
        g for g, n in zip(wanted, there, strict=True) if not n and g not in known
    ]
    if missing:
        raise InputError(
            f"Expected genes of which {sources[0].file} has molecules; found none of "
            f"{abbreviate(missing)}{' in the region' * (region is not None)}. Names "
            "are those of the table, in its own case."
        )
    return _table(reader, wanted)


def _table(reader: MoleculeReader, genes: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    found = reader.molecules()
    sections = list(dict.fromkeys(one.section for one in found))
    parts = []
    for one in found:
        part = pd.DataFrame({"x": one.places[:, 0], "y": one.places[:, 1]})
        part["gene"] = pd.Categorical.from_codes(one.codes, list(genes))
        if any(sections):
            own = np.full(len(one), sections.index(one.section))
            part["section"] = pd.Categorical.from_codes(own, sections)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    low = np.sum([one.n_low for one in found], axis=0)
    table.attrs["low_quality"] = dict(zip(genes, map(int, low), strict=True))
    return table


def sources_at(path: str | Path) -> tuple[TranscriptSource, ...]:
    """Return the tables of molecules at a path, nothing where there is none.

    Parameters
    ----------
    path
        A table, an instrument's folder (also the one above ``outs``) or a SpatialData
        store.
    """
    place = Path(path).expanduser()
    if place.is_file():
        found = source_of_file(place)
        return () if found is None else (found,)
    points = points_in(place)
    if points:
        return points
    for folder in (place, place / "outs"):
        for name in (TABLES[MERSCOPE], TABLES[COSMX], TABLES[XENIUM]):
            table = table_in(folder, name)
            found = None if table is None else source_of_file(table)
            if found is not None:
                return (found,)
    return ()


def checked_region(region: Box | None) -> Box | None:
    """Return a region if it is one.

    Raises
    ------
    InputError
        If it is not four finite numbers, the least of x and y before the largest.
    """
    if region is None:
        return None
    try:
        numbers = tuple(float(one) for one in region)
    except (TypeError, ValueError):
        numbers = ()
    if (
        len(numbers) != 4
        or not all(map(math.isfinite, numbers))
        or numbers[0] > numbers[2]
        or numbers[1] > numbers[3]
    ):
        raise InputError(
            "Expected a region as (x_min, y_min, x_max, y_max), in the coordinates of "
            f"obsm['spatial']; got {region!r}."
        )
    return numbers
