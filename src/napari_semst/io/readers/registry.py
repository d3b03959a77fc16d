"""The kinds of input that can be read: one line for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.formats import tenx
from napari_semst.io.readers import (
    cosmx,
    gef,
    gem,
    h5ad,
    merscope,
    portal,
    seqfish,
    slideseq,
    spatialdata,
    visium,
    visium_hd,
    xenium,
    zarr,
)
from napari_semst.io.readers import (
    tables as plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from napari_semst.io.options import ReadOptions


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of input.

    Parameters
    ----------
    name
        Short name, stable.
    title
        What a user calls it.
    can_read
        Whether a path holds this kind, judged by what is inside.
    read
        The tissue that the path holds.
    preview
        What is known of it without reading it: values of `napari_semst.io.preview`'s
        `Preview` by name.
    tables
        The files that counts and places are read from, where these are a few of a
        folder's; None where the path is read whole.
    looks_like
        Whether the names of files are those of this kind, whatever is inside: reading
        then says what is wrong. None where names tell nothing.
    takes
        The choices of `napari_semst.io.options.ReadOptions` that it leaves, beside
        features.
    """

    name: str
    title: str
    can_read: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], AnnData]
    preview: Callable[[Path, ReadOptions], dict[str, Any]]
    tables: Callable[[Path], list[Path]] | None = None
    looks_like: Callable[[Path], bool] | None = None
    takes: tuple[str, ...] = ()

    def refuse_other(self, options: ReadOptions, path: Path) -> None:
        """Refuse a choice that this kind of input does not leave.

        Parameters
        ----------
        options
            What was chosen.
        path
            The input.

        Raises
        ------
        InputError
            If a choice would be passed over in silence.
        """
        for choice, why in _ONE.items():
            told = getattr(options, choice)
            if told is not None and choice not in self.takes:
                raise InputError(
                    f"Expected no choice of {choice} for {path} ({self.title}): {why}; "
                    f"got {str(told)!r}. Leave it out."
                )


# Why an input may leave no choice.
_ONE = {
    "part": "it holds one section",
    "positions": "it says itself where spots lie",
    "counts": "it has one table of counts",
}
H5AD = Format(
    "h5ad",
    "AnnData file (.h5ad)",
    h5ad.can_read,
    h5ad.read,
    h5ad.preview,
    takes=("counts", "positions"),
)
ZARR = Format(
    "zarr",
    "AnnData store (.zarr)",
    zarr.can_read,
    zarr.read,
    zarr.preview,
    takes=("counts", "positions"),
)
SPATIALDATA = Format(
    "spatialdata",
    "SpatialData store (.zarr)",
    spatialdata.can_read,
    spatialdata.read,
    spatialdata.preview,
    takes=("counts", "positions", "part"),
)
VISIUM = Format(
    "visium",
    "Space Ranger folder",
    visium.can_read,
    visium.read,
    visium.preview,
    visium.tables,
    visium.looks_like,
    takes=("counts", "positions", "part"),
)
VISIUM_HD = Format(
    "visium_hd",
    "Visium HD run",
    visium_hd.can_read,
    visium_hd.read,
    visium_hd.preview,
    visium_hd.tables,
    visium_hd.looks_like,
    takes=("counts", "positions", "part"),
)
XENIUM = Format(
    "xenium",
    "Xenium output folder",
    xenium.can_read,
    xenium.read,
    xenium.preview,
    xenium.tables,
    xenium.looks_like,
)
MERSCOPE = Format(
    "merscope",
    "MERSCOPE output folder",
    merscope.can_read,
    merscope.read,
    merscope.preview,
    merscope.tables,
    merscope.looks_like,
)
COSMX = Format(
    "cosmx",
    "CosMx flat files",
    cosmx.can_read,
    cosmx.read,
    cosmx.preview,
    cosmx.tables,
    cosmx.looks_like,
)
SEQFISH = Format(
    "seqfish",
    "seqFISH tables",
    seqfish.can_read,
    seqfish.read,
    seqfish.preview,
    seqfish.tables,
    seqfish.looks_like,
    takes=("part",),
)
SLIDESEQ = Format(
    "slideseq",
    "Slide-seq beads",
    slideseq.can_read,
    slideseq.read,
    slideseq.preview,
    slideseq.tables,
    slideseq.looks_like,
    takes=("part",),
)
PORTAL = Format(
    "portal",
    "Single Cell Portal tables",
    portal.can_read,
    portal.read,
    portal.preview,
    portal.tables,
    portal.looks_like,
    takes=("part",),
)
GEF = Format(
    "gef",
    "Stereo-seq file (.gef)",
    gef.can_read,
    gef.read,
    gef.preview,
    takes=("part",),
)
GEM = Format(
    "gem",
    "Stereo-seq molecules (.gem)",
    gem.can_read,
    gem.read,
    gem.preview,
    looks_like=gem.looks_like,
    takes=("part",),
)
PLAIN = Format(
    "plain",
    "Tables of counts and places",
    plain.can_read,
    plain.read,
    plain.preview,
    plain.tables,
    plain.looks_like,
    takes=("positions",),
)
MATRIX_10X = Format(
    "10x_h5",
    "10x matrix (.h5 or .mtx)",
    tenx.can_read,
    visium.read_matrix_file,
    visium.preview_matrix_file,
    visium.tables_of_matrix,
    takes=("positions",),
)

# Asked in this order; the first that recognises a path reads it.
FORMATS: tuple[Format, ...] = (
    H5AD,
    ZARR,
    SPATIALDATA,
    VISIUM_HD,
    VISIUM,
    XENIUM,
    MERSCOPE,
    COSMX,
    SEQFISH,
    SLIDESEQ,
    PORTAL,
    GEF,
    GEM,
    MATRIX_10X,
    PLAIN,
)


def detect_format(path: str | Path) -> Format | None:
    """Return the kind of input at a path, or None for what is not ours.

    It looks inside, never at the name alone, and never raises: a file that cannot be
    opened is not recognised, and `napari_semst.io.read.read` says why.

    Parameters
    ----------
    path
        A file or a folder.
    """
    try:
        place = Path(path).expanduser()
        return next((kind for kind in FORMATS if kind.can_read(place)), None)
    except Exception:  # noqa: BLE001  a viewer asks about anything dropped on it
        return None
