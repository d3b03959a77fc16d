"""How a request becomes complete settings: recipe, method, what the user asked for."""

from __future__ import annotations

from napari_semst.config.presets import AUTO, PRESETS
from napari_semst.config.request import Config, Request
from napari_semst.errors import ConfigError, one_of
from napari_semst.methods.spec import method_spec


def resolve(request: Request) -> Config:
    """Return the complete settings for a request.

    ``auto`` is the default recipe: what differs between kinds of data it reads off the
    section itself (lattice or scattered cells, square or hexagonal, depth of averaging
    by size, components by panel), not off a data set's name.

    Raises
    ------
    ConfigError
        If the preset is unknown, a setting not accepted, or a control without source.
    """
    name = "default" if request.preset == AUTO else request.preset
    if name not in PRESETS:
        raise ConfigError(one_of("preset", request.preset, (AUTO, *PRESETS)))
    config = Config(preset=name).with_overrides(PRESETS[name].settings)
    spec = method_spec(config.with_overrides(request.overrides).model.method)
    config = config.with_overrides(spec.defaults)
    config = config.with_overrides(request.overrides)
    if config.model.fusion == "none":
        config = _without_semantics(config, request)
    if not spec.semantics:
        config = config.with_overrides({"semantics": {"source": "none"}})
    if config.model.morphology != "none":
        config = _with_encoder(config, request)
    if config.semantics.source == "none" and config.semantics.control != "none":
        raise ConfigError(
            "Expected a source of gene semantics for the control "
            f"{config.semantics.control!r}; got none. Choose a source, and a method "
            "that reads it; a run without semantics is a control by itself."
        )
    if config.semantics.source != "server":
        # Nobody looks at it, and it may hold a password that results would keep.
        config = config.with_overrides({"semantics": {"url": ""}})
    return config


def _without_semantics(config: Config, request: Request) -> Config:
    """Return settings without semantics, or refuse where they are asked for."""
    asked = request.overrides.get("semantics", {}).get("source", "none")
    if asked != "none":
        raise ConfigError(
            "Expected a way for semantics to come in (model.fusion fsm, concatenation, "
            f"addition or cross-attention) with the source {asked!r}; got 'none'. "
            "Leave one of the two out."
        )
    return config.with_overrides({"semantics": {"source": "none"}})


def _with_encoder(config: Config, request: Request) -> Config:
    """Return settings by which there is something for ``model.morphology`` to read."""
    model = config.model
    if not method_spec(model.method).morphology:
        raise ConfigError(
            "Expected the method 'semst' for model.morphology "
            f"{model.morphology!r}; got {model.method!r}. Choose semst, or "
            "model.morphology 'none'."
        )
    if model.morphology == "view" and model.start != "components":
        raise ConfigError(
            "Expected model.start 'components' for model.morphology 'view'; got "
            f"{model.start!r}. Choose the preset default, or model.morphology "
            "'modulation'."
        )
    if config.morphology.encoder != "none":
        return config
    if "encoder" in request.overrides.get("morphology", {}):
        raise ConfigError(
            f"Expected an image encoder for model.morphology {model.morphology!r}; got "
            "'none'. Choose builtin or another one (morphology.encoder), or "
            "model.morphology 'none'."
        )
    return config.with_overrides({"morphology": {"encoder": "builtin"}})
