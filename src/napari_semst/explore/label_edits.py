"""Edits of labels as values, which can be done again and told of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_semst.errors import ConfigError, one_of
from napari_semst.explore.split import split_parts

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.explore.labels import Labels

EDITS = ("renamed", "merged", "moved", "assigned", "split")
"""The methods of `Labels` that are edits of people."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelEdit:
    """One edit, to be called with the labels that it changes.

    Parameters
    ----------
    how
        One of `EDITS`.
    given
        Arguments by name; of ``"split"`` the ``name``, and as ``parts`` by what, as for
        `split_parts`.
    tissue
        The section, which ``"split"`` asks for its places or latent.
    parts
        What came of asking, where somebody did before.

    Raises
    ------
    ConfigError
        If there is no such edit.
    """

    how: str
    given: dict[str, Any] = field(default_factory=dict)
    tissue: AnnData | None = None
    parts: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.how not in EDITS:
            raise ConfigError(one_of("the edit", self.how, EDITS))

    def __call__(self, labels: Labels) -> Labels:
        """Return the labels after the edit."""
        given = dict(self.given)
        if self.how == "split":
            known = self.parts
            parts = self.parts_of(labels) if known is None else known
            given = {"name": given["name"], "parts": parts}
        changed: Labels = getattr(labels, self.how)(**given)
        return changed

    def parts_of(self, labels: Labels) -> NDArray[np.int64]:
        """Return the part of each spot of the name that is to be split.

        Raises
        ------
        ConfigError
            If no section was given.
        InputError
            If it has no latent, or no coordinates.
        """
        if self.tissue is None:
            raise ConfigError("Expected the section whose labels are split; got none.")
        inside = labels.spots_of([self.given["name"]])
        place = self.given.get("coordinates")
        return split_parts(self.tissue, inside, self.given["parts"], place)
