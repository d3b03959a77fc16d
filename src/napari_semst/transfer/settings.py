"""How a section is named from another."""

from __future__ import annotations

from dataclasses import dataclass

from napari_semst.errors import ConfigError


@dataclass(frozen=True)
class TransferSettings:
    """What can be chosen of a transfer.

    Parameters
    ----------
    n_neighbours, n_rounds
        Each spot is averaged with so many nearest spots, so often.
    n_draws
        How often gene names are dealt anew, and random domains drawn.
    fdr
        Names are told up to this false discovery rate (q-value).
    seed
        Of all draws.

    Raises
    ------
    ConfigError
        If one of them is out of range.
    """

    n_neighbours: int = 6
    n_rounds: int = 5
    n_draws: int = 999
    fdr: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("n_neighbours", 1), ("n_rounds", 0), ("n_draws", 19)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"Expected {name} to be at least {least}; got "
                    f"{getattr(self, name)!r}."
                )
        if not 0 < self.fdr < 1:
            raise ConfigError(f"Expected fdr between 0 and 1; got {self.fdr!r}.")
