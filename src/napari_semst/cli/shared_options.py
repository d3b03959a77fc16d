"""Options that several commands have, and those that settings describe."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from napari_semst.config import REFINE_ROUNDS, number_of_domains
from napari_semst.config.listed_names import joined_names
from napari_semst.config.run_options import (
    setting_field,
    setting_flag,
    setting_flags,
)

InputPath = Annotated[
    Path,
    typer.Argument(
        help="A file or folder that is read: see `semst inspect` and the pages."
    ),
]
ResultPath = Annotated[Path, typer.Argument(help="A file that `semst run` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that exist.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
RunName = Annotated[str, typer.Option("--run", help="Name of the run.")]
SavedRun = Annotated[
    str | None, typer.Option("--run", help="Name of the run; else the latest.")
]
Truth = Annotated[
    str | None,
    typer.Option(help="obs column with an annotation: it is scored, never used."),
]
ResultOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Where to save; else <name>_semst.h5ad here, or nothing with --json.",
    ),
]
EmbeddingOutput = Annotated[
    Path,
    typer.Option("--output", "-o", help="File to write (.npy, .npz or .safetensors)."),
]
CsvOutput = Annotated[
    Path | None, typer.Option("--csv", help="Also write the domains as a table.")
]
FigureOutput = Annotated[
    Path | None,
    typer.Option("--figure", help="Also draw the domains (.png, .svg, .pdf)."),
]
JournalOutput = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        help="File to which lines of JSON are added that say what happens.",
    ),
]
PresetName = Annotated[str, typer.Option(help="Recipe; `semst presets` lists them.")]
SettingsFile = Annotated[
    Path | None, typer.Option(help="Settings file (TOML); options go before it.")
]

# Of settings that the shell says otherwise: the option's type, and the setting's value.
_CONVERTED: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "domains.n_domains": (str, number_of_domains),
    "domains.refine": (bool, lambda settled: REFINE_ROUNDS * settled),
    "semantics.leave_out_uninformative": (bool, operator.not_),
    "image_guided.reference": (list[str], joined_names),
}


def setting_option(setting: str) -> Any:
    """Return the Typer option of ``stage.name``.

    Values are checked where settings are: there a file, the dock and Python are
    refused in the same words.
    """
    field = setting_field(setting)
    *first, last = map(str, field.metadata["choices"] or ("",))
    choices = f"{', '.join(first)} or {last}"
    # What is left out on a command line is the default of a settings file.
    default = "empty" if field.default == "" else str(field.default).removesuffix(".0")
    text = field.metadata["shell_help"].format(choices=choices)
    text = text or field.metadata["help"].replace(f"; {default}: ", "; else ")
    return typer.Option(*setting_flags(setting), help=text)


class SettingOptions:
    """In a command's signature, one option for each of some settings.

    Parameters
    ----------
    *settings
        Each ``stage.name``, in the order of the help.
    """

    def __init__(self, *settings: str) -> None:
        self.parameters: dict[str, inspect.Parameter] = {}
        self._settings: dict[str, str] = {}
        for setting in settings:
            name = setting_flag(setting).removeprefix("--").replace("-", "_")
            kind = _converted(setting)[0]
            self._settings[name] = setting
            self.parameters[name] = inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, setting_option(setting)],
            )

    def overrides(self, given: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Take the options out of what a command was given; return them by stage."""
        stages: dict[str, dict[str, Any]] = {}
        for name, setting in self._settings.items():
            value = given.pop(name)
            if value is not None:
                stage, _, field = setting.partition(".")
                stages.setdefault(stage, {})[field] = _converted(setting)[1](value)
        return stages


def _converted(setting: str) -> tuple[Any, Callable[[Any], Any]]:
    """Return the type of a setting's option, and what makes the setting's value."""
    field = setting_field(setting)
    if field.metadata["file"]:
        return Path, str
    return _CONVERTED.get(setting, (type(field.default), lambda value: value))


# What a command is given for its `SettingOptions`: values by stage and setting.
GivenSettings = dict[str, dict[str, Any]]


def with_setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let Typer see the options that a command's `SettingOptions` stand for.

    A parameter ``Annotated[GivenSettings, SettingOptions(...)]`` gives way to one
    option per setting; the command gets the values that were given.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, SettingOptions] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        extras = getattr(hints[name], "__metadata__", ())
        if extras and isinstance(extras[0], SettingOptions):
            groups[name] = extras[0]
            parameters += extras[0].parameters.values()
        else:
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(parameter.replace(kind=kind, annotation=hints[name]))

    @functools.wraps(command)
    def with_overrides(**given: Any) -> None:
        settings = {name: group.overrides(given) for name, group in groups.items()}
        command(**given, **settings)

    with_overrides.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_overrides.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_overrides
