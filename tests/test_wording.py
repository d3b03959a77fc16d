"""Everybody reads what to do in the words of their own tool, and in no other's."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
from pathlib import Path

import pytest

import napari_semst
from napari_semst.core.sections import naming_section
from napari_semst.errors import ConfigError, InputError
from napari_semst.wording import Way, Worded, for_shell, for_window, message

HOME = Path(napari_semst.__file__).parent
TEXT = Worded(
    "Expected {braces}. ", Way("Give -k 7", "Give n_domains=7", "Set Domains"), "."
)

# No dock shows a text of these: the command line, what it alone does, and the page
# that tells how to repeat a run there. Two name options of other tools: of napari, and
# of the hub's own.
OF_THE_SHELL = re.compile(
    r"^(cli|cohort|embedding|report)/|^__main__\.py$|^core/process_group\.py$"
    r"|^widgets/open/dock_at_launch\.py$|^viewer/window\.py$|^models/hub\.py$"
    r"|^session/shell_code\.py$"
)
OPTION = re.compile(
    r"(?<![\w-])--[a-z][a-z-]+|(?<![\w-])-[kowq]\b(?!\w)|in the shell"
    r"|\bsemst (run|apply|cache|discordance|domains|explain|export|figure|import"
    r"|inspect|report|sample|score|view)\b"
)


def test_every_reader_gets_their_own_words():
    assert TEXT == "Expected {braces}. Give n_domains=7."
    assert for_shell(TEXT) == "Expected {braces}. Give -k 7."
    assert for_window(TEXT) == "Expected {braces}. Set Domains."
    error = ConfigError(TEXT)
    assert str(error) == TEXT
    assert for_shell(error) == for_shell(TEXT)
    assert for_window(error) == for_window(TEXT)


@pytest.mark.parametrize(
    "said", ["plain", ValueError("plain"), RuntimeError("plain"), ConfigError("plain")]
)
def test_what_is_alike_for_all_stays_as_it_is(said):
    assert for_shell(said) == for_window(said) == message(said) == "plain"


def test_errors_of_others_are_told_as_they_tell_themselves():
    error = FileNotFoundError(2, "No such file", "a.h5ad")
    assert for_window(error) == str(error)
    assert for_shell(ValueError()) == ""


@pytest.mark.parametrize(
    "handed", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_ways_survive_what_processes_and_copies_do(handed):
    assert for_shell(handed(TEXT)) == for_shell(TEXT)
    assert for_window(handed(ConfigError(TEXT))) == for_window(TEXT)


def test_files_hold_the_words_of_python():
    assert json.loads(json.dumps([TEXT])) == ["Expected {braces}. Give n_domains=7."]


def test_a_text_inside_another_keeps_its_ways():
    with pytest.raises(ConfigError):
        raise ConfigError(Worded("Before. ", TEXT))
    assert for_shell(Worded("Before. ", TEXT)) == f"Before. {for_shell(TEXT)}"


def test_the_error_of_one_section_keeps_its_ways():
    with (
        pytest.raises(InputError, match=r"'a': Expected.*=7") as found,
        naming_section("a"),
    ):
        raise InputError(TEXT)
    assert "-k 7" in for_shell(found.value)
    assert "Set Domains" in for_window(found.value)


def spoken(path):
    """Yield (line, text, place) of what a file may say: no docstrings.

    The place is "shell", "python" or "window" inside a `Way`, "shell" in what a
    setting holds for its option, and empty elsewhere.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    placed = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            placed[node.value] = None
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Way":
            for place, part in zip(
                ("shell", "python", "window"), node.args, strict=True
            ):
                placed.update(dict.fromkeys(ast.walk(part), place))
        # What a setting holds for the command line's option alone.
        if isinstance(node, ast.keyword) and node.arg in ("flags", "shell_help"):
            placed.update(dict.fromkeys(ast.walk(node.value), "shell"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            place = placed.get(node, "")
            if place is not None:
                yield node.lineno, node.value, place


def test_no_text_that_a_dock_may_show_names_an_option_of_the_shell():
    wrong, ways = [], 0
    for path in sorted(HOME.rglob("*.py")):
        name = path.relative_to(HOME).as_posix()
        for line, text, place in spoken(path):
            ways += place == "window"
            if place == "shell" or OF_THE_SHELL.search(name):
                continue
            if OPTION.search(text):
                wrong.append(f"{name}:{line} {text}")
    assert not wrong
    assert ways > 10


@pytest.mark.parametrize(
    "text",
    ["Leave out --counterfactual.", "Give -k 7.", "(semst inspect)", "x in the shell"],
)
def test_options_are_recognised(text):
    assert OPTION.search(text)


@pytest.mark.parametrize("text", ["two-level", "a - b", "models--owner--name", "1-k"])
def test_other_dashes_are_no_options(text):
    assert not OPTION.search(text)
