"""A session as Python: calls of this package that do the same again, without a window.

Values of a record stand in the code as Python writes them, so that nothing that a file
of somebody else holds is ever code of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from textwrap import indent
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.config import AUTO_DOMAINS
from napari_semst.errors import InputError
from napari_semst.explore.recovery import PROBABILITY
from napari_semst.session.actions import Action, actions_from
from napari_semst.session.code_text import (
    TAB,
    OutputFiles,
    call,
    comment,
    keywords,
    literal,
)
from napari_semst.session.log import has_beginning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Make = Callable[[dict[str, Any], "SessionCode"], str]

_PACKAGE = "napari_semst"


@dataclass
class SessionCode:
    """A session as blocks of Python, one for each action.

    Parameters
    ----------
    blocks
        The code of each action.
    functions
        Of other sections, which this one takes something from.
    imports
        Module and name of what is imported.
    missing
        What is not done again, in words.
    files
        Names of the files that it writes.
    """

    blocks: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    imports: set[tuple[str, str]] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    files: OutputFiles = field(default_factory=OutputFiles)

    def use(self, module: str, name: str) -> str:
        """Import a name of this package; return it."""
        self.imports.add((f"{_PACKAGE}.{module}" if module else _PACKAGE, name))
        return name

    def file(self, path: str) -> list[str]:
        """Return the arguments of a file to write: its place in the folder of results.

        What this session wrote before is replaced, as it was; nothing of others is.
        """
        self.imports.add(("pathlib", "Path"))
        name, again = self.files.name(path)
        return [f"FOLDER / {name!r}", *(["overwrite=True"] if again else [])]

    def miss(self, what: str) -> str:
        """Note something that is not done again; return the comment in its place."""
        self.missing.append(what)
        return comment(f"Not done again: {what}")


def session_code(
    actions: Sequence[Action], files: OutputFiles | None = None
) -> SessionCode:
    """Return a session as Python.

    Parameters
    ----------
    actions
        What was done, from where the section comes on.
    files
        Names of files, where parts before this one write some; its own are added.

    Raises
    ------
    InputError
        If it does not begin with a file or a sample, or holds what is not known.
    """
    code = SessionCode(files=OutputFiles() if files is None else files)
    code.blocks = _blocks(actions, code)
    return code


def _blocks(actions: Sequence[Action], code: SessionCode) -> list[str]:
    if not actions or actions[0].name not in _BEGINNINGS:
        raise InputError(
            "Expected a section that was read from a file or sample; it came from "
            "elsewhere, such as another plugin's layer. Save the section, open the "
            "file, and go on there: what is done from then on can be repeated."
        )
    blocks = []
    for action in actions:
        make = (_BEGINNINGS if action is actions[0] else _STEPS).get(action.name)
        if make is None:
            raise InputError(
                f"Expected what this version knows; found {action.name[:40]!r}. The "
                "record was made by another version, or is damaged."
            )
        try:
            blocks.append(make(action.given, code))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"Expected what belongs to {action.name!r}; {error!r} is missing or "
                "wrong. The record is damaged."
            ) from error
    # One editor for all edits: what it takes back may be from before a run.
    if any(block.startswith("labels.") or " labels." in block for block in blocks):
        editor = code.use("explore.annotate", "Annotator")
        blocks.insert(1, f"labels = {editor}(tissue)")
    return blocks


def _function(listed: Any, code: SessionCode) -> str:
    """Return the call of a function that makes another section as it was then."""
    actions = actions_from(listed)
    if not has_beginning(actions):
        raise InputError(
            "Expected the sections that this one takes something from to be of files "
            "or samples; one came from elsewhere, such as another plugin's layer. Save "
            "that section, open its file, and take it from there."
        )
    blocks = _blocks(actions, code)
    name = f"section_{len(code.functions) + 1}"
    body = indent("\n".join([*blocks, "return tissue"]), TAB)
    code.functions.append(f"def {name}():\n{body}")
    return f"{name}()"


def _where(given: dict[str, Any]) -> list[str]:
    """Return the arguments that say where spots stand, without those not needed."""
    names = ("section", "section_key", "coordinates")
    there = {name: given.get(name) for name in names}
    return keywords({name: value for name, value in there.items() if value})


# --- where a section comes from


def _read(given: dict[str, Any], code: SessionCode) -> str:
    read = code.use("io.read", "read")
    chosen = ("counts", "positions", "part", "features")
    options = {name: given[name] for name in chosen if given.get(name)}
    return call(f"tissue = {read}(", [literal(given["path"]), *keywords(options)])


def _sample(given: dict[str, Any], code: SessionCode) -> str:
    made = given["sample"]
    if made == "public":
        code.use("sample.public", "public_section")
        section = code.use("sample.public", _one_of(given["section"], _PUBLIC))
        return f"tissue = public_section({section})"
    function = code.use("sample", _one_of(made, _SIMULATED))
    return call(f"tissue = {function}(", keywords(given.get("options", {})))


def _join(given: dict[str, Any], code: SessionCode) -> str:
    join = code.use("io.concat_sections", "join_sections")
    parts = [
        f"{name!r}: {_function(listed, code)}" for name, listed in given["sections"]
    ]
    sections = call("sections = {", parts, "}")
    place = {"coordinates": given["coordinates"]} if given.get("coordinates") else {}
    return f"{sections}\n{call(f'tissue = {join}(', ['sections', *keywords(place)])}"


def _one_of(name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise ValueError(name)
    return name


_SIMULATED = ("simulated_cortex", "simulated_discordance")
_PUBLIC = ("LYMPH_NODE", "MOUSE_BRAIN")

# --- runs and what is made of them


_NOT_AS_RUN = {
    "stopped_early": "that training was stopped early by hand: it runs to its end here",
    "moved": "that an image was moved while a run was under way: here it lies there "
    "before the run begins",
}


def _run(given: dict[str, Any], code: SessionCode) -> str:
    find = code.use("pipeline.api", "find_domains")
    overrides = {stage: dict(values) for stage, values in given["overrides"].items()}
    number = overrides.get("domains", {}).pop("n_domains", None)
    seed = overrides.get("training", {}).pop("seed", 0)
    overrides = {stage: values for stage, values in overrides.items() if values}
    arguments = {
        "n_domains": "auto" if number in (None, AUTO_DOMAINS) else number,
        "preset": given["preset"],
        "seed": seed,
        "run": given["run"],
        "overrides": overrides or None,
    }
    usual = (("preset", "auto"), ("run", "default"), ("overrides", None))
    lines = call(f"{find}(", ["tissue", *keywords(arguments, usual), "inplace=True"])
    told = [words for key, words in _NOT_AS_RUN.items() if given.get(key)]
    return "\n".join([*map(code.miss, told), lines])


def _level(given: dict[str, Any], code: SessionCode) -> str:
    level = code.use("domains.levels", "write_level")
    arguments = ["tissue", literal(given["k"]), *keywords({"run": given.get("run")})]
    return call(f"{level}(", arguments)


def _explain(given: dict[str, Any], code: SessionCode) -> str:
    code.use("explanation.explain", "explain")
    code.use("explanation.explain", "attach_explanation")
    wanted = {"run": given["run"], "counterfactual": bool(given.get("counterfactual"))}
    made = call("explain(", ["tissue", *keywords(wanted, (("counterfactual", False),))])
    return call("attach_explanation(", ["tissue", made])


def _border_distance(given: dict[str, Any], code: SessionCode) -> str:
    look = code.use("explore.neighbourhoods", "section_neighbourhoods")
    found = call(f"borders = {look}(", ["tissue", literal(given["of"])])
    column = literal(given["column"])
    return f'{found}\ntissue.obs[{column}] = borders.distance.astype("float32")'


def _transfer(given: dict[str, Any], code: SessionCode) -> str:
    for module, names in (
        ("core.progress", ("run_to_end",)),
        ("transfer.result", ("attach_transfer",)),
        ("transfer.settings", ("TransferSettings",)),
        ("transfer.steps", ("transfer_steps",)),
        ("transfer.target", ("TargetOptions",)),
    ):
        for name in names:
            code.use(module, name)
    usual = (("domains", ""), ("coordinates", ""), ("section_key", ""))
    options = call("TargetOptions(", keywords(dict(given["options"]), usual))
    steps = [
        f"[{_reference(given['reference'], code)}]",
        "tissue",
        options,
        call("TransferSettings(", keywords({"fdr": given["fdr"]})),
    ]
    named = call("named = run_to_end(transfer_steps(", steps, "))")
    return f"{named}\nattach_transfer(tissue, named, inplace=True)"


def _reference(given: dict[str, Any], code: SessionCode) -> str:
    code.use("transfer.references", "Reference")
    source = given["source"]
    made = literal(source) if isinstance(source, str) else _function(source, code)
    return call("Reference(", [made, *keywords({"labels": given.get("labels", "")})])


def _align(given: dict[str, Any], code: SessionCode) -> str:
    code.use("io.manual_alignment", "adjust")
    code.use("io.manual_alignment", "Adjustment")
    how = call("Adjustment(", keywords(dict(given["adjustment"])))
    return call("adjust(", ["tissue", literal(given["library"]), how])


def _register(given: dict[str, Any], code: SessionCode) -> str:
    register = code.use("io.places.landmarks", "register_image")
    made = "None"
    if given["landmarks"] is not None:
        build = code.use("registration.landmarks", "landmarks_from")
        known = dict(given["landmarks"])
        made = call(f"{build}(", keywords(known, (("kind", "similarity"),)))
    return call(f"{register}(", ["tissue", literal(given["library"]), made])


def _add_image(given: dict[str, Any], code: SessionCode) -> str:
    add = code.use("", "add_image")
    known = {name: given.get(name) for name in ("name", "pixel_size")}
    named = keywords({name: value for name, value in known.items() if value})
    return call(f"{add}(", ["tissue", literal(str(given["path"])), *named])


def _remove_image(given: dict[str, Any], code: SessionCode) -> str:
    remove = code.use("", "remove_image")
    return call(f"{remove}(", ["tissue", literal(str(given["name"]))])


# --- labels


def _edit(given: dict[str, Any], code: SessionCode) -> str:
    how, what = str(given["how"]), dict(given["given"])
    arguments = [_edit_argument(how, name, what[name], code) for name in what]
    if how == "split":
        inside = f"before.spots_of([{what['name']!r}])"
        split = code.use("explore.split", "split_parts")
        place = {"coordinates": what.get("coordinates")}
        parts = ["tissue", inside, literal(what["parts"]), *keywords(place, _NOWHERE)]
        arguments = [f"name={what['name']!r}", call(f"parts={split}(", parts)]
    changed = call(f"lambda before: before.{_one_of(how, _EDITS)}(", arguments)
    options = ["begin=True"] if given.get("begin") else []
    return call("labels.edit(", [literal(given["column"]), changed, *options])


def _edit_argument(how: str, name: str, value: Any, code: SessionCode) -> str:
    if how == "assigned" and name == "spots":
        spots = code.use("session.actions", "spots_in_ranges")
        return call(f"spots={spots}(", [literal(value), "tissue.n_obs"])
    return f"{_one_of(name, _ARGUMENTS)}={literal(value)}"


_EDITS = ("renamed", "merged", "moved", "assigned", "split")
_ARGUMENTS = ("name", "new", "names", "step", "parts", "coordinates")
_NOWHERE = (("coordinates", None), ("coordinates", ""))


def _recolour(given: dict[str, Any], code: SessionCode) -> str:
    values = (given["column"], given["name"], given["color"])
    return call("labels.recolour(", [literal(value) for value in values])


def _undo(given: dict[str, Any], code: SessionCode) -> str:
    return "labels.undo()"


def _redo(given: dict[str, Any], code: SessionCode) -> str:
    return "labels.redo()"


def _labels_from_file(given: dict[str, Any], code: SessionCode) -> str:
    take = code.use("explore.labels_from_file", "labels_from_file")
    code.imports.add(("pathlib", "Path"))
    path = f"Path({literal(given['path'])})"
    read = call(f"brought, _ = {take}(", ["tissue", path, *_where(given)])
    return f"{read}\n{_put(given['column'], 'brought', given['began'])}"


def _refine(given: dict[str, Any], code: SessionCode) -> str:
    refine = code.use("explore.corrections", "refine_column")
    column, before = given["of"], given.get("before", "")
    # Of what was refined in this session the labels that came of it, not the column.
    since = given.get("since", "")
    start = f"refined_{_number(since)}.labels" if since else literal(before)
    made = f"refined_{_number(given['made'])}"
    found = call(f"{made} = {refine}(", ["tissue", literal(column), start])
    put = _put(given["column"], f"{made}.labels", given["began"])
    return f"{found}\n{put}"


def _keep_refined(given: dict[str, Any], code: SessionCode) -> str:
    made = given["made"]
    column = literal(f"{made}{PROBABILITY}")
    return f"tissue.obs[{column}] = refined_{_number(made)}.sure"


def _number(column: str) -> str:
    """Return a part of a variable's name for a column."""
    return column.encode("utf-8").hex() if not column.isidentifier() else column


