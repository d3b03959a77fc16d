"""A table of spots and labels, as Loupe Browser writes it, as a column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, abbreviate, check_file, translate_errors
from napari_semst.io.export.spreadsheet import without_guards
from napari_semst.io.formats.gzipped import open_unpacked

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

_WHAT = "a table of spots and labels (.csv)"
_MOST_BYTES = 512 * MEGABYTE
_SPOTS = ("barcode", "spot", "spots", "cell", "cell_id", "cell id", "index", "")
_MOST_LABELS = 1000


@dataclass(frozen=True)
class LabelsAdded:
    """The labels that a table gave to spots.

    Parameters
    ----------
    names, counts
        Of the labels.
    without
        Spots without a label.
    unknown
        Rows whose spot the tissue does not have.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    without: int
    unknown: int

    def words(self) -> str:
        """Return what happened, for people."""
        sizes = zip(self.names, self.counts, strict=True)
        lines = [f"  {name:20} {count:,} spots" for name, count in sizes]
        lines.append(f"  {'without a label':20} {self.without:,} spots")
        if self.unknown:
            lines.append(
                f"  note: {self.unknown:,} rows name spots that this section lacks."
            )
        return "\n".join(lines)


def add_labels(
    adata: AnnData,
    path: str | Path,
    column: str = "regions",
    *,
    labels: str | None = None,
    overwrite: bool = False,
) -> LabelsAdded:
    """Write the labels of a table into a tissue, as a column.

    Parameters
    ----------
    adata
        The tissue; ``obs[column]`` and its colours are written into it.
    path
        A ``.csv`` with a header, one row per spot: its name in a column ``barcode``
        (or ``spot``, ``cell``), else in the first.
    column
        Name of the new column.
    labels
        The table's column of labels; by default the only other one, else ``domain``.
    overwrite
        Whether a column that is there may be replaced.

    Raises
    ------
    InputError
        If the table cannot be read, has no such columns, names a spot twice or none
        of the tissue's, or the column is there already.
    """
    import pandas as pd

    from napari_semst.io.export.names import check_new_name
    from napari_semst.palette import domain_colors

    check_new_name(column, "the new column")
    if column in adata.obs and not overwrite:
        raise InputError(
            f"Expected no column obs[{column!r}] yet; there is one. Choose another "
            "name, or allow it to be overwritten."
        )
    place = check_file(Path(path).expanduser(), _WHAT, at_most=_MOST_BYTES)
    own = adata.obs_names.astype(str)
    rows, unknown = _rows(place, labels, own)
    names = tuple(dict.fromkeys(rows))
    made = pd.Categorical(rows.reindex(own).to_numpy(), categories=list(names))
    adata.obs[column] = made
    colors = np.array(domain_colors(len(names)), dtype=str)
    adata.uns[column + keys.COLORS_SUFFIX] = colors
    counts = np.bincount(made.codes[made.codes >= 0], minlength=len(names))
    without = int((made.codes < 0).sum())
    return LabelsAdded(names, tuple(counts.tolist()), without, unknown)


def _rows(place: Path, labels: str | None, own: pd.Index) -> tuple[pd.Series[str], int]:
    """Return the labels by spot, and how many rows are of other spots."""
    import pandas as pd

    with translate_errors(place, _WHAT), open_unpacked(place, _WHAT) as file:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    spots, wanted = _columns(table, place, labels)
    for column in (spots, wanted):
        table[column] = without_guards(table[column])
    table = table[table[wanted] != ""]
    twice = table[spots][table[spots].duplicated()]
    if len(twice):
        raise InputError(
            f"Expected each spot once in {place}; {len(twice):,} come again (first: "
            f"{abbreviate(list(twice), 1)}). Keep one row for each."
        )
    known = table[spots].isin(own)
    n = table[wanted][known].nunique()
    if not 1 <= n <= _MOST_LABELS:
        raise InputError(
            f"Expected 1 to {_MOST_LABELS:,} labels of this section's spots in "
            f"{place}; found {n:,} (spots there: {abbreviate(list(table[spots]), 2)}; "
            f"here: {abbreviate(list(own), 2)}). Take the table of this section."
        )
    rows = pd.Series(table[wanted][known].to_numpy(), table[spots][known].to_numpy())
    return rows, int((~known).sum())


def _columns(table: pd.DataFrame, place: Path, labels: str | None) -> tuple[str, str]:
    """Return the columns of spots and labels."""
    names = [str(name) for name in table.columns]
    if len(names) < 2:
        raise InputError(
            f"Expected a column of spots and one of labels in {place}; found "
            f"{abbreviate(names)}. Separate them by commas, with a header."
        )
    named = [name for name in names if name.strip().lower() in _SPOTS]
    spots = named[0] if named else names[0]
    others = [name for name in names if name != spots]
    if labels is not None and labels in others:
        return spots, labels
    if labels is None and len(others) == 1:
        return spots, others[0]
    if labels is None and "domain" in others:
        return spots, "domain"
    raise InputError(
        f"Expected one column of labels in {place}; found {abbreviate(others)}. Keep "
        "the column of spots and that of labels."
    )
