"""Edits of labels as values, which can be done again and told of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_semst.errors import ConfigError, one_of
from napari_semst.explore.split import split_parts

if TYPE_CHECKING:
    from anndata import AnnData

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

    Raises
    ------
    ConfigError
        If there is no such edit.
    """

    how: str
    given: dict[str, Any] = field(default_factory=dict)
    tissue: AnnData | None = None

    def __post_init__(self) -> None:
        if self.how not in EDITS:
            raise ConfigError(one_of("the edit", self.how, EDITS))

    def __call__(self, labels: Labels) -> Labels:
        """Return the labels after the edit."""
        given = dict(self.given)
        if self.how == "split":
            if self.tissue is None:
                raise ConfigError("Expected the section whose labels are split.")
            inside = labels.spots_of([given["name"]])
            given = {
                "name": given["name"],
                "parts": split_parts(
                    self.tissue, inside, given["parts"], given.get("coordinates")
                ),
            }
        changed: Labels = getattr(labels, self.how)(**given)
        return changed