def _named(given: dict[str, Any], code: SessionCode) -> str:
    named = code.use("explore.named_domains", "named_domains")
    return _put(given["column"], f"{named}(tissue)", given["began"])


def _put(column: str, labels: str, began: str) -> str:
    return call("labels.put(", [literal(column), labels, literal(began)])


def _transcripts(given: dict[str, Any], code: SessionCode) -> str:
    read = code.use("", "read_transcripts")
    genes = [str(gene) for gene in given["genes"]]
    return call(f"transcripts = {read}(", ["tissue", literal(genes)])


# --- files


def _save(given: dict[str, Any], code: SessionCode) -> str:
    write = code.use("io.export.h5ad", "write")
    return call(f"{write}(", ["tissue", *code.file(given["path"])])


def _save_table(given: dict[str, Any], code: SessionCode) -> str:
    write = code.use("io.export.h5ad", "write_domains_csv")
    return call(f"{write}(", ["tissue", *code.file(given["path"])])


def _figure(given: dict[str, Any], code: SessionCode) -> str:
    if not given["colour"]:
        return code.miss(f"the figure of {given['title']!r}, {given['path']}")
    code.imports.add(("dataclasses", "replace"))
    code.use("figure.colouring", "colouring_by_name")
    draw = code.use("figure", "colour_figure")
    look = {"title": given["title"]}
    if given.get("colormap"):
        look["colormap"] = given["colormap"]
    colour = call("colouring_by_name(", ["tissue", literal(given["colour"])])
    changes = keywords(look)
    if given.get("limits"):
        low, high = (float(one) for one in given["limits"])
        if math.isfinite(low) and math.isfinite(high):
            changes.append(f"limits=({low!r}, {high!r})")
    colour = call("replace(", [colour, *changes])
    if given.get("hidden"):
        hide = code.use("figure.colouring", "without_names")
        colour = call(f"{hide}(", [colour, literal(given["hidden"])])
    place, *again = code.file(given["path"])
    arguments = ["tissue", place, "[colour]", *_where(given)]
    made = call(f"{draw}(", [*arguments, *keywords({"dpi": given["dpi"]}), *again])
    return f"colour = {colour}\n{made}"


