"""What is known of the histology around each spot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


# Image features that are written into a tissue, and named in its record, at most:
# those of a network, which are more, would make it several times as large.
MOST_KEPT = 256


@dataclass(frozen=True)
class Morphology:
    """Features of the image around each spot.

    Parameters
    ----------
    features
        Shape ``(n_spots, n_features)``, as measured; a row of NaN where a spot has no
        patch. `standardise_morphology` makes them ready for a network.
    names
        Names of the features, in words where they have some.
    usable
        Spots whose patch can be relied upon: inside the image, on tissue, not blurred
        and not folded, shape ``(n_spots,)``.
    flags
        Why others cannot, by name (``outside``, ``background``, ``blurred``,
        ``folded``), each ``(n_spots,)``.
    notes
        Plain values for the provenance: encoder, image and its hash, pixels per spot,
        stain, counts of the flags.
    """

    features: NDArray[np.float32]
    names: tuple[str, ...]
    usable: NDArray[np.bool_]
    flags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def reasons(self) -> tuple[NDArray[np.int8], tuple[str, ...]]:
        """Return the first flag of each spot as a code, and the flags' names.

        Code 0 is ``fine``.
        """
        codes = np.zeros(len(self.usable), np.int8)
        for code, flag in enumerate(self.flags.values(), start=1):
            codes[flag & (codes == 0)] = code
        return codes, ("fine", *self.flags)
