"""Draw the discordance maps of docs/image-guided.md from saved results.

    python docs/figures_discordance.py OUTPUT.png NAME=FILE.h5ad [NAME=FILE.h5ad ...]

Spots alone, without their images, whose makers keep their rights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

import napari_semst
from napari_semst import keys

# Spots called, by kind; spots of a region that are not called are pale.
COLORS = {"contradicts": (0.75, 0.0, 0.15), "unexplained": (0.0, 0.35, 0.7)}


def main() -> None:
    """Draw a row for each result: domains, map, and spots called."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("results", nargs="+")
    options = parser.parse_args()
    mpl.use("Agg")
    from matplotlib import pyplot

    n_rows = len(options.results)
    figure, axes = pyplot.subplots(
        n_rows, 3, figsize=(10.5, 3.4 * n_rows), squeeze=False, layout="constrained"
    )
    for row, result in zip(axes, options.results, strict=True):
        name, _, path = result.partition("=")
        tissue = napari_semst.read(path)
        x, y = np.asarray(tissue.obsm[keys.SPATIAL]).T[:2]
        size = 26_000 / tissue.n_obs
        look = {"s": size, "linewidths": 0}
        domains = tissue.obs[keys.DOMAIN]
        colours = np.array(tissue.uns[keys.DOMAIN + keys.COLORS_SUFFIX])
        row[0].scatter(x, y, c=colours[domains.cat.codes], **look)
        row[0].set_title(f"{name}: domains")
        score = tissue.obs[keys.DISCORDANCE].to_numpy()
        drawn = row[1].scatter(
            x, y, c=score, cmap="magma", plotnonfinite=True, **look,
            vmin=np.nanquantile(score, 0.01), vmax=np.nanquantile(score, 0.995),
        )  # fmt: skip
        row[1].set_title("discordance")
        figure.colorbar(
            drawn, ax=row[1], label="nats; above 0 the image misleads", shrink=0.8
        )
        kind = tissue.obs[keys.DISCORDANCE_KIND].astype(str).to_numpy()
        inside = tissue.obs[keys.DISCORDANT_REGION].notna().to_numpy()
        shade = np.full((len(x), 3), 0.86)
        shade[inside] = (0.98, 0.68, 0.38)
        for name, color in COLORS.items():
            shade[kind == name] = color
        row[2].scatter(x, y, c=shade, **look)
        called = {name: int((kind == name).sum()) for name in COLORS}
        row[2].set_title(", ".join(f"{name}: {n}" for name, n in called.items()))
        for axis in row:
            axis.set_aspect("equal")
            axis.invert_yaxis()
            axis.set_axis_off()
    figure.savefig(options.output, dpi=110)


if __name__ == "__main__":
    main()
