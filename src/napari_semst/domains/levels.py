"""A level of the hierarchy as a column of the tissue, alike from shell and window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.domains.hierarchy import domains_at
from napari_semst.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData


def level_key(k: int) -> str:
    """Return the obs column that holds the domains at another number of domains."""
    return keys.of_run(keys.DOMAIN, f"at_{k}")


def level_colors(
    tissue: AnnData, names: Sequence[str], run: str | None = None
) -> list[str]:
    """Return the colours of a level's domains: those that the run gave their names.

    Parameters
    ----------
    names
        Names of domains, ``"1"`` to that of the last fine one.
    run
        Name of the run; the latest where `None`.

    Returns
    -------
    list of str
        One ``#rrggbb`` per name. Names that the run's own domains do not have, those
        of fine domains, go on through the palette.
    """
    from napari_semst.core.column_colors import column_colors
    from napari_semst.palette import PALETTE

    run = str(tissue.uns.get(keys.LATEST, keys.DEFAULT_RUN)) if run is None else run
    column = keys.of_run(keys.DOMAIN, run)
    kept = column in tissue.obs and column + keys.COLORS_SUFFIX in tissue.uns
    by_name = column_colors(tissue, column) if kept else {}
    return [by_name.get(n, PALETTE[(int(n) - 1) % len(PALETTE)]) for n in names]


def write_level(tissue: AnnData, k: int, run: str | None = None) -> str:
    """Write the column ``semst_domain_at_<k>`` and its colours; return its name.

    Parameters
    ----------
    tissue
        With a result attached; it is changed. A level of the same number is replaced.
    run
        Name of the run; the latest where `None`.

    Raises
    ------
    InputError
        If the tissue has no hierarchy of that run.
    ConfigError
        If the hierarchy does not hold so many domains, or a run's own domains stand
        in that column.
    """
    key = level_key(k)
    if f"at_{k}" in tissue.uns.get(keys.RUNS, {}):
        raise ConfigError(
            f"Expected obs[{key!r}] to be free for the level of {k} domains; a run "
            f"named 'at_{k}' has its domains there. Choose another number, or find "
            "that run's domains again under another name."
        )
    labels = domains_at(tissue, k, run)
    colors = level_colors(tissue, list(labels.cat.categories), run)
    tissue.obs[key] = labels
    tissue.uns[key + keys.COLORS_SUFFIX] = np.asarray(colors, dtype=str)
    return key
