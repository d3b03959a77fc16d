"""Results written so that they are whole, read back, and never silently replace."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.errors import SaveError, SemstError
from napari_semst.io.export.atomic import (
    estimated_bytes,
    write_atomically,
    write_folder_atomically,
)
from napari_semst.io.export.readback import check_readback, stored_sum
from napari_semst.io.export.repair_notes import Mends
from napari_semst.io.export.rows import copy_stored, take_packed, take_stored
from napari_semst.io.export.spreadsheet import guard_cells
from napari_semst.io.export.trial import try_writing
from napari_semst.io.export.writable import writable, write_plain
from napari_semst.io.formats.hdf5 import open_hdf5
from napari_semst.io.notes import warn

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def write(
    adata: AnnData,
    path: str | Path,
    *,
    overwrite: bool = False,
    compression: str | None = "gzip",
    packed_in: Path | None = None,
) -> Path:
    """Write a tissue as .h5ad or .zarr, all of it, and read it back.

    Everything that the tissue holds is kept; the object itself is not changed. Names
    and values that the format cannot hold are written otherwise where nothing is lost
    by it, and ``uns["semst_input"]["warnings"]`` of the file says so. The file appears
    whole or not at all, and one that stood there stays until then.

    Parameters
    ----------
    adata
        The tissue.
    path
        Where to, ending in ``.h5ad`` or ``.zarr``.
    overwrite
        Whether a file or store that stands there may be replaced.
    compression
        Of an .h5ad: ``"gzip"``, ``"lzf"``, or None: larger and faster.
    packed_in
        An .h5ad that the tissue may come from: counts that are the same there, value
        for value, are copied as it packs them, which is many times as fast. Where it
        cannot be read, they are packed anew.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SaveError
        If the place cannot be written, the tissue holds something that the format
        cannot, or the file did not read back the same.
    """
    place = Path(path).expanduser()
    if place.suffix == ".zarr":
        # A store takes what it cannot give back.
        try_writing(adata, ".zarr")
    mends = Mends(in_store=place.suffix == ".zarr")
    plain = writable(adata, mends)
    warn(plain, *mends.sentences())
    whole = write_folder_atomically if place.suffix == ".zarr" else write_atomically
    with ExitStack() as opened:
        stored = take_stored(plain)
        sums = {where: stored_sum(matrix.group) for where, matrix in stored.items()}
        if packed_in is not None and not stored and place.suffix != ".zarr":
            stored, sums = _as_packed(plain, packed_in, opened)

        def write_all(temporary: Path) -> None:
            write_plain(plain, temporary, compression=compression)
            if stored:
                copy_stored(stored, temporary)

        return whole(
            place,
            write_all,
            lambda temporary: check_readback(plain, temporary, sums=sums),
            overwrite=overwrite,
            suffix=place.suffix if place.suffix == ".zarr" else ".h5ad",
            least_free=estimated_bytes(adata),
        )


def _as_packed(
    plain: AnnData, packed_in: Path, opened: ExitStack
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the matrices that an .h5ad holds packed, and their sums, as `take_packed`.

    None where it was moved, cut short or opened for writing since it was read: what is
    saved does not need it, and hours of work must not be lost by it.
    """
    try:
        file = opened.enter_context(open_hdf5(packed_in, "the AnnData file"))
        return take_packed(plain, file)
    except (OSError, RuntimeError, KeyError, SemstError):
        return {}, {}


def write_domains_csv(
    adata: AnnData,
    path: str | Path,
    *,
    coordinates: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one row per spot: barcode, x, y, domain and the scores there are.

    Parameters
    ----------
    adata
        A tissue with domains.
    path
        Where to, ending in ``.csv``.
    coordinates
        As for `domains_table`.
    overwrite
        Whether a file that stands there may be replaced.

    Raises
    ------
    SaveError
        If there are no domains, or the place cannot be written.
    InputError
        If there are no such coordinates.
    """
    return write_table(domains_table(adata, coordinates), path, overwrite=overwrite)


def write_table(
    table: pd.DataFrame, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a table as .csv, and read it back before it takes its place.

    Parameters
    ----------
    table
        Written without its index.
    path
        Where to, ending in ``.csv``.
    overwrite
        Whether a file that stands there may be replaced.

    Raises
    ------
    SaveError
        If the place cannot be written, or the table did not read back the same.
    """
    table = guard_cells(table)
    first = table.columns[0]

    def check(temporary: Path) -> None:
        import pandas as pd

        back = pd.read_csv(temporary, dtype=str, keep_default_na=False)
        same = list(back.columns) == list(table.columns) and len(back) == len(table)
        if not same or list(back[first]) != [str(value) for value in table[first]]:
            raise SaveError(
                f"Expected the table to read back the same; {len(back)} of "
                f"{len(table)} rows did. Nothing was changed; save again."
            )

    return write_atomically(
        path,
        lambda temporary: table.to_csv(temporary, index=False, lineterminator="\n"),
        check,
        overwrite=overwrite,
        suffix=".csv",
    )


def domains_table(adata: AnnData, coordinates: str | None = None) -> pd.DataFrame:
    """Return the results of a tissue as a table, one row per spot.

    Parameters
    ----------
    adata
        A tissue with domains.
    coordinates
        Where x and y are: an obsm key, or two obs columns as ``"x,y"``; None looks
        through the usual places.

    Raises
    ------
    SaveError
        If the tissue has no domains.
    InputError
        If there are no such coordinates.
    """
    import pandas as pd

    from napari_semst.io.coordinates import locate_coordinates
    from napari_semst.io.split_sections import shown_section_key

    # Where domains of the user's own were named there is no run.
    if keys.DOMAIN not in adata.obs and keys.TRANSFER not in adata.obs:
        raise SaveError(
            f"Expected domains in obs[{keys.DOMAIN!r}]; there are none. Find domains "
            "first."
        )
    xy = locate_coordinates(adata, coordinates, allow_missing=True).xy
    columns: dict[str, Any] = {"barcode": adata.obs_names.astype(str)}
    if section := shown_section_key(adata):
        columns["section"] = adata.obs[section].to_numpy()
    columns |= {"x": xy[:, 0], "y": xy[:, 1]}
    first = [keys.DOMAIN, keys.CONFIDENCE, keys.MODULATION]
    known = [*first, keys.SECTION]
    more = [c for c in adata.obs if c.startswith(keys.RESULTS) and c not in known]
    for column in [c for c in first if c in adata.obs] + more:
        columns[column.removeprefix("semst_")] = adata.obs[column].to_numpy()
    return pd.DataFrame(columns)
