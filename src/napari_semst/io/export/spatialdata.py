"""Results as a table in a SpatialData store, written by its own package."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError, SaveError
from napari_semst.io.checks import abbreviate, translate_errors
from napari_semst.io.text_columns import as_texts
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData

_ATTRS = "spatialdata_attrs"
_REGION, _INSTANCE = "region", "instance_id"
_OURS = ("semst_", "ig_")
_BY_REGION = Way(" with --region.", " (region=...).", ".")


class _Links(NamedTuple):
    """Which shape or label every spot is.

    Parameters
    ----------
    region
        Name of each spot's element.
    instance
        Index of each spot in it.
    """

    region: pd.Series
    instance: pd.Series


def write_spatialdata_table(
    adata: AnnData,
    store: str | Path,
    *,
    table: str = "semst",
    region: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the results of a tissue as a table into a SpatialData store.

    The table has the columns of results (and no counts), the latent, and how the run
    was made; it annotates the shapes or labels that the spots are. Nothing else in the
    store is touched, and the table is read back.

    Parameters
    ----------
    adata
        A tissue with domains.
    store
        The ``.zarr`` folder, which is there already.
    table
        Name of the table.
    region
        The element whose shapes the spots are; by default the one that a table of the
        store links spots of these names to, else the only element with such an index.
    overwrite
        Whether a table of that name may be replaced, unless it holds genes.

    Returns
    -------
    pathlib.Path
        The store.

    Raises
    ------
    SaveError
        If spatialdata is not installed, there is no such store, a table of that name
        is there, or the table did not read back the same.
    InputError
        If the tissue has no domains, or no element has all its spots.
    """
    spatialdata = spatialdata_package()
    place = Path(store).expanduser()
    if keys.DOMAIN not in adata.obs:
        raise InputError(
            f"Expected domains in obs[{keys.DOMAIN!r}]; there are none. Find domains "
            "first."
        )
    if not place.is_dir():
        raise SaveError(
            f"Expected a SpatialData store at {place}; there is none. Results go into "
            "one that is there; write a .h5ad otherwise."
        )
    with translate_errors(place, "the SpatialData store", _not_written, SaveError):
        whole = spatialdata.read_zarr(place)
        if table in whole.tables and not overwrite:
            raise SaveError(
                Worded(
                    f"Expected no table {table!r} in {place}; there is one. Choose "
                    "another name",
                    Way(" with --table", " (table=...)", ""),
                    ", or allow it to be overwritten.",
                )
            )
        if table in whole.tables and whole.tables[table].n_vars:
            raise SaveError(
                f"Expected a table of results to replace; {table!r} holds "
                f"{whole.tables[table].n_vars:,} genes. Choose another name."
            )
        made = _table(adata, _links(adata, whole, region))
        _put(whole, table, made)
        _check(spatialdata.read_zarr(place).tables[table], made, place)
    return place


