"""Several sections in one table: what is done inside each of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from napari_semst.errors import CountsError, InputError, SemanticsError
from napari_semst.wording import Worded, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


class Sections(NamedTuple):
    """Which spots are of which section.

    Parameters
    ----------
    codes
        Section of each spot, ``0 .. n_sections - 1``, shape ``(n_spots,)``.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def one(cls, n_spots: int) -> Sections:
        """Return a single section of all spots."""
        return cls(np.zeros(n_spots, np.int32), ("",))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of spots of every section."""
        return np.bincount(self.codes, minlength=len(self.names))

    def spots(self) -> Iterator[NDArray[np.int64]]:
        """Yield the indices of every section's spots."""
        for code in range(len(self.names)):
            yield np.flatnonzero(self.codes == code)

    def inside(
        self, build: Callable[[NDArray[np.int64]], tuple[sparse.csr_matrix, str]]
    ) -> tuple[sparse.csr_matrix, str]:
        """Return one matrix of what is built of every section's spots on its own.

        Parameters
        ----------
        build
            Returns, for the indices of some spots, a matrix of them by them, and in
            words how it was made.

        Returns
        -------
        matrix, description
            Shape ``(n_spots, n_spots)``, nothing between sections.
        """
        if len(self.names) == 1:
            return build(np.arange(len(self.codes)))
        order = list(self.spots())
        blocks, texts = zip(*(build(spots) for spots in order), strict=True)
        together = sparse.csr_matrix(sparse.block_diag(blocks, format="csr"))
        # Spots of a section need not stand together in the table.
        inverse = np.argsort(np.concatenate(order))
        description = "; ".join(dict.fromkeys(texts))
        return together[inverse][:, inverse], f"{description}, inside every section"


@contextmanager
def naming_section(section: str) -> Iterator[None]:
    """Say in errors which section they are of."""
    try:
        yield
    except (InputError, SemanticsError, CountsError) as error:
        raise type(error)(Worded(f"Section {section!r}: ", message(error))) from error
