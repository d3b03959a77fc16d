"""Where the tables of a tissue's molecules are; nothing is read before it is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_semst.io.beside.kept_with import KeptWith
from napari_semst.io.feature_names import name_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TRANSCRIPTS = "the table of transcripts"
"""What such a file is, as a user says it."""


@dataclass(frozen=True, slots=True)
class TranscriptColumns:
    """How a kind of table calls its columns, whatever their case.

    Parameters
    ----------
    x, y
        Of places.
    gene
        Of genes: the first that is there.
    quality
        Of a molecule's quality, which is 20 and more where it can be trusted; empty
        where the kind has none.
    field
        Of the field of view, where places are in that.
    """

    x: str
    y: str
    gene: tuple[str, ...]
    quality: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FieldPlaces:
    """How places in fields of view lead to those of the section.

    Parameters
    ----------
    names
        Of the fields, as the table has them.
    offsets
        Where their origins lie, (x, y), shape ``(n_fields, 2)``.
    directions
        1 where an axis of a field runs as that of the section, -1 against, (x, y).
    """

    names: tuple[str, ...]
    offsets: Floats
    directions: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptSource:
    """A table of molecules, and how its places lead to those of the section.

    Parameters
    ----------
    file
        The table: parquet, a folder of parquet, or text, which may be packed.
    columns
        How its columns are called: the first of these that it has.
    matrix
        What takes its (x, y, 1) to the section, shape ``(3, 3)``; None: nothing to do.
    fields
        Where fields of view lie, for columns with places in these.
    section
        That the molecules are of, empty where there is one.
    """

    file: Path
    columns: tuple[TranscriptColumns, ...]
    matrix: Floats | None = None
    fields: FieldPlaces | None = None
    section: str = ""


# Columns of var in which readers keep the names that genes had, see `use_symbols`.
_NAMES_BEFORE = ("original_names", "gene_ids", "ensembl_ids")

_SOURCES: KeptWith[tuple[TranscriptSource, ...]] = KeptWith()


def remember_transcripts(tissue: AnnData, *sources: TranscriptSource) -> None:
    """Let a tissue know where the tables of its molecules are."""
    if sources:
        _SOURCES.put(tissue, sources)


def pass_on_transcripts(tissue: AnnData, copy: AnnData) -> None:
    """Let a copy of a tissue, or one of fewer cells, know of its molecules too."""
    _SOURCES.pass_on(tissue, copy)


def join_transcript_sources(joined: AnnData, tissues: Mapping[str, AnnData]) -> None:
    """Let a tissue that was joined of others, by name, know of their molecules."""
    found = [
        replace(one, section=f"{name}/{one.section}" if one.section else name)
        for name, tissue in tissues.items()
        for one in transcript_sources(tissue)
    ]
    remember_transcripts(joined, *found)


def transcript_sources(tissue: AnnData) -> tuple[TranscriptSource, ...]:
    """Return where the tables of a tissue's molecules are, nothing where unknown."""
    return _SOURCES.get(tissue) or ()


def names_before(tissue: AnnData, genes: Sequence[str]) -> dict[str, str]:
    """Return genes by the names that their files gave them, where these are others.

    Readers name genes by symbol where a file has ids; its molecules still have these.

    Parameters
    ----------
    tissue
        The section.
    genes
        Some of its genes; others are left out.
    """
    own = tissue.var_names.get_indexer(list(genes))
    known = [(gene, at) for gene, at in zip(genes, own, strict=True) if at >= 0]
    found: dict[str, str] = {}
    for column in _NAMES_BEFORE:
        if column not in tissue.var:
            continue
        values = tissue.var[column].iloc[[at for _, at in known]]
        for (gene, _), value in zip(known, values, strict=True):
            # What is a gene's name by now means that one.
            if (text := name_text(value)) not in tissue.var_names:
                found.setdefault(text, gene)
    return found
