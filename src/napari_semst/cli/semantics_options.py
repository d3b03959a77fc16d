"""What the options on gene semantics stand for, and whether they fit its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.errors import ConfigError
from napari_semst.methods.registry import method_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.config import SemanticsConfig

# The setting that what follows a source's name is for.
_WHAT = {"prompts": "model", "genes": "model", "table": "table", "server": "url"}


def semantic_settings(
    semantics: str | None,
    model: str | None = None,
    *,
    keep_uninformative: bool | None = None,
    **options: str | bool | int | None,
) -> dict[str, Any]:
    """Return the settings that ``--semantics`` and the options beside it stand for.

    Parameters
    ----------
    semantics
        ``source`` or ``source:what``: of ``prompts`` and ``genes`` the model, of
        ``table`` the file, of ``server`` its address, of ``precomputed`` the embedding.
    model
        Of ``prompts``, ``genes`` or ``server``, named apart.
    keep_uninformative
        Whether genes that say little are listed, too.
    **options
        Further settings; `None` where not given.
    """
    source, _, what = (semantics or "").partition(":")
    settings: dict[str, Any] = {"source": source or None, "model": model, **options}
    if keep_uninformative is not None:
        settings["leave_out_uninformative"] = not keep_uninformative
    if what:
        name = _WHAT.get(source, "embedding")
        if name == "model" and model not in (None, what):
            raise ConfigError(
                f"Expected one model; got {what!r} in --semantics and {model!r} in "
                "--semantics-model. Give one of them."
            )
        settings[name] = what
    return settings


def check_method(source: str | None, method: str) -> None:
    """Refuse a source of semantics where the method reads none.

    Parameters
    ----------
    source
        As it was given; `None` where not.
    method
        Of the run.

    Raises
    ------
    ConfigError
        If it would be without effect.
    """
    if source not in (None, "none") and not method_spec(method).semantics:
        raise ConfigError(
            f"Expected the method 'semst' with --semantics {source}; got {method!r}, "
            "which reads no gene semantics. Leave --semantics out, or choose the "
            "method semst."
        )


def check_fit(given: Mapping[str, Any], wanted: SemanticsConfig) -> None:
    """Refuse options that the source of the semantics does not read.

    Parameters
    ----------
    given
        As `semantic_settings` returned it; `None` where not given.
    wanted
        All settings of the semantics.

    Raises
    ------
    ConfigError
        If one of them would be without effect.
    """
    for name, (option, sources, needs) in _READ_BY.items():
        if given.get(name) is None:
            continue
        fits = wanted.source in sources
        lacking = [
            f"--{other} {value}"
            for other, value, of in needs
            if wanted.source in of and getattr(wanted, other) != value
        ]
        if fits and not lacking:
            continue
        what = " or ".join(sources) if len(sources) < _MANY else "genes of each spot"
        found = f"{wanted.source!r}" + ("" if not lacking or not fits else " without")
        more = f" {' '.join(lacking)}" if fits else ""
        raise ConfigError(
            f"Expected a source that reads {option} ({what}); got {found}{more}. Leave "
            f"the option out, or choose what it is for with --semantics{more}."
        )


_MANY = 4
_MODELS = ("prompts", "genes")
_LISTING = ("builtin", "table", "server", *_MODELS, "precomputed")
_Needs = tuple[tuple[str, str, tuple[str, ...]], ...]
# Of a setting: its option, the sources that read it, and what these must be set to.
_READ_BY: dict[str, tuple[str, tuple[str, ...], _Needs]] = {
    "model": ("--semantics-model", (*_MODELS, "server"), ()),
    "revision": ("--revision", _MODELS, ()),
    "pooling": ("--pooling", _MODELS, ()),
    "template": ("--template", ("prompts",), ()),
    "tissue": ("--tissue", ("prompts",), (("template", "tissue", ("prompts",)),)),
    "gene_text": (
        "--gene-text",
        ("genes", "server"),
        (("per", "gene", ("server",)),),
    ),
    "summaries": ("--summaries", ("genes",), ()),
    "per": ("--per", ("server",), ()),
    "keep_vectors": ("--cache", ("server",), ()),
    "n_genes": ("--n-genes", _LISTING, ()),
    "ranking": ("--ranking", _LISTING, ()),
    "leave_out_uninformative": ("--keep-uninformative", _LISTING, ()),
}
