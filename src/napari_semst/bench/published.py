"""The figures that the paper published, beside which ours are shown.

They are of the epoch that fits the annotation best, of one run each, without
deviations. The second row that table 3 calls STAGATE for the mouse brain has the
figures of STAIG in table 1, and stands for it here.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_semst.bench.paper import Variant

METRICS = ("ari", "nmi", "acc", "f1")


@cache
def _rows() -> dict[tuple[str, ...], dict[str, float]]:
    text = files("napari_semst.bench").joinpath("published.csv").read_text("utf-8")
    return {
        tuple(row[n] for n in ("table", "dataset", "method", "fusion", "control")): {
            name: float(row[name]) for name in METRICS
        }
        for row in csv.DictReader(text.splitlines())
    }


def published_scores(
    part: str, dataset: str, variant: Variant
) -> dict[str, float] | None:
    """Return what the paper published of a variant, `None` where it did not.

    Parameters
    ----------
    part
        ``table 1``.
    dataset
        As the paper calls it, ``MVC``.
    """
    if variant.n_genes:
        return None
    place = (variant.method, variant.fusion, variant.control)
    return _rows().get((part.removeprefix("table "), dataset, *place))
