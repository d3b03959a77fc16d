"""SpatialData stores written by hand, in both formats of zarr."""

from __future__ import annotations

import json
import struct
import warnings

import anndata
import numpy as np
import pandas as pd
import zarr

AXES = [{"name": "x"}, {"name": "y"}]
# Places in the store are a tenth of those of the tissue, moved by (3, 4).
MOVED = [
    {"type": "translation", "translation": [-3.0, -4.0]},
    {"type": "scale", "scale": [10.0, 10.0]},
]


def group(path, attributes, zarr_format):
    """Write an empty group with attributes."""
    path.mkdir(parents=True, exist_ok=True)
    if zarr_format == 2:
        (path / ".zgroup").write_text('{"zarr_format": 2}')
        (path / ".zattrs").write_text(json.dumps(attributes))
        return
    about = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
    (path / "zarr.json").write_text(json.dumps(about))


def transforms(*steps, axes=AXES, to="global"):
    """Return the same way to one coordinate system, or to several."""
    return [
        {
            "type": "sequence",
            "transformations": list(steps),
            "input": {"name": "own", "axes": axes},
            "output": {"name": system, "axes": axes},
        }
        for system in ([to] if isinstance(to, str) else to)
    ]


def point(x, y):
    return struct.pack("<BIdd", 1, 1, x, y)


def square(x, y, side):
    near, far = -side / 2, side / 2
    ring = [(near, near), (far, near), (far, far), (near, far), (near, near)]
    corners = b"".join(struct.pack("<dd", x + a, y + b) for a, b in ring)
    return struct.pack("<BIII", 1, 3, 1, len(ring)) + corners


def write_table(store, name, tissue, region, zarr_format, *, numbers=None, own=None):
    """Write a table whose spots are the elements 100, 101, ... of a region.

    `region` may also name one for each spot, `numbers` the spots' own, and `own` what
    the table says of places by itself.
    """
    table = tissue.copy()
    del table.obsm["spatial"]
    if own is not None:
        table.obsm["spatial"] = own
    regions = [region] * table.n_obs if isinstance(region, str) else list(region)
    table.obs["region"] = pd.Categorical(regions)
    table.obs["number"] = np.arange(table.n_obs) + 100 if numbers is None else numbers
    region = region if isinstance(region, str) else sorted(set(regions))
    with warnings.catch_warnings():
        # The second format is announced to be no longer the default.
        warnings.simplefilter("ignore")
        with anndata.settings.override(zarr_write_format=zarr_format):
            table.write_zarr(store / "tables" / name)
    about = {"encoding-type": "anndata", "encoding-version": "0.1.0", "region": region}
    about |= {"region_key": "region", "instance_key": "number"}
    path = store / "tables" / name
    for old in (path / "zarr.json", path / ".zattrs"):
        old.unlink(missing_ok=True)
    group(path, about, zarr_format)


def write_labels(
    store, name, levels, zarr_format, *steps, chunks=None, axes="yx", to="global"
):
    """Write labels, finest level first, with what takes them to a system."""
    axes = [{"name": axis} for axis in axes]
    about = {
        "axes": axes,
        "datasets": [{"path": f"s{i}"} for i in range(len(levels))],
        "coordinateTransformations": transforms(*steps, axes=axes, to=to),
    }
    about = {"multiscales": [about]}
    place = store / "labels" / name
    group(place, {"ome": about} if zarr_format == 3 else about, zarr_format)
    for i, level in enumerate(levels):
        zarr.create_array(
            place / f"s{i}",
            data=level,
            chunks=chunks or level.shape,
            zarr_format=zarr_format,
            overwrite=True,
        )


def write_shapes(
    store, name, geometry, zarr_format, *, moved=MOVED, to="global", **columns
):
    path = store / "shapes" / name
    way = transforms(*moved, to=to)
    group(path, {"coordinateTransformations": way}, zarr_format)
    order = np.random.default_rng(0).permutation(len(geometry))
    index = pd.Index(np.arange(len(geometry)) + 100)
    table = pd.DataFrame({"geometry": geometry, **columns}, index=index)
    table.iloc[order].to_parquet(path / "shapes.parquet")


def write_image(store, zarr_format, *, turned=False):
    """Write two levels; a pixel of the finest is 5 wide, and the corner (-5, -10)."""
    place = [
        {"type": "scale", "scale": [1.0, 5.0, 5.0]},
        {"type": "translation", "translation": [0.0, -10.0, -5.0]},
    ]
    if turned:
        turn = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]
        place = [{"type": "affine", "affine": turn}]
    image = np.zeros((3, 320, 360), np.uint8)
    image[0] = np.arange(360) % 250
    write_levels(store, "he", [image, image[:, ::2, ::2]], zarr_format, *place)


def write_levels(store, name, levels, zarr_format, *steps, channels=(), to="global"):
    """Write an image, finest level first, with what takes it to systems."""
    axes = [{"name": axis} for axis in "cyx"]
    about = {
        "axes": axes,
        "datasets": [{"path": str(i)} for i in range(len(levels))],
        "coordinateTransformations": transforms(*steps, axes=axes, to=to),
    }
    about = {"multiscales": [about]}
    if channels:
        about["omero"] = {"channels": [{"label": label} for label in channels]}
    place = store / "images" / name
    group(place, {"ome": about} if zarr_format == 3 else about, zarr_format)
    for i, level in enumerate(levels):
        zarr.create_array(
            place / str(i),
            data=np.ascontiguousarray(level),
            chunks=(len(level), 64, 64),
            zarr_format=zarr_format,
            overwrite=True,
        )
