"""The run, or the column, that is explained: its labels and its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.config import Config
from napari_semst.errors import ConfigError, InputError, one_of
from napari_semst.io.checks import abbreviate
from napari_semst.pipeline.provenance import recorded_config
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

# Where meanings come from: as the run had it, the table that ships, or none.
MEANINGS = ("auto", "builtin", "none")


@dataclass(frozen=True)
class Explained:
    """What is explained.

    Parameters
    ----------
    run
        Name of the run; empty for a column of labels.
    column
        obs column of the labels.
    codes
        Domain of each spot, ``-1`` where it has none.
    names
        Of the domains, none of them empty.
    config
        Settings of the run, or the usual ones.
    facts
        What the run recorded; empty for a column of labels.
    """

    run: str
    column: str
    codes: NDArray[np.int32]
    names: tuple[str, ...]
    config: Config
    facts: Mapping[str, Any]

    @property
    def read_meaning(self) -> str:
        """The source of semantics that the run had; empty for a column of labels."""
        return self.config.semantics.source if self.run else ""


def explained(tissue: AnnData, run: str | None, labels: str | None) -> Explained:
    """Return the labels and settings of a run, or of a column of labels.

    Parameters
    ----------
    run
        Name of the run; the latest where `None`.
    labels
        obs column to explain instead of a run.

    Raises
    ------
    ConfigError
        If both are given.
    InputError
        If there is no such run or column, or it has fewer than two domains.
    """
    if labels is not None:
        if run is not None:
            raise ConfigError(
                f"Expected a run or a column of labels; got both ({run!r} and "
                f"{labels!r}). Give one of them."
            )
        return _of_column(tissue, "", labels, Config(), {})
    wanted = str(tissue.uns.get(keys.LATEST, keys.DEFAULT_RUN)) if run is None else run
    runs = tissue.uns.get(keys.RUNS, {})
    column = keys.of_run(keys.DOMAIN, wanted)
    if wanted not in runs or column not in tissue.obs:
        raise InputError(
            Worded(
                f"Expected a run {wanted!r}; found runs {abbreviate(list(runs))}. Find "
                "domains first, or ",
                Way(
                    "name a column of obs with --labels.",
                    "name a column of obs (labels=...).",
                    "colour by another column of labels.",
                ),
            )
        )
    facts = runs[wanted]
    return _of_column(tissue, wanted, column, recorded_config(facts), facts)


def _of_column(
    tissue: AnnData, run: str, column: str, config: Config, facts: Mapping[str, Any]
) -> Explained:
    import pandas as pd

    if column not in tissue.obs:
        raise InputError(
            f"Expected labels in obs[{column!r}]; found obs columns "
            f"{abbreviate(list(tissue.obs))}. Name one of them."
        )
    labels = pd.Categorical(tissue.obs[column]).remove_unused_categories()
    if len(labels.categories) < 2:
        raise InputError(
            f"Expected two domains or more in obs[{column!r}]; found "
            f"{len(labels.categories)}. A domain is explained by what sets it apart "
            "from the others."
        )
    names = tuple(map(str, labels.categories))
    codes = np.asarray(labels.codes, dtype=np.int32)
    return Explained(run, column, codes, names, config, facts)


def check_least(asked: object, **least: int) -> None:
    """Raise `ConfigError` where something asked for is smaller than it can be.

    Parameters
    ----------
    asked
        Has an attribute of each name.
    **least
        The smallest value of each.
    """
    for name, value in least.items():
        if getattr(asked, name) < value:
            raise ConfigError(
                f"Expected {name} to be at least {value}; got {getattr(asked, name)!r}."
            )


def check_meaning(wanted: str) -> None:
    """Refuse a source of meanings that there is not."""
    if wanted not in MEANINGS:
        raise ConfigError(one_of("semantics", wanted, MEANINGS))