def _report(given: dict[str, Any], code: SessionCode) -> str:
    write = code.use("report", "write_report")
    there = {key: given.get(key) for key in ("annotation", "coordinates")}
    options = keywords({key: value for key, value in there.items() if value})
    place, *again = code.file(given["path"])
    return call(f"{write}(", ["tissue", place, *options, *again])


def _regions(given: dict[str, Any], code: SessionCode) -> str:
    place, *again = code.file(given["path"])
    if given["column"] == keys.DISCORDANT_REGION:
        write = code.use("explanation.region_file", "write_regions")
        return call(f"{write}(", ["tissue", place, *_where(given), *again])
    write = code.use("io.geojson", "write_geojson")
    options = [*keywords({"column": given["column"]}), *_where(given)]
    return call(f"{write}(", ["tissue", place, *options, *again])


def _signature(given: dict[str, Any], code: SessionCode) -> str:
    source = given["reference"]["source"]
    if not isinstance(source, str) and not has_beginning(actions_from(source)):
        return code.miss(f"the signature of a section from elsewhere, {given['path']}")
    for module, name in (
        ("core.progress", "RunControl"),
        ("core.progress", "run_to_end"),
        ("transfer.signature_file", "save_signature"),
        ("transfer.steps", "signature_steps"),
    ):
        code.use(module, name)
    steps = [_reference(given["reference"], code), "RunControl()"]
    made = call("signature = run_to_end(signature_steps(", steps, "))")
    save = call("save_signature(", ["signature", *code.file(given["path"])])
    return f"{made}\n{save}"


def _other(given: dict[str, Any], code: SessionCode) -> str:
    return code.miss(str(given["what"]))


_BEGINNINGS: dict[str, Make] = {
    "read": _read,
    "sample": _sample,
    "join": _join,
}
_STEPS: dict[str, Make] = {
    "add_image": _add_image,
    "align": _align,
    "register": _register,
    "border_distance": _border_distance,
    "edit": _edit,
    "explain": _explain,
    "figure": _figure,
    "keep_refined": _keep_refined,
    "labels_from_file": _labels_from_file,
    "level": _level,
    "named": _named,
    "other": _other,
    "recolour": _recolour,
    "redo": _redo,
    "refine": _refine,
    "regions": _regions,
    "remove_image": _remove_image,
    "report": _report,
    "run": _run,
    "save": _save,
    "save_table": _save_table,
    "signature": _signature,
    "transcripts": _transcripts,
    "transfer": _transfer,
    "undo": _undo,
}
