"""The molecules of some genes read from a section's tables, with progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.progress import Progress
from napari_semst.io.transcripts.molecules import MoleculeHeap, Molecules
from napari_semst.io.transcripts.tables import rows_in, transcript_pieces

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.io.transcripts.sources import FieldPlaces, TranscriptSource
    from napari_semst.io.transcripts.tables import Box, TranscriptPiece

    Floats = NDArray[np.float64]

LEAST_QUALITY = 20.0
"""Of a molecule of Xenium: below, one call in a hundred is wrong, and it is not counted
in the matrix either."""


class MoleculeReader:
    """Reads the molecules of some genes; what is there so far can be had meanwhile.

    Parameters
    ----------
    sources
        The tables of a section.
    genes
        By the names that the tables have.
    least_quality
        Of the molecules that are kept, where a table tells their quality.
    region
        Least x and y, largest x and y: molecules elsewhere are left out. In the
        coordinates of the section.
    before
        Genes by other names that a table may have for them, see `names_before`.
    most
        Molecules to keep of all tables; of more a sample is kept.
    """

    def __init__(
        self,
        sources: Sequence[TranscriptSource],
        genes: Sequence[str],
        least_quality: float = LEAST_QUALITY,
        region: Box | None = None,
        before: Mapping[str, str] | None = None,
        most: int | None = None,
    ) -> None:
        self._sources, self._genes = tuple(sources), tuple(genes)
        # A table is asked for all names; which gene each is.
        own = {gene: code for code, gene in enumerate(self._genes)}
        for name, gene in (before or {}).items():
            if gene in own:
                own.setdefault(name, own[gene])
        self._names = tuple(own)
        self._codes = np.array(list(own.values()), np.int64)
        self._least, self._region = least_quality, region
        self._most = most
        self._heaps = [MoleculeHeap(self._genes, one.section) for one in self._sources]
        self.n_rows = 0
        """Rows that were gone through."""

    def molecules(self) -> list[Molecules]:
        """Return what was found so far, of each table."""
        return [heap.molecules() for heap in self._heaps]

    def steps(
        self, control: RunControl, first: Box | None = None
    ) -> Generator[Progress, None, None]:
        """Go through the tables piece by piece; of no table all rows are in memory.

        Parameters
        ----------
        control
            Cancels.
        first
            A box of the section: what lies there comes first, where the file tells.

        Raises
        ------
        InputError
            If a table is gone or damaged, or is none of molecules.
        Cancelled
            If that was asked for.
        """
        rows = [rows_in(source.file) for source in self._sources]
        # Of one that only reading tells nobody knows how many there are in all.
        n_rows = sum(rows) if all(rows) else 0
        for source, heap in zip(self._sources, self._heaps, strict=True):
            for piece in self._pieces(source, first):
                control.check()
                self._add(source, piece, heap)
                self.n_rows += piece.n_rows
                of = f" of {n_rows:,}" if n_rows else ""
                yield Progress(
                    "read",
                    min(self.n_rows, n_rows),
                    n_rows,
                    f"{self.n_rows:,}{of} rows of transcripts read",
                )

    def _pieces(
        self, source: TranscriptSource, first: Box | None
    ) -> Iterator[TranscriptPiece]:
        # What a file says of its parts is in its own places.
        own = source.matrix is None and source.fields is None
        boxes = (self._region, first) if own else (None, None)
        return transcript_pieces(source, self._names, *boxes)

    def _add(
        self, source: TranscriptSource, piece: TranscriptPiece, heap: MoleculeHeap
    ) -> None:
        codes, places = self._codes[piece.codes], _in_section(source, piece)
        kept = np.isfinite(places).all(axis=1)
        if self._region is not None:
            least, most = np.reshape(np.asarray(self._region, np.float64), (2, 2))
            kept &= ((places >= least) & (places <= most)).all(axis=1)
        low = np.zeros(len(codes), bool)
        if piece.quality is not None:
            # Where none is told, nothing speaks against it.
            low = kept & (piece.quality < self._least)
        kept &= ~low
        heap.add(
            places[kept].astype(np.float32),
            codes[kept].astype(np.int16),
            codes[low].astype(np.int16),
        )
        while self._most is not None and sum(map(len, self._heaps)) > self._most:
            for one in self._heaps:
                one.halve()


def _in_section(source: TranscriptSource, piece: TranscriptPiece) -> Floats:
    """Return the places of molecules in the section, (x, y); NaN where unknown."""
    places = piece.places
    if source.fields is not None and piece.fields is not None:
        places = _from_fields(source.fields, places, piece.fields)
    if source.matrix is not None:
        places = places @ source.matrix[:2, :2].T + source.matrix[:2, 2]
    return places


def _from_fields(
    known: FieldPlaces, places: Floats, fields: NDArray[np.object_]
) -> Floats:
    import pandas as pd

    # A field without cells has no known place: its molecules are left out.
    which = pd.Index(known.names).get_indexer(pd.Index(fields))
    offsets = np.concatenate([known.offsets, [[np.nan, np.nan]]])
    return np.asarray(offsets[which] + known.directions * places)
