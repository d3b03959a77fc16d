"""The section that is named: its settings, and the domains that get names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.config import Config, Request
from napari_semst.errors import ConfigError, InputError
from napari_semst.io.checks import abbreviate

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.pipeline.result import DomainResult

_MOST_DOMAINS = 1000


@dataclass(frozen=True)
class TargetOptions:
    """What of the section to name is named, and where its parts stand.

    Parameters
    ----------
    domains
        obs column of the domains to name; empty: those of the latest run, found first
        where there are none.
    n_domains
        Domains to find where there are none; 0: as many as the reference has names.
    counts_layer, coordinates, section_key, features
        As the settings of these names.
    """

    domains: str = ""
    n_domains: int = 0
    counts_layer: str = ""
    coordinates: str = ""
    section_key: str = ""
    features: str = "genes"

    def __post_init__(self) -> None:
        if self.n_domains < 0 or self.n_domains == 1:
            raise ConfigError(
                "Expected 2 domains or more, or 0 for as many as the reference has "
                f"names; got {self.n_domains}."
            )


@dataclass(frozen=True)
class TargetDomains:
    """The domains of a section that get names.

    Parameters
    ----------
    column
        obs column that they stand in.
    codes
        Domain of each spot, ``(n_spots,)``; -1 where it has none.
    names
        Of the domains, each of which has spots.
    found
        The run that found them, where they were found now.
    """

    column: str
    codes: NDArray[np.int32]
    names: tuple[str, ...]
    found: DomainResult | None = None


def target_config(options: TargetOptions) -> Config:
    """Return the settings by which counts and coordinates of the section are found."""
    return Config().with_overrides({"prepare": _prepare(options)})


def target_domains(
    tissue: AnnData,
    options: TargetOptions,
    n_labels: int,
    seed: int,
    control: RunControl,
) -> Generator[Progress, None, TargetDomains]:
    """Return the domains to name: a column's, the latest run's, or found now.

    Parameters
    ----------
    tissue
        It is not changed.
    n_labels
        Domains to find where nothing else is said.

    Raises
    ------
    InputError
        If there is no such column, or it holds measurements.
    """
    from napari_semst.pipeline.run import find_domains

    column = options.domains or (keys.DOMAIN if keys.DOMAIN in tissue.obs else "")
    if column:
        return _of_column(tissue, column)
    request = (
        Request("auto", {"prepare": _prepare(options)})
        .with_settings("domains", n_domains=options.n_domains or n_labels)
        .with_settings("training", seed=seed)
        .with_settings("model", method="quick")
    )
    found = yield from find_domains(tissue, request, control)
    return TargetDomains(keys.DOMAIN, found.codes, found.names, found)


def _prepare(options: TargetOptions) -> dict[str, str]:
    given = {
        "counts_layer": options.counts_layer,
        "coordinates": options.coordinates,
        "section_key": options.section_key,
        "features": options.features,
    }
    return {name: value for name, value in given.items() if value}


def _of_column(tissue: AnnData, column: str) -> TargetDomains:
    import pandas as pd

    if column not in tissue.obs:
        raise InputError(
            f"Expected domains in obs[{column!r}] of the section to name; found obs "
            f"columns {abbreviate(list(tissue.obs)) or 'none'}. Name one of them, or "
            "none: domains are then found."
        )
    values = tissue.obs[column]
    labels = pd.Categorical(values).remove_unused_categories()
    names = tuple(map(str, labels.categories))
    numbers = values.dtype.kind == "f" and (values.dropna() % 1 != 0).any()
    if numbers or not 1 <= len(names) <= _MOST_DOMAINS:
        found = "measurements" if numbers else f"{len(names)} values"
        raise InputError(
            f"Expected 1 to {_MOST_DOMAINS} domains in obs[{column!r}] of the section "
            f"to name; found {found}. Name a column of labels."
        )
    return TargetDomains(column, np.asarray(labels.codes, dtype=np.int32), names)
