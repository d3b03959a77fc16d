"""What the options of a command come to, and whether all of them have an effect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.config import Request
from napari_semst.config.run_options import (
    AFTER_SOURCE,
    OF_PATCHES,
    READ_BY,
    lacking_for,
    setting_flag,
)
from napari_semst.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.config import Config, Overrides, SemanticsConfig


def build_request(preset: str, config: Path | None, *given: Overrides) -> Request:
    """Return the request of a settings file with the options put over it.

    Parameters
    ----------
    *given
        The options, by stage and setting.

    Raises
    ------
    ConfigError
        If a setting is not accepted, or an option of the semantics or of the image
        is without effect.
    """
    from napari_semst.methods.resolve import resolve

    request = Request.from_file(config) if config else Request(preset)
    if config and preset != "auto":
        request = Request(preset, request.overrides)
    stages: dict[str, dict[str, Any]] = {}
    for overrides in given:
        for stage, settings in overrides.items():
            stages.setdefault(stage, {}).update(settings)
    if "semantics" in stages:
        stages["semantics"] = semantic_settings(stages["semantics"])
    for stage, settings in stages.items():
        request = request.with_settings(stage, **settings)
    complete = resolve(request)
    semantics = stages.get("semantics", {})
    check_method(semantics.get("source"), complete.model.method)
    check_semantics(semantics, complete.semantics)
    check_image(stages, complete)
    return request


def semantic_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of the semantics with ``source:what`` taken apart.

    Of ``prompts`` and ``genes`` it names the model, of ``table`` the file, of
    ``server`` its address, of ``precomputed`` the embedding.
    """
    source, _, what = given.get("source", "").partition(":")
    settings = {**given, "source": source or None}
    if what:
        name = AFTER_SOURCE.get(source, "embedding")
        model = given.get("model")
        if name == "model" and model not in (None, what):
            raise ConfigError(
                f"Expected one model; got {what!r} in --semantics and {model!r} in "
                "--semantics-model. Give one of them."
            )
        settings[name] = what
    return settings


def check_method(source: str | None, method: str) -> None:
    """Raise `ConfigError` for a source of semantics where the method reads none."""
    from napari_semst.methods.spec import method_spec

    if source not in (None, "none") and not method_spec(method).semantics:
        raise ConfigError(
            f"Expected the method 'semst' with --semantics {source}; got {method!r}, "
            "which reads no gene semantics. Leave --semantics out, or choose the "
            "method semst."
        )


_MANY = 4


def check_semantics(given: Mapping[str, Any], wanted: SemanticsConfig) -> None:
    """Raise `ConfigError` for options that the source of semantics does not read."""
    for name, (sources, _) in READ_BY.items():
        if given.get(name) is None:
            continue
        fits, lacking = lacking_for(name, wanted)
        if fits and not lacking:
            continue
        option = setting_flag(f"semantics.{name}")
        what = " or ".join(sources) if len(sources) < _MANY else "genes of each spot"
        got = f"{wanted.source!r}" + ("" if not lacking or not fits else " without")
        more = f" {' '.join(lacking)}" if fits else ""
        raise ConfigError(
            f"Expected a source that reads {option} ({what}); got {got}{more}. Leave "
            f"the option out, or choose what it is for with --semantics{more}."
        )


def check_image(given: Overrides, config: Config) -> None:
    """Refuse options on the image that the run would not read.

    Raises
    ------
    ConfigError
        If one of them would be without effect, or the image file is not there.
    """
    from napari_semst.methods.spec import method_spec

    method, wanted = config.model.method, config.morphology
    for name in given.get("image_guided", {}):
        flag = setting_flag(f"image_guided.{name}")
        if not method_spec(method).discordance:
            raise ConfigError(
                f"Expected {flag} with --method image-guided; got the method "
                f"{method!r}, which compares nothing with an image. Leave {flag} out, "
                "or choose that method."
            )
    options = given.get("morphology", {})
    of_patches = [name for name in OF_PATCHES if name in options]
    unread = wanted.encoder == "none" or wanted.encoder.startswith("obsm:")
    if of_patches and unread:
        raise ConfigError(
            "Expected a run that reads an image with "
            f"{setting_flag(f'morphology.{of_patches[0]}')}; got the method {method!r} "
            f"and the image encoder {wanted.encoder!r}, which read none. Add --method "
            "image-guided, or --image-encoder builtin, timm:ID or hf:ID."
        )
    if "image_scale" in options and not wanted.image:
        raise ConfigError(
            "Expected --image FILE with --image-scale; got none. The section's own "
            "image brings its scale."
        )
    if "image" in options and not Path(wanted.image).expanduser().exists():
        raise ConfigError(
            f"Expected an image at {wanted.image}; there is none. Check the path."
        )
