"""Imports run one way, and importing costs nothing that is not used."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import napari_semst

HOME = Path(napari_semst.__file__).parent
SKIN = ("viewer", "widgets", "_reader.py", "_sample_data.py")
WINDOW = {"napari", "qtpy", "superqt", "magicgui"}


def science():
    for path in sorted(HOME.rglob("*.py")):
        if path.relative_to(HOME).parts[0] not in SKIN:
            yield path


def imported(path):
    """Yield (module, line) of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, node.lineno


def test_science_never_imports_the_window():
    wrong = [
        f"{path.relative_to(HOME)}:{line} {module}"
        for path in science()
        for module, line in imported(path)
        if module.split(".")[0] in WINDOW
    ]
    assert not wrong


# Those of scikit-learn that share their work out among threads.
THREADED = {"cluster", "decomposition", "linear_model", "mixture", "neighbors"}
# What a run calls, under a limit of threads that was set before these were imported.
RUN = ("domains", "methods", "morphology", "pipeline", "prepare", "training")


def loads_threads(function):
    for node in ast.walk(function):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, inner = node.module.partition(".")
            names = {inner.split(".")[0]} if inner else {x.name for x in node.names}
            if package == "sklearn" and names & THREADED:
                return True
    return False


def calls_of(function):
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return {ast.unparse(call.func) for call in calls}


def test_what_a_run_imports_late_keeps_its_limit_of_threads():
    found, wrong = 0, []
    for path in science():
        if path.relative_to(HOME).parts[0] not in RUN:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and loads_threads(node):
                found += 1
                if "keep_limits" not in calls_of(node):
                    wrong.append(f"{path.relative_to(HOME)}:{node.lineno} {node.name}")
    assert found > 5
    assert not wrong


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("nn", ("methods", "training", "domains", "pipeline", "prepare", "io")),
        ("prepare", ("methods", "training", "domains", "pipeline")),
        ("semantics", ("methods", "training", "domains", "pipeline", "prepare")),
        ("io", ("methods", "training", "domains", "pipeline", "prepare")),
        ("methods", ("domains", "pipeline")),
        ("training", ("methods", "domains", "pipeline")),
        ("domains", ("pipeline",)),
    ],
)
def test_imports_run_one_way(lower, higher):
    banned = {f"napari_semst.{name}" for name in higher}
    wrong = [
        f"{path.relative_to(HOME)}:{line} {module}"
        for path in (HOME / lower).rglob("*.py")
        for module, line in imported(path)
        if ".".join(module.split(".")[:2]) in banned
        # Types only: never imported at run time.
        and not (lower == "domains" and module.startswith("napari_semst.methods"))
    ]
    assert not wrong


def module_of(path):
    parts = path.relative_to(HOME).with_suffix("").parts
    return ".".join(("napari_semst", *(x for x in parts if x != "__init__")))


@functools.cache
def import_graph():
    """Return what every module imports of the package, at any place in it."""
    modules = {module_of(path): path for path in HOME.rglob("*.py")}
    graph = {}
    for module, path in modules.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                # A name is a module of its own, or one of the module before it.
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                found.update(n if n in modules else node.module for n in names)
        graph[module] = found & modules.keys() - {module}
    return graph


def circles(graph):
    """Return the strongly connected components of more than one node (Tarjan)."""
    order, low, path, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        path.append(node)
        for other in graph[node]:
            if other not in order:
                visit(other)
            if other in path:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            component = path[path.index(node) :]
            del path[path.index(node) :]
            found.extend([sorted(component)] if len(component) > 1 else [])

    for node in graph:
        if node not in order:
            visit(node)
    return found


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a", "d"}}
    assert circles(graph) == [["b", "c"]]
    graph["d"] = {"e"}
    assert circles(graph) == [["a", "b", "c", "d", "e"]]


def test_imports_run_in_no_circle():
    graph = import_graph()
    assert len(graph) > 100
    assert circles(graph) == []


@pytest.mark.parametrize("part", ["open", "find", "explore", "shared"])
def test_no_dock_is_imported_by_another_part_of_the_window(part):
    """What docks have in common is in `widgets.shared`."""
    docks = {"open", "find", "explore"} - {part}
    banned = tuple(f"napari_semst.widgets.{dock}." for dock in docks)
    wrong = [
        f"{module} {imported}"
        for module, imports in import_graph().items()
        if f"{module}.".startswith(f"napari_semst.widgets.{part}.")
        for imported in imports
        if f"{imported}.".startswith(banned)
    ]
    assert not wrong


def test_everything_below_the_viewer_imports_without_napari_and_qt():
    names = [
        ".".join(("napari_semst", *path.relative_to(HOME).with_suffix("").parts))
        for path in science()
        if path.name != "__main__.py"
    ]
    code = f"""
import importlib, sys, warnings
warnings.simplefilter("ignore")
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {WINDOW | {"PySide6", "PyQt6"}!r}:
            raise ImportError(f"blocked: {{name}}")
sys.meta_path.insert(0, Blocked())
for name in {names!r}:
    importlib.import_module(name.removesuffix(".__init__"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_package_imports_nothing_heavy():
    code = (
        "import sys, napari_semst, napari_semst._reader, napari_semst._sample_data\n"
        "heavy = {'torch', 'scanpy', 'anndata', 'sklearn', 'napari', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_public_names_are_there_and_callable():
    for name in napari_semst.__all__:
        value = getattr(napari_semst, name)
        assert callable(value) or name == "__version__", name
    with pytest.raises(AttributeError, match="nothing"):
        napari_semst.nothing  # noqa: B018
