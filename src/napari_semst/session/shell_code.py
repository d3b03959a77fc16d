"""A session as commands of ``semst``; what has no command is Python between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Any

from napari_semst.config import Request
from napari_semst.session.actions import Action
from napari_semst.session.code_text import comment, file_name, import_lines
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
    """The script so far, and the file that the section is in by now."""

    at: str = ""
    options: list[str] = field(default_factory=list)
    number: int = 0
    parts: list[str] = field(default_factory=list)
    waiting: list[Action] = field(default_factory=list)
    files: set[str] = field(default_factory=set)

    def next_file(self) -> str:
        self.number += 1
        return f"section-{self.number}.h5ad"

    def name(self, path: str) -> str:
        """Return the name of a file to write, which no other has."""
        return f"./{file_name(path, self.files)}"

    def command(self, name: str, *arguments: str) -> None:
        """Add a command that reads the section, with what is waiting before it."""
        self.flush()
        words = [name, quote(self.at), *self.options, *map(quote, arguments)]
        self.parts.append(" ".join(["semst", *words]))

    def flush(self) -> None:
        """Add what waits as Python, from file to file."""
        if not self.waiting:
            return
        begin = [Action("read", {"path": self.at})] if self.at else []
        code = session_code([*begin, *self.waiting], self.files)
        self.waiting = []
        write = code.use("io.export.h5ad", "write")
        code.imports.add(("pathlib", "Path"))
        self.at, self.options = self.next_file(), []
        lines = [
            *import_lines(code.imports),
            "FOLDER = Path()",
            *code.functions,
            *code.blocks,
            f"{write}(tissue, {self.at!r})",
        ]
        body = "\n".join(lines)
        self.parts.append(f"\"$python\" - <<'PYTHON'\n{body}\nPYTHON")


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
    script = _Script()
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
    for option in ("part", "positions"):
        if given.get(option):
            script.options += [f"--{option}", quote(str(given[option]))]
    return True


def _run(script: _Script, given: dict[str, Any]) -> bool:
    script.flush()
    output = script.next_file()
    settings = Request(given["preset"], given["overrides"]).to_toml()
    config = output.replace(".h5ad", ".toml")
    script.parts.append(f"cat > {config} <<'SETTINGS'\n{settings}SETTINGS")
    script.command("run", "--config", config, "--run", given["run"], "-o", output)
    script.at, script.options = output, []
    return True


def _level(script: _Script, given: dict[str, Any]) -> bool:
    script.flush()
    output = script.next_file()
    run = ["--run", given["run"]] if given.get("run") else []
    script.command("domains", "-k", str(given["k"]), *run, "-o", output)
    script.at, script.options = output, []
    return True


def _figure(script: _Script, given: dict[str, Any]) -> bool:
    kept = ("hidden", "limits", "colormap", "section_key")
    if not given["colour"] or any(given.get(key) for key in kept):
        return False
    where = _options(given, ("section", "coordinates"))
    output = script.name(given["path"])
    dpi = ["--dpi", str(given["dpi"])]
    script.command("figure", "-c", given["colour"], *where, *dpi, "-o", output)
    return True


def _report(script: _Script, given: dict[str, Any]) -> bool:
    where = _options(given, ("annotation", "coordinates"))
    script.command("report", *where, "-o", script.name(given["path"]))
    return True


def _regions(script: _Script, given: dict[str, Any]) -> bool:
    if given.get("section_key"):
        return False
    where = _options(given, ("column", "section", "coordinates"))
    script.command("export", *where, "-o", script.name(given["path"]))
    return True


def _save_table(script: _Script, given: dict[str, Any]) -> bool:
    script.command("export", "-o", script.name(given["path"]))
    return True


def _save(script: _Script, given: dict[str, Any]) -> bool:
    script.flush()
    if not script.number:  # nothing was done yet: it is the file that was read
        return False
    script.parts.append(f"cp {script.at} {quote(script.name(given['path']))}")
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
}
