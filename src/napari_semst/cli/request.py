"""What the options of settings come to, and whether they fit each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.cli.settings import flag_of
from napari_semst.config import Request
from napari_semst.errors import ConfigError
from napari_semst.methods.registry import method_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.config import Config, SemanticsConfig

# The setting that what follows a source's name is for.
_WHAT = {"prompts": "model", "genes": "model", "table": "table", "server": "url"}
# Settings of the image that are read where patches are.
_OF_PATCHES = ("image", "image_scale", "spot_diameter", "context")


def build_request(
    preset: str, config: Path | None, given: Mapping[str, dict[str, Any]]
) -> Request:
    """Return the request of a settings file with the options put over it.

    Parameters
    ----------
    preset
        Name of the recipe; ``auto``: the file's.
    config
        Settings file, or `None`.
    given
        What options said, by stage; a source of semantics as ``source:what``.

    Raises
    ------
    ConfigError
        If a setting is not accepted, or an option of the semantics or of the image
        is without effect.
    """
    from napari_semst.methods.settings import resolve

    request = Request.from_file(config) if config else Request(preset)
    if config and preset != "auto":
        request = Request(preset, request.overrides)
    given = dict(given)
    semantics = given["semantics"] = parsed_source(given.get("semantics", {}))
    for stage, settings in given.items():
        request = request.with_settings(stage, **settings)
    complete = resolve(request)
    check_method(semantics.get("source"), complete.model.method)
    check_fit(semantics, complete.semantics)
    rate = given.get("image_guided", {}).get("discordance_fdr")
    check_image(given.get("morphology", {}), rate, complete)
    return request


def parsed_source(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings of semantics with ``source:what`` taken apart.

    Parameters
    ----------
    settings
        As given. What follows a source's name is, of ``prompts`` and ``genes``, the
        model, of ``table`` the file, of ``server`` its address, of ``precomputed`` the
        embedding.

    Raises
    ------
    ConfigError
        If two models are named.
    """
    source, _, what = settings.get("source", "").partition(":")
    settings = {**settings, **({"source": source} if source else {})}
    if not what:
        return settings
    name, model = _WHAT.get(source, "embedding"), settings.get("model")
    if name == "model" and model not in (None, what):
        raise ConfigError(
            f"Expected one model; got {what!r} in --semantics and {model!r} in "
            "--semantics-model. Give one of them."
        )
    return {**settings, name: what}


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
        As `parsed_source` returned it.
    wanted
        All settings of the semantics.

    Raises
    ------
    ConfigError
        If one of them would be without effect.
    """
    for name, (sources, needs) in _READ_BY.items():
        if name not in given:
            continue
        option = flag_of(f"semantics.{name}")
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
# Of a setting: the sources that read it, and what these must be set to.
_READ_BY: dict[str, tuple[tuple[str, ...], _Needs]] = {
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


def refuse_one_image(image: Path | None, n_sections: int) -> None:
    """Refuse one image file for several sections.

    Raises
    ------
    ConfigError
        If there is one.
    """
    if image is not None and n_sections > 1:
        raise ConfigError(
            f"Expected one section with --image; got {n_sections}. Run each with its "
            "own image, or let every section bring its image."
        )


def check_image(given: Mapping[str, Any], rate: float | None, config: Config) -> None:
    """Refuse options on the image that the run would not read.

    Parameters
    ----------
    given
        Settings of morphology, as given.
    rate
        The false discovery rate; `None` where not given.
    config
        All settings.

    Raises
    ------
    ConfigError
        If one of them would be without effect, or the image file is not there.
    """
    method, wanted = config.model.method, config.morphology
    if rate is not None and not method_spec(method).discordance:
        raise ConfigError(
            f"Expected --fdr with --method image-guided; got the method {method!r}, "
            "which compares nothing with an image. Leave --fdr out, or choose that "
            "method."
        )
    told = [flag_of(f"morphology.{name}") for name in _OF_PATCHES if name in given]
    unread = wanted.encoder == "none" or wanted.encoder.startswith("obsm:")
    if told and unread:
        raise ConfigError(
            f"Expected a run that reads an image with {told[0]}; got the method "
            f"{method!r} and the image encoder {wanted.encoder!r}, which read none. "
            "Add --method image-guided, or --image-encoder builtin, timm:ID or hf:ID."
        )
    if given.get("image_scale") is not None and not wanted.image:
        raise ConfigError(
            "Expected --image FILE with --image-scale; got none. The section's own "
            "image brings its scale."
        )
    if given.get("image") is not None and not Path(wanted.image).expanduser().exists():
        raise ConfigError(
            f"Expected an image at {wanted.image}; there is none. Check the path."
        )
