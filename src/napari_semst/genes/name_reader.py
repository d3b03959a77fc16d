"""How a gene's name, as a file has it, becomes rows of the gene table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from napari_semst.genes.curated_mouse_names import OLD_MOUSE_NAMES
from napari_semst.genes.curated_names import (
    COMPOSITE_PROBES,
    MEANT_OF_TWO,
    MERGED_INTO_ANOTHER,
    is_non_coding,
    is_numbered,
    is_transgene,
    members_by_ending,
    probe_key,
)
from napari_semst.genes.gene_names import (
    ENSEMBL,
    ENSEMBL_SPECIES,
    case_species,
    is_nameless,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_semst.genes.gene_names import Species

Rows = tuple[int, ...]

RULES = 4
"""Rises where a name may come to mean another gene than before."""

_UNIQUE = re.compile(r"(?P<name>.+)[-.]\d{1,2}")


@dataclass(frozen=True)
class NameReader:
    """Finds the rows that stand for a gene's name.

    Parameters
    ----------
    symbols
        Approved human symbols, one per row.
    previous, aliases
        Upper-case previous symbol, and alias, -> the one row that it can mean.
    mouse
        Every mouse symbol -> rows of its human homologues, of which there may be none.
    """

    symbols: Sequence[str]
    previous: Mapping[str, int]
    aliases: Mapping[str, int]
    mouse: Mapping[str, Rows]

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Upper-case approved symbol -> row."""
        return {symbol.upper(): row for row, symbol in enumerate(self.symbols)}

    @cached_property
    def _named_alike(self) -> frozenset[int]:
        """Rows of genes that mouse calls by the same symbol.

        Both were renamed at a time, so that what was the gene's name in one species was
        its name in the other.
        """
        row_of = self.row_of
        return frozenset(
            row
            for symbol, rows in self.mouse.items()
            if (row := row_of.get(symbol.upper(), -1)) in rows
        )

    def rows(self, name: str, species: Species, *, approved_only: bool = False) -> Rows:
        """Return the rows that stand for one name; none where it is unknown.

        Parameters
        ----------
        name
            A symbol, whatever its age, or a probe's name.
        species
            How it is read.
        approved_only
            Whether old and other names mean nothing, because the gene's id says that
            it is none of those they could be.
        """
        if species == "human and mouse":
            of_mouse = name in self.mouse or case_species(name) == "mouse"
            species = "mouse" if of_mouse else "human"
        human = species == "human"
        if approved_only and human:
            return self._approved(name)
        found = self._told(name, species)
        if found is not None or approved_only:
            return found or ()
        written = self._composite(name, species) or self._respelt(name, species)
        if human and not is_non_coding(name.upper()):
            alias = self.aliases.get(name.upper())
            if alias is not None:
                # MBP-2 is a name of HIVEP2, and how programs write a second MBP.
                return (alias,) if written in ((), (alias,)) else ()
        return written

    def _approved(self, name: str) -> Rows:
        row = self.row_of.get(name.upper())
        return () if row is None else (row,)

    def _told(self, name: str, species: Species) -> Rows | None:
        """Return rows by all but aliases, composites and spellings; None: not told."""
        if species == "human":
            return self._human(name)
        if species == "mouse":
            if name in self.mouse:
                return self.mouse[name]
            if name in OLD_MOUSE_NAMES:
                return self.mouse.get(OLD_MOUSE_NAMES[name], ())
        return self._shared(name)

    def _human(self, name: str) -> Rows | None:
        """Return rows by approved and previous symbols; None: other names may tell."""
        upper = name.upper()
        if upper in self.row_of:
            return (self.row_of[upper],)
        if is_transgene(upper) or upper in MERGED_INTO_ANOTHER or is_nameless(name):
            return ()
        if upper in MEANT_OF_TWO:
            return self._approved(MEANT_OF_TWO[upper])
        if is_non_coding(upper):
            return None
        row = self.previous.get(upper)
        return None if row is None else (row,)

    def _shared(self, name: str) -> Rows | None:
        """Return rows by a symbol that human and another species share."""
        upper = name.upper()
        # Written as human genes are, CFP is no gene of another species.
        if upper in self.row_of and not (name == upper and is_transgene(upper)):
            return (self.row_of[upper],)
        if is_transgene(upper) or is_nameless(name):
            return ()
        if upper in MEANT_OF_TWO:
            return self._approved(MEANT_OF_TWO[upper])
        row = None if is_non_coding(upper) else self.previous.get(upper)
        return (row,) if row in self._named_alike and row is not None else None

    def _composite(self, name: str, species: Species) -> Rows:
        """Return the rows of a probe that catches several genes."""
        members = COMPOSITE_PROBES.get(probe_key(name)) if species == "human" else None
        if members is None:
            members = members_by_ending(name)
            found = [self._told(member, species) or () for member in members]
            if not all(found):
                return ()
        else:
            found = [self._approved(member) for member in members]
        return tuple(dict.fromkeys(row for rows in found for row in rows))

    def _respelt(self, name: str, species: Species) -> Rows:
        """Return rows of a name that R or a tool changed.

        R writes a point for a hyphen; what occurs twice is told apart by ``.1`` or
        ``-1`` at its end.
        """
        dashed = name.replace(".", "-")
        if dashed != name and (rows := self._told(dashed, species)):
            return rows
        once = _UNIQUE.fullmatch(name)
        if once is None or is_numbered(dashed.upper()):
            return ()
        # What stays is to be the gene's symbol: old names end in numbers as well.
        for one in dict.fromkeys((once["name"], once["name"].replace(".", "-"))):
            current = one.upper() in self.row_of or one in self.mouse
            if current and (rows := self._told(one, species)):
                return rows
        return ()


def species_of_id(gene_id: str, species: Species) -> Species:
    """Return the species that an Ensembl id tells, else the one given."""
    match = ENSEMBL.fullmatch(gene_id)
    return ENSEMBL_SPECIES.get(match[1], "other") if match else species
