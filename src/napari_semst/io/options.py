"""What a caller may say about an input beyond its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices for inputs that leave one.

    Parameters
    ----------
    counts
        Where the raw counts are: a layer (or ``"raw"``) of an .h5ad, the matrix file
        or folder of a Space Ranger folder.
    positions
        Where the spots are: an obsm key or two obs columns (``"x,y"``) of an .h5ad,
        the positions file beside a 10x matrix or a table of counts.
    part
        Which part of an input that holds several: the bin size of Visium HD (in
        micrometres) or of Stereo-seq (in spots of the chip), the table of a
        SpatialData store, the sample of a folder with files of several. None takes the
        usual one.
    features
        ``"all"`` takes controls, blanks and proteins for genes, too; ``"genes"``, as
        None, leaves them out.
    on_disk
        Whether counts that are large beside the memory stay where they are.
    """

    counts: str | Path | None = None
    positions: str | Path | None = None
    part: str | None = None
    features: str | None = None
    on_disk: bool = False

    @classmethod
    def of(
        cls,
        counts: str | Path | None,
        positions: str | Path | None,
        part: str | int | None,
        features: str | None = None,
        *,
        on_disk: bool = False,
    ) -> ReadOptions:
        """Return choices as callers give them: a part may be a number.

        Raises
        ------
        InputError
            If there is no such choice of features.
        """
        from napari_semst.errors import InputError

        if features not in (None, "", "genes", "all"):
            raise InputError(
                f"Expected features to be 'genes' or 'all'; got {features!r}. Leave it "
                "out for genes."
            )
        part = None if part is None else str(part)
        return cls(counts, positions, part, features, on_disk)

    def bin_size(self, what: str) -> int | None:
        """Return the part as a bin size, None where none is asked for.

        Parameters
        ----------
        what
            The input, as a user says it.

        Raises
        ------
        InputError
            If the part is no positive whole number, with or without a unit.
        """
        import re

        from napari_semst.errors import InputError

        if self.part is None:
            return None
        told = re.fullmatch(r"(?:bin|square_)?0*([1-9]\d{0,5})(?:um)?", str(self.part))
        if told is None:
            raise InputError(
                f"Expected a bin size of {what}, such as 8 or 50; got {self.part!r}. "
                "Give a whole number."
            )
        return int(told[1])
