"""A session as commands of ``semst``; what has no command is Python between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from shlex import quote
from typing import TYPE_CHECKING, Any

from napari_semst.config import Request
from napari_semst.figure.colouring import column_title
from napari_semst.session.actions import ORIGINS, Action
from napari_semst.session.code_text import OutputFiles, comment, import_lines
from napari_semst.session.python_code import session_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEAD = """\
#!/bin/sh
# What was done to a section in napari, to be done again without a window:
#     sh FILE [PYTHON]
# Files are written into the folder {folder}, which must not be there yet.
set -eu
python=${{1:-python}}
mkdir {folder}
cd {folder}"""
# These need what edits before them left in the same process.
_LOOK_BACK = ("undo", "redo", "refine", "keep_refined")
_EDITS = (*_LOOK_BACK, "edit", "recolour", "labels_from_file", "named")


@dataclass
class _Script:
    """The script so far, and the file that the section is in by now.

    Parameters
    ----------
    files
        Names of files that the session wrote.
    kept
        Names that files in between cannot have, in lower case.
    """

    files: OutputFiles
    kept: frozenset[str]
    at: str = ""
    choices: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    parts: list[str] = field(default_factory=list)
    waiting: list[Action] = field(default_factory=list)

    def next_file(self) -> str:
        """Return the name of a file in between: of none that the session wrote."""
        self.number += 1
        while self.kept & {name.lower() for name in _between(self.number)}:
            self.number += 1
        return _between(self.number)[0]

    def output(self, path: str) -> list[str]:
        """Return the options that name a file to write."""
        name, again = self.files.name(path)
        return ["-o", f"./{name}", *(["--overwrite"] if again else [])]

    def command(self, name: str, *arguments: str) -> None:
        """Add a command that reads the section, with what is waiting before it."""
        if self.choices and name != "run":  # the others read what is usual
            self.waiting.insert(0, Action("read", self.choices))
        self.flush()
        chosen = [
            x
            for key, told in self.choices.items()
            if key != "path"
            for x in (f"--{key}", quote(told))
        ]
        words = [name, quote(self.at), *chosen, *map(quote, arguments)]
        self.parts.append(" ".join(["semst", *words]))

    def flush(self) -> None:
        """Add what waits as Python, from file to file."""
        if not self.waiting:
            return
        if self.at and self.waiting[0].name not in ORIGINS:
            read = self.choices or {"path": self.at}
            self.waiting.insert(0, Action("read", read))
        code = session_code(self.waiting, self.files)
        self.waiting = []
        write = code.use("io.export.h5ad", "write")
        code.imports.add(("pathlib", "Path"))
        self.move_to(self.next_file())
        lines = [
            *import_lines(code.imports),
            "FOLDER = Path()",
            *code.functions,
            *code.blocks,
            f"{write}(tissue, {self.at!r})",
        ]
        body = "\n".join(lines)
        self.parts.append(f"\"$python\" - <<'PYTHON'\n{body}\nPYTHON")

    def move_to(self, file: str) -> None:
        """Note that the section is in another file by now."""
        self.at, self.choices = file, {}


def _between(number: int) -> tuple[str, str]:
    """Return the names of a file in between and of the settings that lead to it."""
    return f"section-{number}.h5ad", f"section-{number}.toml"


def shell_script(actions: Sequence[Action], missing: Sequence[str], folder: str) -> str:
    """Return a session as a script for ``sh``.

    Parameters
    ----------
    actions
        What was done.
    missing
        What is not done again, in words.
    folder
        Where files go.
    """
    written = [str(action.given.get("path", "")) for action in actions]
    kept = {PurePath(path.replace("\\", "/")).name.lower() for path in written}
    between = [name for at in range(1, 2 * len(actions) + 2) for name in _between(at)]
    files = OutputFiles(name for name in between if name not in kept)
    script = _Script(files, frozenset(kept))
    together = _span(actions)
    for place, action in enumerate(actions):
        add = None if place in together else _COMMANDS.get(action.name)
        if add is None or not add(script, action.given):
            script.waiting.append(action)
    script.flush()
    told = "\n".join(["Not all is done again:", *(f"- {one}" for one in missing)])
    head = [_HEAD.format(folder=folder), *([comment(told)] if missing else [])]
    return "\n\n".join([*head, *script.parts]) + "\n"


def _span(actions: Sequence[Action]) -> range:
    """Return the actions from the first edit to the last that looks back at one."""
    edits = [at for at, action in enumerate(actions) if action.name in _EDITS]
    back = [at for at, action in enumerate(actions) if action.name in _LOOK_BACK]
    return range(edits[0], back[-1] + 1) if back else range(0)


def _read(script: _Script, given: dict[str, Any]) -> bool:
    if given.get("counts") or given.get("features"):
        return False
    script.at = given["path"]
    chosen = {key: given[key] for key in ("part", "positions") if given.get(key)}
    script.choices = {"path": script.at, **chosen} if chosen else {}
    return True


def _run(script: _Script, given: dict[str, Any]) -> bool:
    script.flush()
    output = script.next_file()
    settings = Request(given["preset"], given["overrides"]).to_toml()
    config = output.replace(".h5ad", ".toml")
    script.parts.append(f"cat > {config} <<'SETTINGS'\n{settings}SETTINGS")
    script.command("run", "--config", config, "--run", given["run"], "-o", output)
    script.move_to(output)
    return True


def _level(script: _Script, given: dict[str, Any]) -> bool:
    script.flush()
    output = script.next_file()
    run = ["--run", given["run"]] if given.get("run") else []
    script.command("domains", "-k", str(given["k"]), *run, "-o", output)
    script.move_to(output)
    return True


def _figure(script: _Script, given: dict[str, Any]) -> bool:
    kept = ("hidden", "limits", "colormap", "section_key")
    if not given["colour"] or any(given.get(key) for key in kept):
        return False
    colour = str(given["colour"])
    gene = colour.removeprefix("gene:")
    # The command has titles of its own.
    if given["title"] != (gene if gene != colour else column_title(colour)):
        return False
    where = _options(given, ("section", "coordinates"))
    dpi = ["--dpi", str(given["dpi"])]
    output = script.output(given["path"])
    script.command("figure", "-c", colour, *where, *dpi, *output)
    return True


def _report(script: _Script, given: dict[str, Any]) -> bool:
    where = _options(given, ("annotation", "coordinates"))
    script.command("report", *where, *script.output(given["path"]))
    return True


def _regions(script: _Script, given: dict[str, Any]) -> bool:
    if given.get("section_key"):
        return False
    where = _options(given, ("column", "section", "coordinates"))
    script.command("export", *where, *script.output(given["path"]))
    return True


def _save_table(script: _Script, given: dict[str, Any]) -> bool:
    script.command("export", *script.output(given["path"]))
    return True


def _save(script: _Script, given: dict[str, Any]) -> bool:
    script.flush()
    if not script.number:  # nothing was done yet: it is the file that was read
        return False
    name, _ = script.files.name(given["path"])
    script.parts.append(f"cp {script.at} {quote(f'./{name}')}")
    return True


def _transcripts(script: _Script, given: dict[str, Any]) -> bool:
    # Files in between do not lie beside the instrument's table, and none is written.
    genes = ", ".join(map(str, given["genes"]))
    script.parts.append(comment(f"Transcripts of {genes} were looked at."))
    return True


def _options(given: dict[str, Any], names: Sequence[str]) -> list[str]:
    found = []
    for name in names:
        if given.get(name):
            found += [f"--{name}", str(given[name])]
    return found


_COMMANDS: dict[str, Callable[[_Script, dict[str, Any]], bool]] = {
    "figure": _figure,
    "level": _level,
    "read": _read,
    "regions": _regions,
    "report": _report,
    "run": _run,
    "save": _save,
    "save_table": _save_table,
    "transcripts": _transcripts,
}
