"""Settings as options: what a command offers of them, and what was given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from napari_semst.config import REFINE_ROUNDS, STAGES, number_of_domains

Stages = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class SettingOption:
    """A setting as an option of the command line.

    Parameters
    ----------
    setting
        ``stage.name``; its help and choices are the option's.
    flags
        Else ``--name``.
    help
        Where the shell says more than the setting does.
    kind
        Type of the option, else of the setting.
    convert
        From what was given to the setting's value.
    """

    setting: str
    flags: tuple[str, ...] = ()
    help: str = ""
    kind: type | None = None
    convert: Callable[[Any], Any] | None = None

    @property
    def flag(self) -> str:
        """The option as users write it."""
        name = self.setting.partition(".")[2]
        written = self.flags[0] if self.flags else f"--{name.replace('_', '-')}"
        return written.partition("/")[0]

    def annotation(self) -> Any:
        """Return the type of a command's parameter."""
        stage, _, name = self.setting.partition(".")
        field = next(f for f in fields(STAGES[stage]) if f.name == name)
        text, choices = self.help or field.metadata["help"], field.metadata["choices"]
        if choices and not self.help:
            text = f"{text.removesuffix('.')} ({', '.join(choices)})."
        kind = self.kind or type(field.default)
        return Annotated[kind | None, typer.Option(*self.flags, help=text)]


# By the names of the commands' parameters.
OPTIONS = {
    "n_domains": SettingOption(
        "domains.n_domains",
        ("--domains", "-k"),
        "Number of domains, or auto: chosen from a curve, runners-up told.",
        str,
        number_of_domains,
    ),
    "method": SettingOption(
        "model.method",
        help="semst; quick: no training, seconds; image-guided: also where image and "
        "expression disagree.",
    ),
    "morphology": SettingOption("model.morphology"),
    "image": SettingOption(
        "morphology.image",
        help="Image file of the section (TIFF, OME-TIFF, SVS, PNG, JPEG, OME-Zarr), in "
        "whose pixels coordinates are; else the section's own.",
        kind=Path,
        convert=str,
    ),
    "image_encoder": SettingOption(
        "morphology.encoder",
        ("--image-encoder",),
        "What describes the image around a spot: builtin (stains, intensity, texture, "
        "nuclei), timm:ID or hf:ID (a network, by name or folder), obsm:KEY (features "
        "that the section holds), or none.",
    ),
    "image_scale": SettingOption(
        "morphology.image_scale",
        help="Pixels of --image per unit of the coordinates; else 1.",
    ),
    "spot_diameter": SettingOption("morphology.spot_diameter"),
    "context": SettingOption("morphology.context"),
    "fdr": SettingOption("image_guided.discordance_fdr", ("--fdr",)),
    "semantics": SettingOption(
        "semantics.source",
        ("--semantics",),
        "builtin, none; prompts[:MODEL] (a language model reads every spot's list of "
        "genes), genes[:MODEL] (it reads every gene), server:URL (an embedding "
        "server), table:FILE (gene vectors), or precomputed:NAME (an obsm key or a "
        "file).",
    ),
    "semantics_model": SettingOption("semantics.model", ("--semantics-model",)),
    "revision": SettingOption("semantics.revision"),
    "per": SettingOption("semantics.per"),
    "cache": SettingOption("semantics.keep_vectors", ("--cache/--no-cache",)),
    "control": SettingOption("semantics.control"),
    "n_genes": SettingOption("semantics.n_genes"),
    "ranking": SettingOption("semantics.ranking"),
    "keep_uninformative": SettingOption(
        "semantics.leave_out_uninformative",
        ("--keep-uninformative/--leave-out-uninformative",),
        "List mitochondrial, ribosomal and nameless genes, too, or not.",
        convert=lambda keep: not keep,
    ),
    "gene_text": SettingOption("semantics.gene_text"),
    "gene_weights": SettingOption("semantics.gene_weights"),
    "pooling": SettingOption("semantics.pooling"),
    "template": SettingOption("semantics.template"),
    "tissue": SettingOption("semantics.tissue"),
    "summaries": SettingOption("semantics.summaries", kind=Path, convert=str),
    "section_key": SettingOption("prepare.section_key"),
    "counts_layer": SettingOption("prepare.counts_layer"),
    "coordinates": SettingOption("prepare.coordinates"),
    "part": SettingOption("prepare.part"),
    "seed": SettingOption("training.seed"),
    "ensemble": SettingOption("training.ensemble"),
    "epochs": SettingOption("training.epochs"),
    "device": SettingOption("training.device"),
    "readout": SettingOption("domains.readout"),
    "refine": SettingOption(
        "domains.refine",
        ("--refine/--no-refine",),
        "Settle borders by each spot's own expression and its neighbours' domains, or "
        "leave them; without either: as the recipe has it.",
        bool,
        lambda settle: REFINE_ROUNDS * settle,
    ),
    "weights": SettingOption(
        "model.weights",
        help="Published SemST weights to begin with (a published preset; with "
        "--epochs 0 they are used as they are).",
        kind=Path,
        convert=str,
    ),
}


def flag_of(setting: str) -> str:
    """Return the option of a setting ``stage.name``, as users write it."""
    return next(option.flag for option in OPTIONS.values() if option.setting == setting)


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of settings, handed on as its parameter `given`.

    Parameters
    ----------
    *names
        Of `OPTIONS`, in the order of the help.

    Returns
    -------
    Callable
        A decorator. `given` holds the settings by stage, those left out left out.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            given: Stages = {}
            for name in names:
                value, option = values.pop(name), OPTIONS[name]
                stage, _, setting = option.setting.partition(".")
                if value is not None:
                    value = option.convert(value) if option.convert else value
                    given.setdefault(stage, {})[setting] = value
            command(**values, given=given)

        run.__signature__ = _signature(command, names)  # type: ignore[attr-defined]
        run.__annotations__ = {}
        return run

    return decorate


def _signature(
    command: Callable[..., None], names: tuple[str, ...]
) -> inspect.Signature:
    """Return a command's signature with options in the place of `given`."""
    hints = get_type_hints(command, include_extras=True)
    keyword, parameters = inspect.Parameter.KEYWORD_ONLY, []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name == "given":
            parameters += [
                inspect.Parameter(
                    name, keyword, default=None, annotation=OPTIONS[name].annotation()
                )
                for name in names
            ]
        else:
            parameters.append(
                parameter.replace(kind=keyword, annotation=hints[parameter.name])
            )
    return inspect.Signature(parameters)
