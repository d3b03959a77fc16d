"""Other names of settings: those of the image-guided method's own source.

Its settings file is JSON with the tables model, training and data. What it calls
otherwise may also stand under ``[image_guided]`` of a TOML file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_semst.errors import ConfigError, one_of

if TYPE_CHECKING:
    from napari_semst.config.settings import Overrides

_GUIDED = "image_guided"
METHOD = "image-guided"
# Stage and setting of what has another name or place here.
_ELSEWHERE = {
    "learning_rate": ("training", "learning_rate"),
    "epochs": ("training", "epochs"),
    "highly_variable_genes": ("prepare", "n_top_genes"),
}
# What the tables of the JSON file hold.
_TABLES = {
    "model": ("hidden_dim", "latent_dim", "num_heads", "dropout"),
    "training": (
        "learning_rate",
        "epochs",
        "kl_annealing_start",
        "kl_annealing_end",
        "kl_weight_max",
    ),
    "data": ("graph_type", "k_neighbors", "highly_variable_genes"),
}


def settings_of_json(text: str) -> dict[str, dict[str, Any]]:
    """Return the settings, by stage, that a JSON file of the method's source holds.

    Parameters
    ----------
    text
        JSON with some of the tables model, training and data.

    Returns
    -------
    dict
        For the method image-guided; values are not checked yet.

    Raises
    ------
    ConfigError
        If it is no such JSON, or names something unknown.
    """
    try:
        tables = json.loads(text)
    # Nested too deeply, it ends in a RecursionError.
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"Expected a settings file in JSON; it breaks off: {error}."
        ) from error
    if not isinstance(tables, Mapping):
        raise ConfigError(
            f"Expected a settings file with the tables {', '.join(_TABLES)}; found "
            f"{type(tables).__name__} at its top."
        )
    guided: dict[str, Any] = {}
    for table, values in tables.items():
        if table not in _TABLES:
            raise ConfigError(
                one_of("table of a JSON settings file", table, _TABLES)
                + " All other settings go into a TOML file."
            )
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"Expected {table!r} to be a table of settings; got {values!r}."
            )
        for name in values:
            if name not in _TABLES[table]:
                raise ConfigError(one_of(f"setting of {table!r}", name, _TABLES[table]))
        guided.update(values)
    return {"model": {"method": METHOD}, **renamed({_GUIDED: guided})}


def renamed(overrides: Overrides) -> dict[str, Any]:
    """Return settings with the source's names under ``image_guided`` brought home.

    Raises
    ------
    ConfigError
        If a setting stands there by both of its names.
    """
    guided = overrides.get(_GUIDED)
    if not isinstance(guided, Mapping):
        return dict(overrides)
    settings: dict[str, Any] = dict(overrides)
    settings[_GUIDED] = {k: v for k, v in guided.items() if k not in _ELSEWHERE}
    for name, (stage, setting) in _ELSEWHERE.items():
        if name not in guided:
            continue
        there = settings.get(stage, {})
        if not isinstance(there, Mapping) or setting in there:
            raise ConfigError(
                f"Expected {_GUIDED}.{name} or {stage}.{setting}, which are the same; "
                "got both. Leave one of them out."
            )
        settings[stage] = {**there, setting: guided[name]}
    return settings
