"""A run's domains at any number, as colours: tables made once, looked up per move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.viewer.colour import CategoryPaint, LegendEntry

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class HierarchyLevels:
    """The hierarchy of a run, ready to paint at any number of domains.

    Parameters
    ----------
    own
        The run's own number of domains.
    fine
        Fine domain of each spot, shape ``(n_spots,)``.
    names
        Number of the domain that each fine one is part of at each number of domains,
        shape ``(n_fine, n_fine)``; row 0 is for one domain.
    colors
        Colour of each domain by its number, ``#rrggbb``.
    """

    own: int
    fine: NDArray[np.int32]
    names: NDArray[np.int32]
    colors: tuple[str, ...]

    @property
    def most(self) -> int:
        """The number of fine domains."""
        return len(self.names)

    def holds(self, k: int | None) -> bool:
        """Return whether a number is another than the run's own, and in reach."""
        return k is not None and k != self.own and 1 <= k <= self.most

    def labels(self, k: int) -> NDArray[np.object_]:
        """Return the name of each spot's domain at a number of domains."""
        words = np.array([str(n + 1) for n in self.names[k - 1]], dtype=object)
        return np.asarray(words[self.fine])

    def paint(self, k: int) -> CategoryPaint:
        """Return the colours and the legend at a number of domains.

        Parameters
        ----------
        k
            Number of domains, 1 to `most`.
        """
        from matplotlib.colors import to_rgba_array

        names, n = self.names[k - 1], max(len(self.fine), 1)
        table = to_rgba_array(self.colors).astype(np.float32)
        spots = np.bincount(self.fine, minlength=self.most)
        counts = np.bincount(names, weights=spots, minlength=self.most).astype(int)
        entries = tuple(
            LegendEntry(str(d + 1), self.colors[d], int(counts[d]), counts[d] / n)
            for d in np.unique(names)
        )
        return CategoryPaint(table[names][self.fine], entries)


def hierarchy_levels(tissue: AnnData, run: str) -> HierarchyLevels | None:
    """Return the levels of a run, or None where it has no hierarchy to walk in.

    Parameters
    ----------
    tissue
        The section.
    run
        Name of the run.
    """
    from napari_semst.domains.hierarchy import hierarchy_of, labels_at
    from napari_semst.domains.levels import level_colors
    from napari_semst.errors import InputError

    column = keys.of_run(keys.DOMAIN, run) if run else ""
    if column not in tissue.obs:
        return None
    try:
        tree = hierarchy_of(tissue, run)
    except InputError:
        return None
    n_fine = len(tree.kept) + 1
    if n_fine <= 2:
        return None
    each = tree._replace(fine=np.arange(n_fine, dtype=np.int32))
    names = np.stack([labels_at(each, k) for k in range(1, n_fine + 1)])
    n_domains = tissue.obs[column].astype("category").cat.codes.nunique()
    every = [str(number + 1) for number in range(n_fine)]
    colors = tuple(level_colors(tissue, every, run))
    return HierarchyLevels(int(n_domains), tree.fine, names, colors)
