"""The house keeps its order: floors, sizes, names (docs/architecture.md)."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import napari_semst

HOME = Path(napari_semst.__file__).parent
MODULES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in HOME.rglob("*.py")
}
# From the ground up. A package imports what lies below it, never its neighbours.
FLOORS = (
    ("errors", "wording", "nn"),
    ("keys", "palette", "config", "genes"),
    ("core",),
    ("registration",),
    ("io", "training"),
    ("cache", "sample", "figure"),
    ("models",),
    ("semantics",),
    ("morphology",),
    ("prepare",),
    ("methods",),
    ("domains",),
    ("pipeline",),
    ("embedding", "cohort", "explanation", "verification"),
    ("transfer",),
    ("explore", "report"),
    ("bench", "session"),
    ("viewer",),
    ("_reader", "_sample_data"),
    ("widgets",),
    ("cli",),
    ("__main__", "__init__"),
)
# What modules of one kind have in common is no second meaning of a name.
PROTOCOLS = {
    "main",
    "fit",
    "transfer",
    "read",
    "preview",
    "can_read",
    "locate",
    "tables",
    "looks_like",
}
PROTOCOLS |= {"find_domains", "simulated_cortex", "simulated_discordance"}
MOST_LINES, MOST_FUNCTION_LINES, MOST_FILES, MOST_AT_THE_ROOT = 500, 60, 25, 10


def package(path):
    """Return the box that a file lies in: a package, or a module at the root."""
    parts = path.relative_to(HOME).with_suffix("").parts
    return parts[0]


def imported_packages(tree):
    """Yield (box, line) of every import of our own, lazy and type-only ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "napari_semst":
            for alias in node.names:
                known = (HOME / alias.name).exists() or (
                    HOME / f"{alias.name}.py"
                ).exists()
                yield (alias.name if known else "__init__"), node.lineno
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "napari_semst."
        ):
            yield node.module.split(".")[1], node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("napari_semst."):
                    yield alias.name.split(".")[1], node.lineno


def code_lines(function):
    """Return the lines of a function, its docstring left out."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    return lines - (function.body[0].end_lineno - function.body[0].lineno + 1)


def test_a_package_imports_only_what_lies_below_it():
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    wrong = [
        f"{path.relative_to(HOME)}:{line} {package(path)} imports {other}"
        for path, tree in MODULES.items()
        for other, line in imported_packages(tree)
        if other != package(path)
        # The version is asked for at the root.
        and other != "__init__"
        and floor[other] >= floor[package(path)]
    ]
    assert not wrong


def test_only_the_command_line_imports_the_command_line():
    wrong = [
        f"{path.relative_to(HOME)}:{node.lineno}"
        for path, tree in MODULES.items()
        if package(path) not in ("cli", "__main__")
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").split(".")[0] == "typer"
        )
        or (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("napari_semst.cli")
        )
        or (
            isinstance(node, ast.Import)
            and any(a.name.split(".")[0] == "typer" for a in node.names)
        )
    ]
    assert not wrong


def test_files_functions_and_folders_stay_small():
    long_files = [
        f"{path.relative_to(HOME)}: {n} lines"
        for path in MODULES
        if (n := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    ]
    long_functions = [
        f"{path.relative_to(HOME)}:{node.lineno} {node.name}: {n} lines"
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (n := code_lines(node)) > MOST_FUNCTION_LINES
    ]
    files = defaultdict(int)
    for path in MODULES:
        files[path.parent] += 1
    full = [str(f.relative_to(HOME)) for f, n in files.items() if n > MOST_FILES]
    assert not long_files + long_functions + full
    at_the_root = [path for path in HOME.iterdir() if path.is_file()]
    assert len(at_the_root) <= MOST_AT_THE_ROOT


def test_public_names_are_unique():
    homes = defaultdict(list)
    for path, tree in MODULES.items():
        for node in tree.body:
            # Commands are named as users write them.
            if (
                isinstance(node, ast.ClassDef | ast.FunctionDef)
                and node.name[0] != "_"
                and package(path) != "cli"
            ):
                homes[node.name].append(str(path.relative_to(HOME)))
    twice = {
        n: where for n, where in homes.items() if len(where) > 1 and n not in PROTOCOLS
    }
    assert not twice
