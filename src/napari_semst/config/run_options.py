"""Which settings are options of ``semst run``, and what these are called."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_semst.config.settings import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.config.semantics_settings import SemanticsConfig

_MODELS = ("prompts", "genes")
_LISTING = ("builtin", "table", "server", *_MODELS, "precomputed")
# The setting that what follows a source's name is for: ``table:FILE``.
AFTER_SOURCE: Mapping[str, str] = MappingProxyType(
    {
        "prompts": "model",
        "genes": "model",
        "table": "table",
        "server": "url",
        "precomputed": "embedding",
    }
)

_Needs = tuple[tuple[str, str, tuple[str, ...]], ...]
# Of a setting of the semantics: the sources that read it, and what those must have.
READ_BY: Mapping[str, tuple[tuple[str, ...], _Needs]] = MappingProxyType(
    {
        "model": ((*_MODELS, "server"), ()),
        "revision": (_MODELS, ()),
        "pooling": (_MODELS, ()),
        "template": (("prompts",), ()),
        "tissue": (("prompts",), (("template", "tissue", ("prompts",)),)),
        "gene_text": (("genes", "server"), (("per", "gene", ("server",)),)),
        "summaries": (("genes",), ()),
        "per": (("server",), ()),
        "keep_vectors": (("server",), ()),
        "n_genes": (_LISTING, ()),
        "ranking": (_LISTING, ()),
        "leave_out_uninformative": (_LISTING, ()),
    }
)
# Settings of the image that are read where patches are.
OF_PATCHES = ("image", "image_scale", "spot_diameter", "context")


def setting_field(setting: str) -> dataclasses.Field[Any]:
    """Return the field of ``stage.name``."""
    stage, _, name = setting.partition(".")
    return {field.name: field for field in dataclasses.fields(STAGES[stage])}[name]


def setting_flags(setting: str) -> tuple[str, ...]:
    """Return the names of the option of ``stage.name``: ``--domains`` and ``-k``."""
    field = setting_field(setting)
    flags: tuple[str, ...] = field.metadata["flags"]
    return flags or (f"--{field.name.replace('_', '-')}",)


def setting_flag(setting: str) -> str:
    """Return the option of ``stage.name`` as sentences call it."""
    return setting_flags(setting)[0].partition("/")[0]


def lacking_for(name: str, wanted: SemanticsConfig) -> tuple[bool, list[str]]:
    """Return whether a source reads a setting of the semantics, and what it lacks.

    Parameters
    ----------
    name
        One of `READ_BY`.
    wanted
        The settings with the source among them.

    Returns
    -------
    fits, lacking
        Whether the source is one that reads it; options that must be given, too.
    """
    sources, needs = READ_BY[name]
    lacking = [
        f"--{other} {value}"
        for other, value, of in needs
        if wanted.source in of and getattr(wanted, other) != value
    ]
    return wanted.source in sources, lacking
