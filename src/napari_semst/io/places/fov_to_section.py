"""Places in fields of view replaced by those in the section, where the file has both.

Some tools keep under ``obsm["spatial"]`` where a cell lies in its field of view, and
where it lies in the section under another key: then all fields lie on one another. The
second are the first, moved (and scaled) by field, and no two fields share their ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.images import RESOLUTIONS
from napari_semst.io.places.column_names import axis_pairs
from napari_semst.io.places.overlaps import is_named_as_sample, shared_ground
from napari_semst.io.sections import libraries, part
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.coordinates import Coordinates
    from napari_semst.io.places.overlaps import SharedGround

# Of what places vary inside fields, the share that a move and a scale must explain.
_EXPLAINED = 0.999
# Scales of x and y that differ by no more are one scale.
_ONE_SCALE = 0.01
# An image begins at the outer corner of its first pixel.
_CORNER = -0.5


@dataclass(frozen=True, slots=True, eq=False)
class SectionWidePlaces:
    """Places in a section, and how those in its fields of view lead to them.

    Parameters
    ----------
    key
        Where they are, as readers and settings are told.
    found
        The places.
    fields
        What tells the fields, as ``obs['fov']``.
    scale
        Of x and y, shape ``(2,)``.
    offsets
        Of each field by name, (x, y).
    """

    key: str
    found: Coordinates
    fields: str
    scale: NDArray[np.float64]
    offsets: dict[str, NDArray[np.float64]]


def take_section_wide(
    adata: AnnData, found: Coordinates
) -> tuple[Coordinates, tuple[str, ...]]:
    """Return the places in the section where those found are in fields of view.

    Images move with the spots, see `move_images`.

    Returns
    -------
    places, told
        As found, and nothing, where they are in the section already or the file has
        no others.
    """
    if not any(True for _ in _other_places(adata, found.where)):
        return found, ()
    placed = np.isfinite(found.xy).all(axis=1)
    ground = shared_ground(adata.obs[placed], found.xy[placed])
    wide = None if ground is None else section_wide_places(adata, found.xy, ground)
    if wide is None:
        return found, ()
    text = (
        f"{found.where} holds places inside the {len(wide.offsets)} values of "
        f"{wide.fields}, which lie on one another: the places in the section "
        f"are taken, from {wide.found.where}."
    )
    return wide.found, (text, *move_images(adata, wide))


def section_wide_places(
    adata: AnnData, local: NDArray[np.floating], ground: SharedGround
) -> SectionWidePlaces | None:
    """Return the places of the file that set its fields of view apart, if it has any.

    Parameters
    ----------
    adata
        The table.
    local
        The places at which fields share their ground, ``(n_spots, 2)``; NaN for none.
    ground
        The fields.
    """
    import pandas as pd

    if not ground.column:
        return None
    own = np.asarray(local, np.float64)
    placed = np.isfinite(own).all(axis=1)
    for key in _other_places(adata):
        found = _located(adata, key)
        if found is None or not np.isfinite(found.xy[placed]).all():
            continue
        for fields, names, sections in _fields(adata.obs[placed], ground.column):
            moved = _moved(own[placed], found.xy[placed], names)
            one = pd.DataFrame({fields: names})
            if moved is not None and not shared_ground(one, found.xy[placed], sections):
                return SectionWidePlaces(key, found, fields, *moved)
    return None


def _fields(
    obs: pd.DataFrame, column: str
) -> Iterator[tuple[str, NDArray[np.object_], NDArray[np.int64] | None]]:
    """Yield what tells fields apart: a column, its names, the section of each spot.

    Several samples count their fields anew: then a column of samples and one of fields
    tell them together, whichever of the two was found.
    """
    import pandas as pd

    names = as_texts(obs[column]).to_numpy(dtype=object)
    yield f"obs[{column!r}]", names, None
    for other in obs.columns.drop(column):
        if is_named_as_sample(str(other)):
            others = as_texts(obs[other]).to_numpy(dtype=object)
            both = names + " of " + others
            for fields, samples, told in (
                (column, others, other),
                (other, names, column),
            ):
                text = f"obs[{fields!r}] and obs[{told!r}]"
                yield text, both, pd.factorize(samples)[0]


def move_images(adata: AnnData, wide: SectionWidePlaces) -> tuple[str, ...]:
    """Move the images of fields of view with their spots; say which cannot be.

    Entries of ``uns["spatial"]`` are replaced, their arrays shared.
    """
    own = [name for name in libraries(adata) if name in wide.offsets]
    if not own:
        return ()
    scale_x, scale_y = wide.scale
    plain = scale_x > 0 and abs(scale_y / scale_x - 1) <= _ONE_SCALE
    spatial = dict(adata.uns["spatial"])
    dropped = 0
    for name in own:
        entry, factors = dict(spatial[name]), dict(part(adata, name, "scalefactors"))
        if not plain and len(part(adata, name, "images")):
            entry["images"], dropped = {}, dropped + 1
        for resolution in RESOLUTIONS if plain else ():
            if (key := f"tissue_{resolution}_scalef") in factors:
                factors[key] = float(factors[key]) / scale_x
            for axis, offset in zip("xy", wide.offsets[name], strict=True):
                key = f"tissue_{resolution}_origin_{axis}"
                corner = float(factors.get(key, _CORNER))
                factors[key] = float(scale_x * corner + offset)
        if "spot_diameter_fullres" in factors:
            size = float(factors["spot_diameter_fullres"])
            factors["spot_diameter_fullres"] = size * float(abs(scale_x))
        spatial[name] = entry | {"scalefactors": factors}
    adata.uns["spatial"] = spatial
    if not dropped:
        return ()
    return (
        f"{dropped} images of fields of view are left out: the places in the section "
        "are mirrored or stretched against those on the images.",
    )


def _other_places(adata: AnnData, but: str = "") -> Iterator[str]:
    """Yield the keys of what may be places, as `locate_coordinates` takes them."""
    for key, held in adata.obsm.items():
        flat = getattr(held, "ndim", 0) == 2 and held.shape[1] in (2, 3)
        if flat and f"obsm[{key!r}]" != but:
            yield str(key)
    for x, y in axis_pairs(list(adata.obs)):
        if f"obs[{x!r}], obs[{y!r}]" != but:
            yield f"{x},{y}"


def _located(adata: AnnData, key: str) -> Coordinates | None:
    from napari_semst.io.coordinates import locate_coordinates

    try:
        return locate_coordinates(adata, key, allow_missing=True)
    except InputError:
        return None  # no places after all


def _moved(
    local: NDArray[np.float64], wide: NDArray[np.float64], fields: NDArray[np.object_]
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]] | None:
    """Return scale and offsets by field that take places to others, if any do."""
    import pandas as pd

    codes, names = pd.factorize(fields)
    counts = np.bincount(codes)
    scale = np.empty(2)
    offsets = np.empty((len(names), 2))
    for axis in range(2):
        own, other = local[:, axis], wide[:, axis]
        middles = [np.bincount(codes, values) / counts for values in (own, other)]
        inner, outer = own - middles[0][codes], other - middles[1][codes]
        spread, whole = float(inner @ inner), float(outer @ outer)
        if not spread or not whole:
            return None
        scale[axis] = inner @ outer / spread
        left = outer - scale[axis] * inner
        if float(left @ left) > (1 - _EXPLAINED) * whole:
            return None
        offsets[:, axis] = middles[1] - scale[axis] * middles[0]
    # Where all fields are moved alike, these are the same places.
    if (np.ptp(offsets, axis=0) <= (1 - _EXPLAINED) * np.ptp(wide, axis=0)).all():
        return None
    return scale, dict(zip(map(str, names), offsets, strict=True))
