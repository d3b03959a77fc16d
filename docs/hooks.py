"""Write tables of recipes, settings and encoders from the code, as pages are built.

A page asks for one with a line ``<!-- presets -->``, ``<!-- settings -->``,
``<!-- encoders -->`` or ``<!-- inspection -->``.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from napari_semst.config import STAGES
from napari_semst.config.presets import PRESETS
from napari_semst.morphology.suggestions import SUGGESTED_ENCODERS
from napari_semst.pipeline.inspection import schema_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What the tables of settings are called, in the order of a run.
_TITLES = {
    "prepare": "From counts to a matrix and graphs",
    "semantics": "What genes mean",
    "morphology": "The image around spots",
    "model": "Method and network",
    "image_guided": "The image-guided method",
    "training": "Training",
    "domains": "From the latent to domains",
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables in place of their marks."""
    for mark, table in (
        ("presets", presets_table),
        ("settings", settings_tables),
        ("encoders", encoders_table),
        ("inspection", inspection_table),
    ):
        comment = f"<!-- {mark} -->"
        if comment in markdown:
            markdown = markdown.replace(comment, table())
    return markdown


def inspection_table() -> str:
    """Return the fields of ``semst inspect --json``, from its JSON Schema."""
    schema = json.loads(schema_file().read_text(encoding="utf-8"))
    rows = ["| field | type | what |", "|---|---|---|"]
    return "\n".join([*rows, *_fields(schema, "")])


# Types of JSON in plain words.
_TYPES = {
    "integer": "whole number",
    "boolean": "true or false",
    "string": "text",
    "array": "list",
}


def _fields(schema: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, field in schema["properties"].items():
        kinds = field.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        texts = [_TYPES.get(kind, kind) for kind in kinds]
        texts += [f"`{one}`" if one else "null" for one in field.get("enum", ())]
        told = f"`{above}{name}` | {' or '.join(texts)} | {field['description']}"
        yield f"| {told} |"
        inner, mark = field, "."
        if "items" in field:
            inner, mark = field["items"], "[]."
        if "properties" in inner:
            yield from _fields(inner, f"{above}{name}{mark}")


def presets_table() -> str:
    """Return the recipes with what each changes."""
    rows = ["| recipe | for | differs from `default` in |", "|---|---|---|"]
    for name, preset in PRESETS.items():
        rows.append(f"| `{name}` | {preset.summary} | {_changes(preset.settings)} |")
    return "\n".join(rows)


def encoders_table() -> str:
    """Return the image encoders that are suggested, with their licences."""
    rows = [
        "| encoder | learnt from | licence | to get it |",
        "|---|---|---|---|",
        "| `builtin` | nothing: it measures | that of this package | nothing to do |",
    ]
    for one in SUGGESTED_ENCODERS:
        got = one.how or ("accept its terms" if one.gated else "downloaded when asked")
        rows.append(f"| `{one.encoder}` | {one.trained_on} | {one.licence} | {got} |")
    return "\n".join(rows)


def settings_tables() -> str:
    """Return one table for each stage."""
    if set(_TITLES) != set(STAGES):
        raise ValueError(f"Give a title to each of {', '.join(STAGES)}.")
    return "\n\n".join(
        f"### `[{stage}]` {title}\n\n{_settings_table(STAGES[stage])}"
        for stage, title in _TITLES.items()
    )


def _settings_table(stage: type) -> str:
    rows = ["| setting | default | accepted | what it is |", "|---|---|---|---|"]
    for setting in dataclasses.fields(stage):
        rows.append(
            f"| `{setting.name}` | {_value(setting.default)} | {_accepted(setting)} | "
            f"{setting.metadata['help']} |"
        )
    return "\n".join(rows)


def _accepted(setting: dataclasses.Field[Any]) -> str:
    choices, low = setting.metadata["choices"], setting.metadata["low"]
    high = setting.metadata["high"]
    if choices:
        return ", ".join(_value(choice) for choice in choices)
    kind = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
    }[type(setting.default)]
    kind = kind if low is None else f"{kind}, at least {low:g}"
    return kind if high is None else f"{kind}, at most {high:g}"


def _changes(settings: Mapping[str, Mapping[str, Any]]) -> str:
    changes = [
        f"`{stage}.{name}` {_value(value)}"
        for stage, values in settings.items()
        for name, value in values.items()
        if value != _default(stage, name)
    ]
    return ", ".join(changes) or "nothing"


def _default(stage: str, name: str) -> Any:
    return next(f.default for f in dataclasses.fields(STAGES[stage]) if f.name == name)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, int) else f"`{value or 'empty'}`"
