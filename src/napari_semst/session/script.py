"""A session as a file: a Python script, a notebook, or commands for a shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError, SaveError, one_of
from napari_semst.session.code_text import comment, import_lines
from napari_semst.session.log import UNKNOWN_CHANGE, is_complete, session_actions
from napari_semst.session.python_code import session_code
from napari_semst.session.shell_code import shell_script

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.session.python_code import SessionCode

SESSION_ENDINGS = (".py", ".ipynb", ".sh")
_ABOUT = """\
What was done to a section in napari, to be done again without a window.
Files are written into the folder {folder!r}; none that is there is replaced."""
_FOLDER = "repeated"


def write_session(
    tissue: AnnData, path: str | Path, *, overwrite: bool = False
) -> list[str]:
    """Write what was done to a section in the window as code that does it again.

    Parameters
    ----------
    tissue
        A section that was opened in the window, or the tissue of a file saved there.
    path
        ``.py``, ``.ipynb`` or ``.sh``: a script, a notebook, or commands.
    overwrite
        Whether a file that stands there may be replaced.

    Returns
    -------
    list of str
        What is not done again, in words; empty where all is.

    Raises
    ------
    InputError
        If the section has no record, it is damaged, or begins with no file.
    SaveError
        If the file has another ending, or cannot be written.
    """
    from napari_semst.io.export.atomic import write_atomically

    place = Path(path)
    ending = place.suffix.lower()
    if ending not in SESSION_ENDINGS:
        raise SaveError(one_of("the ending", ending, SESSION_ENDINGS))
    text, missing = session_text(tissue, ending)

    def check(written: Path) -> None:
        if written.read_text(encoding="utf-8") != text:
            raise SaveError(f"Expected {place} to read back the same; it did not.")

    write_atomically(
        place,
        lambda temporary: _write(temporary, text),
        check,
        overwrite=overwrite,
        suffix=ending,
    )
    return missing


def session_text(tissue: AnnData, ending: str = ".py") -> tuple[str, list[str]]:
    """Return a session as the text of a file, and what it does not do again.

    Parameters
    ----------
    ending
        One of `SESSION_ENDINGS`.

    Raises
    ------
    InputError
        As for `write_session`.
    """
    actions = session_actions(tissue)
    if not actions:
        raise InputError(
            "Expected a section with a record of what was done to it in the window; "
            "found none. Open it there; what is done from then on is kept."
        )
    code = session_code(actions)
    missing = [] if is_complete(tissue) else [UNKNOWN_CHANGE]
    missing = list(dict.fromkeys([*missing, *code.missing]))
    if ending == ".sh":
        return shell_script(actions, missing, _FOLDER), missing
    if ending == ".ipynb":
        return _notebook(code, missing), missing
    return _script(code, missing), missing


def _script(code: SessionCode, missing: list[str]) -> str:
    head = f'"""{_ABOUT.format(folder=_FOLDER)}"""'
    parts = [head, *_head(code, missing), *code.functions, *code.blocks]
    return "\n\n".join(parts) + "\n"


def _head(code: SessionCode, missing: list[str]) -> list[str]:
    imports = set(code.imports)
    parts = []
    if code.files.any:
        imports.add(("pathlib", "Path"))
        parts = [f"FOLDER = Path({_FOLDER!r})\nFOLDER.mkdir(exist_ok=True)"]
    parts.insert(0, "\n".join(import_lines(imports)))
    return [*_warning(missing), *parts]


def _warning(missing: list[str]) -> list[str]:
    if not missing:
        return []
    told = "\n".join(f"- {one}" for one in missing)
    return [comment(f"Not all is done again:\n{told}")]


def _notebook(code: SessionCode, missing: list[str]) -> str:
    """Return a notebook of format 4.5, a cell for each action."""
    about = _ABOUT.format(folder=_FOLDER)
    texts = ["\n\n".join([*_head(code, missing), *code.functions]), *code.blocks]
    cells: list[dict[str, Any]] = [_cell("markdown", about, 0)]
    cells += [_cell("code", text, at) for at, text in enumerate(texts, start=1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(kind: str, text: str, number: int) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"step-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
