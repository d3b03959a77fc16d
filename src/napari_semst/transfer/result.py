"""What a transfer of names returns, and how it is written into a tissue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import ConfigError
from napari_semst.io.matrices import stored_matrices
from napari_semst.pipeline.provenance import python_values, spots_hash
from napari_semst.pipeline.result import attach, storable

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.pipeline.result import DomainResult

DOMAIN_TABLE, RUNNERS_UP = "domains", 2


@dataclass(frozen=True)
class NamedDomain:
    """What a domain is most like, and how sure that is.

    Parameters
    ----------
    domain
        Its name in the target.
    n_spots
        Spots that it has.
    best
        The name that it is most like.
    name
        That name where it is significant, else empty: none of these.
    score
        Likeness, from -1 to 1.
    p, q
        Of the best name: its p-value, and the false discovery rate over all domains.
    runners_up
        Names that come next, with their scores.
    sentence
        The genes and terms that carried the name.
    """

    domain: str
    n_spots: int
    best: str
    name: str
    score: float
    p: float
    q: float
    runners_up: tuple[tuple[str, float], ...] = ()
    sentence: str = ""

    @property
    def next_names(self) -> str:
        """The names that come next with their scores, for people."""
        return ", ".join(f"{name} {score:.2f}" for name, score in self.runners_up)


@dataclass(frozen=True)
class NamedSpots:
    """The name that each spot is most like.

    Parameters
    ----------
    codes
        Of the best name, shape ``(n_spots,)``; -1 where none is significant.
    score
        Likeness to the best name, significant or not, shape ``(n_spots,)``.
    q
        False discovery rate of the best name, shape ``(n_spots,)``.
    """

    codes: NDArray[np.int32]
    score: NDArray[np.float32]
    q: NDArray[np.float32]


@dataclass(frozen=True)
class TransferResult:
    """The names of a section's spots and domains, taken from a reference.

    Parameters
    ----------
    labels
        Names that could be given.
    spots
        Of each spot.
    domains
        Of each domain, in the order of the target.
    domain_codes
        Domain of each spot, ``(n_spots,)``; -1 where it has none.
    provenance
        Plain values: references, settings, versions, warnings.
    found
        The domains themselves, where the target had none.
    """

    labels: tuple[str, ...]
    spots: NamedSpots
    domains: tuple[NamedDomain, ...]
    domain_codes: NDArray[np.int32]
    provenance: dict[str, Any] = field(default_factory=dict)
    found: DomainResult | None = None

    @property
    def warnings(self) -> list[str]:
        """Sentences that users should read."""
        return list(self.provenance.get("warnings", ()))

    def spots_of_named(self) -> NDArray[np.int32]:
        """Return the name of each spot's domain, ``(n_spots,)``; -1 where none."""
        place = {label: code for code, label in enumerate(self.labels)}
        named = [place.get(one.name, -1) for one in self.domains]
        return np.array([*named, -1], dtype=np.int32)[self.domain_codes]


def attach_transfer(
    tissue: AnnData, result: TransferResult, *, inplace: bool = False
) -> AnnData:
    """Write names into a tissue, under the keys of `napari_semst.keys`.

    Parameters
    ----------
    tissue
        The tissue that was named.
    result
        What `transfer_steps` returned.
    inplace
        Write into ``tissue`` itself instead of a copy.

    Returns
    -------
    tissue
        The copy, or ``tissue`` itself.

    Raises
    ------
    ConfigError
        If the tissue has other spots than the one that was named.
    """
    made_from = result.provenance.get("spots_hash")
    other = made_from is not None and made_from != spots_hash(tissue.obs_names)
    if tissue.n_obs != len(result.spots.codes) or other:
        raise ConfigError(
            f"Expected the {len(result.spots.codes)} spots that were named, in the "
            "same order; found others. Attach the names to the tissue that they are "
            "of, before it is sorted or cut."
        )
    if inplace:
        target = tissue
    else:
        # What is read from disk as it is needed has no copy but in memory.
        on_disk = tissue.isbacked or bool(stored_matrices(tissue))
        target = tissue.to_memory() if on_disk else tissue.copy()
    if result.found is not None:
        attach(target, result.found, keys.DEFAULT_RUN, inplace=True)
    _write_names(target, keys.TRANSFER, result.spots.codes, result.labels)
    _write_names(target, keys.TRANSFER_DOMAIN, result.spots_of_named(), result.labels)
    target.obs[keys.TRANSFER_SCORE] = result.spots.score
    target.obs[keys.TRANSFER_Q] = result.spots.q
    target.uns[keys.TRANSFER] = {
        DOMAIN_TABLE: naming_table(result),
        "provenance": storable(result.provenance),
    }
    return target


def naming_table(result: TransferResult) -> pd.DataFrame:
    """Return one row per domain: its name, how sure it is, and what comes next."""
    import pandas as pd

    rows = []
    for one in result.domains:
        row: dict[str, Any] = {
            "domain": one.domain,
            "n_spots": one.n_spots,
            "name": one.name,
            "best": one.best,
            "score": one.score,
            "p": one.p,
            "q": one.q,
        }
        for place in range(RUNNERS_UP):
            there = place < len(one.runners_up)
            name, score = one.runners_up[place] if there else ("", np.nan)
            row |= {f"runner_up_{place + 1}": name, f"score_{place + 1}": score}
        rows.append({**row, "sentence": one.sentence})
    return pd.DataFrame(rows)


def naming_facts(tissue: AnnData) -> dict[str, Any]:
    """Return how the names that a tissue holds were made; empty where it has none."""
    held = tissue.uns.get(keys.TRANSFER, {})
    told = held.get("provenance", {}) if hasattr(held, "get") else {}
    found: Any = python_values(told)
    return found if isinstance(found, dict) else {}


def read_naming(tissue: AnnData) -> tuple[NamedDomain, ...]:
    """Return the names of domains that a tissue holds; empty where it has none."""
    held = tissue.uns.get(keys.TRANSFER, {})
    table = held.get(DOMAIN_TABLE) if hasattr(held, "get") else None
    if table is None or not hasattr(table, "to_dict"):
        return ()
    return tuple(_domain_of(row) for row in table.to_dict("records"))


def _domain_of(row: dict[str, Any]) -> NamedDomain:
    runners_up = [
        (str(row[f"runner_up_{place}"]), float(row[f"score_{place}"]))
        for place in range(1, RUNNERS_UP + 1)
        if str(row.get(f"runner_up_{place}", ""))
    ]
    return NamedDomain(
        domain=str(row["domain"]),
        n_spots=int(row["n_spots"]),
        best=str(row["best"]),
        name=str(row["name"]),
        score=float(row["score"]),
        p=float(row["p"]),
        q=float(row["q"]),
        runners_up=tuple(runners_up),
        sentence=str(row.get("sentence", "")),
    )


def _write_names(
    tissue: AnnData, key: str, codes: NDArray[np.int32], labels: tuple[str, ...]
) -> None:
    """Write a column of names, which all have the colour of their place."""
    import pandas as pd

    from napari_semst.palette import domain_colors

    # Names that no spot has stay, so that colours are those of the reference's names.
    categories = pd.Index(list(labels), dtype=object)
    tissue.obs[key] = pd.Categorical.from_codes(codes.tolist(), categories)
    colors = np.asarray(domain_colors(len(labels)), dtype=str)
    tissue.uns[key + keys.COLORS_SUFFIX] = colors
