"""Domains under the names that they got from another section."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.core.column_colors import column_colors
from napari_semst.errors import InputError
from napari_semst.explore.labels import Labels, free_name, read_labels
from napari_semst.palette import PALETTE
from napari_semst.transfer.result import naming_facts, read_naming

if TYPE_CHECKING:
    from anndata import AnnData


def named_domains(tissue: AnnData) -> Labels:
    """Return the domains by name: those of one name are one, others keep their own.

    Parameters
    ----------
    tissue
        A section whose domains were named.

    Raises
    ------
    InputError
        If they were not, or the column of the domains is gone.
    """
    given = {one.domain: one.name for one in read_naming(tissue) if one.name}
    column = str(naming_facts(tissue).get("domains", ""))
    if not column:
        raise InputError(
            "Expected domains with names from another section; found none. Name them "
            "first."
        )
    before = read_labels(tissue, column)
    called, taken = [], set(given.values())
    for name in before.names:
        # A domain's own name may be one that others got.
        own = free_name(name, taken) if name not in given else given[name]
        taken.add(own)
        called.append(own)
    kept = tuple(dict.fromkeys(called))
    place = {name: code for code, name in enumerate(kept)}
    new = np.array([*(place[name] for name in called), -1], np.int32)
    colors = _colors(tissue, before, called, set(given.values()))
    shades = tuple(colors[name] for name in kept)
    return replace(before, codes=new[before.codes], names=kept, colors=shades)


def _colors(
    tissue: AnnData, before: Labels, called: list[str], given: set[str]
) -> dict[str, str]:
    """Return the colours of names as their column has them, others apart from these."""
    colors = {}
    if keys.TRANSFER_DOMAIN in tissue.obs:
        known = column_colors(tissue, keys.TRANSFER_DOMAIN)
        colors = {name: known[name] for name in given if name in known}
    for name, own in zip(called, before.colors, strict=True):
        if name not in colors:
            used = set(colors.values())
            spare = [own, *(color for color in PALETTE if color not in used)]
            colors[name] = spare[0] if own not in used else spare[1 % len(spare)]
    return colors
