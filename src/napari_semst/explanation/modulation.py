"""How strongly semantics moved a domain's spots, and what would be without it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.config import Request
from napari_semst.core.progress import Progress, passed_on
from napari_semst.errors import ConfigError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.progress import RunControl
    from napari_semst.explanation.explained_run import Explained

_COLUMNS = {
    "modulation": keys.MODULATION,
    "scale": keys.MODULATION_SCALE,
    "shift": keys.MODULATION_SHIFT,
}
# Below this the network made next to no use of semantics anywhere.
UNUSED = 1e-3
# What the runs of the test without semantics are called while they are on.
_RUNS = {"without_semantics": "Without semantics", "other_seed": "Another seed"}
_LEAVE_OUT = Way(
    " Leave out --counterfactual.",
    " Leave out counterfactual.",
    " Explain it without the test.",
)


def modulation_of(
    tissue: AnnData, codes: NDArray[np.int32], n_domains: int
) -> list[dict[str, Any]]:
    """Return how strongly semantics moved each domain and all other spots.

    Parameters
    ----------
    tissue
        With the columns of modulation of the latest run.
    codes
        Domain of each spot, negative where it has none.

    Returns
    -------
    list of dict
        For each domain means inside and outside of the modulation and of its parts by
        scaling and shifting; its rank by the first, 1 for the strongest; and the share
        of spots that were moved less than its median spot. Empty dicts where the
        tissue has no modulation.
    """
    if any(column not in tissue.obs for column in _COLUMNS.values()):
        return [{} for _ in range(n_domains)]
    values = {
        name: tissue.obs[column].to_numpy(dtype=np.float64)
        for name, column in _COLUMNS.items()
    }
    domains: list[dict[str, Any]] = []
    for domain in range(n_domains):
        inside = codes == domain
        outside = (codes >= 0) & ~inside
        means = {
            f"{name}_{where}": float(one[spots].mean())
            for name, one in values.items()
            for where, spots in (("in", inside), ("out", outside))
        }
        strength = values["modulation"]
        median = np.median(strength[inside])
        below = float((strength[codes >= 0] < median).mean())
        domains.append({**means, "spots_moved_less": below})
    order = np.argsort([-one["modulation_in"] for one in domains], kind="stable")
    for rank, domain in enumerate(order):
        domains[domain]["rank"] = rank + 1
    return domains


def not_testable(what: Explained) -> str:
    """Return why domains cannot be found again without semantics, empty if they can."""
    if what.read_meaning in ("", "none"):
        return (
            "Expected a run with semantics, to be compared with one without; "
            f"{what.run or what.column!r} had none."
        )
    if "model" in what.facts:
        return (
            "Expected a run that was trained on this section, which can be repeated; "
            f"{what.run!r} was labelled by a saved model."
        )
    return ""


def runs_of_test(what: Explained) -> dict[str, Config]:
    """Return the settings of the runs that the test without semantics takes.

    Returns
    -------
    dict
        ``without_semantics``, with the same seed, and ``other_seed``, the yardstick.
    """
    config = what.config
    config = replace(config, domains=replace(config.domains, n_domains=len(what.names)))
    other = replace(config.training, seed=config.training.seed + 1)
    without = replace(config.semantics, source="none")
    return {
        "without_semantics": replace(config, semantics=without),
        "other_seed": replace(config, training=other),
    }


def counterfactual(
    tissue: AnnData, what: Explained, control: RunControl
) -> Generator[Progress, None, list[dict[str, float]]]:
    """Find the domains again without semantics, and once more with another seed.

    The second run is the yardstick: networks of other seeds differ too, and only what
    goes beyond that is semantics' own.

    Returns
    -------
    list of dict
        For each domain the share of its spots that are not in the domain matching it:
        ``without_semantics``, with the same seed, and ``other_seed``.

    Raises
    ------
    ConfigError
        If the run had no semantics, or is not one that can be repeated.
    """
    from napari_semst.pipeline.run import find_domains

    missing = not_testable(what)
    if missing:
        raise ConfigError(Worded(missing, _LEAVE_OUT))
    changed: list[dict[str, float]] = [{} for _ in what.names]
    for name, config in runs_of_test(what).items():
        settings = config.to_dict()
        request = Request(settings.pop("preset"), settings)
        result = yield from passed_on(
            find_domains(tissue, request, control), partial(_said_of, _RUNS[name])
        )
        shares = changed_shares(what.codes, result.codes)
        for told, share in zip(changed, shares, strict=True):
            told[name] = float(share)
    return changed


def _said_of(run: str, progress: Progress) -> Progress:
    """Return the progress of one of the two runs, saying which it is."""
    # Notices are said once, in their own words.
    if progress.notice:
        return progress
    message = f"{run}: {progress.message}" if progress.message else run
    return replace(progress, message=message)


def changed_shares(
    before: NDArray[np.int32], after: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return the share of each domain's spots that are not in its match.

    Domains are matched one to one so that as many spots as can be stay.
    """
    from scipy.optimize import linear_sum_assignment

    n = max(int(before.max()), int(after.max())) + 1
    table = np.zeros((n, n), np.int64)
    np.add.at(table, (before, after), 1)
    rows, columns = linear_sum_assignment(-table)
    stays = np.zeros(n)
    stays[rows] = table[rows, columns]
    sizes = table.sum(axis=1)[: int(before.max()) + 1]
    changed: NDArray[np.float64] = 1 - stays[: len(sizes)] / np.maximum(sizes, 1)
    return changed