def spatialdata_package() -> Any:
    """Return the package, which is an extra; refuse where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import spatialdata
    except ImportError as error:
        raise SaveError(
            "Expected the package spatialdata; it is not installed. Run: pip install "
            '"napari-semst[spatialdata]".'
        ) from error
    return spatialdata


def _not_written(store: Path, what: str, error: BaseException) -> str:
    # The package passes on what zarr, dask and pyarrow raise: nearly any type.
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"Expected to write a table into {what} {store}; it failed: {first[:300]}. "
        "Open it with spatialdata to see whether it is whole."
    )


def _links(adata: AnnData, whole: Any, region: str | None) -> _Links:
    """Return which shape every spot is."""
    names = adata.obs_names.astype(str)
    for linked in whole.tables.values():
        found = _of_table(linked, names, region)
        if found is not None:
            return found
    elements = {**whole.shapes, **whole.points}
    if region is not None and region not in elements:
        raise InputError(
            Worded(
                f"Expected a shapes element {region!r}; found "
                f"{abbreviate(list(elements))}. Name one of them",
                _BY_REGION,
            )
        )
    wanted = {region: elements[region]} if region is not None else dict(whole.shapes)
    indices = {name: _index(element, names) for name, element in wanted.items()}
    good = {name: index for name, index in indices.items() if index is not None}
    if len(good) != 1:
        raise InputError(
            Worded(
                f"Expected one element whose index has all {len(names):,} spots; found "
                f"{len(good)} among {abbreviate(list(wanted))} (spots: "
                f"{abbreviate(list(names), 2)}). Name it",
                _BY_REGION,
            )
        )
    name, instance = next(iter(good.items()))
    return _Links(instance.map(lambda _: name), instance)


def _of_table(linked: AnnData, names: pd.Index, region: str | None) -> _Links | None:
    """Return the links that a table of the store has for spots of these names."""
    from anndata.utils import make_index_unique

    attrs: Mapping[str, Any] = linked.uns.get(_ATTRS, {})
    columns = [attrs.get("region_key"), attrs.get("instance_key")]
    # Fields of view may number their cells alike: read tells them apart like this.
    known = make_index_unique(linked.obs_names.astype(str))
    if any(c not in linked.obs for c in columns) or not names.isin(known).all():
        return None
    own = linked.obs.set_axis(known).loc[names]
    regions = as_texts(own[columns[0]])
    if region is not None and not (regions == region).all():
        return None
    return _Links(regions, own[columns[1]])


def _index(element: Any, names: pd.Index) -> pd.Series | None:
    """Return the rows of an element that have these names, None where some lack."""
    import pandas as pd

    index = pd.Index(element.index)
    found = pd.Series(index.to_numpy(), index=index.astype(str))
    if not found.index.is_unique or not names.isin(found.index).all():
        return None
    return found.loc[names]


def _table(adata: AnnData, links: _Links) -> AnnData:
    """Return the results alone, linked to their shapes."""
    import anndata
    from spatialdata.models import TableModel

    obs = adata.obs[[c for c in adata.obs if str(c).startswith(_OURS)]].copy()
    obs[_REGION] = links.region.to_numpy(dtype=object)
    obs[_REGION] = obs[_REGION].astype("category")
    obs[_INSTANCE] = links.instance.to_numpy()
    results = (*_OURS, keys.LATENT)
    ours = [
        key
        for key in adata.obsm
        if str(key).startswith(results) and key != keys.OWN_COUNTS
    ]
    notes = [k for k in adata.uns if str(k) == keys.RUNS or str(k).startswith(_OURS)]
    made = anndata.AnnData(
        obs=obs,
        obsm={key: adata.obsm[key] for key in ours},
        uns={key: adata.uns[key] for key in notes},
        shape=(adata.n_obs, 0),
    )
    parsed: AnnData = TableModel.parse(
        made,
        region=sorted(set(links.region)),
        region_key=_REGION,
        instance_key=_INSTANCE,
    )
    return parsed


def _put(whole: Any, name: str, made: AnnData) -> None:
    """Write the table; one that is replaced comes back if that fails."""
    old = None
    if name in whole.tables:
        old = whole.tables[name].copy()
        del whole.tables[name]
        whole.delete_element_from_disk(name)
    try:
        whole.tables[name] = made
        whole.write_element(name)
    except BaseException:
        if old is not None:
            whole.tables[name] = old
            whole.write_element(name, overwrite=True)
        raise


def _check(back: AnnData, made: AnnData, place: Path) -> None:
    """Refuse a table that did not read back the same."""
    same = list(back.obs_names) == list(made.obs_names)
    for column in made.obs:
        one, other = (as_texts(t.obs[column]).to_numpy() for t in (back, made))
        same = same and bool((one == other).all())
    for key in made.obsm:
        same = same and bool(np.array_equal(back.obsm[key], made.obsm[key]))
    if not same:
        raise SaveError(
            f"Expected the table in {place} to read back the same; it differs. Write "
            "it again, or to another disk."
        )
