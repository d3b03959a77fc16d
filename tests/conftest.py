"""What every test may ask for, and the marks by which `make fast` chooses tests."""

from __future__ import annotations

import gc
import os
import threading
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

# Before torch is imported: threads that wait for each other on a busy machine make
# small sections many times slower, and nothing here is large.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# pyplot would draw in Qt's windows after any test of a widget, also without a screen.
os.environ["MPLBACKEND"] = "agg"
# No test asks a hub for anything.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import settings
from scipy import sparse

from napari_semst.core.triton_import import guard_triton_import
from napari_semst.semantics.server.credentials import KEY_VARIABLES
from tests.genes.gene_tables import (  # noqa: F401  fixtures of several folders
    build_script,
    sources,
    table_file,
    tiny_table,
)
from tests.semantics.fake_server import FakeServer
from tests.semantics.language_models import save_tiny_qwen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_semst.pipeline.result import DomainResult

# How long an example takes is for benchmarks/: here machines are slow and loaded.
settings.register_profile("napari-semst", deadline=None)
settings.load_profile("napari-semst")

_WINDOW = {"make_napari_viewer", "qapp", "qtbot"}
_RUN = {"find_domains", "find_domains_cohort", "result_of"}
# What gives the command line its words, of which the first may be "run".
_SHELL = {"CliRunner", "call", "semst", "shell"}
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure() -> None:
    """Windows of tests and models of others come into one process."""
    guard_triton_import()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what opens a window, by fixture, and what finds domains, by its code."""
    runs: dict[FunctionType, bool] = {}
    for item in items:
        if _WINDOW & set(getattr(item, "fixturenames", ())):
            item.add_marker("window")
        if any(_finds_domains(part, runs) for part in _parts(item)):
            item.add_marker("run")


def pytest_collection_finish() -> None:
    """Never search for garbage among the modules that tests import."""
    gc.collect()
    gc.freeze()


def _parts(item: pytest.Item) -> Iterator[FunctionType]:
    """Yield a test's function and those of the fixtures that it asks for."""
    yield from filter(_is_plain, [getattr(item, "function", None)])
    # Without a public name in pytest.
    fixtures = getattr(item, "_fixtureinfo", None)
    for name in getattr(item, "fixturenames", ()):
        for definition in fixtures.name2fixturedefs.get(name, ()):
            yield from filter(_is_plain, [definition.func])


def _is_plain(function: object) -> bool:
    return isinstance(function, FunctionType)


def _finds_domains(function: FunctionType, known: dict[FunctionType, bool]) -> bool:
    """Return whether a function, or a helper of the tests it calls, finds domains."""
    if function not in known:
        known[function] = False  # while those are asked that may call it in turn
        names, texts = _words(function.__code__)
        known_there = [function.__globals__.get(name) for name in names]
        texts |= {"run" for value in known_there if "run" in _texts(value)}
        known[function] = (
            bool(_RUN & names)
            or ("run" in texts and bool(_SHELL & names))
            or any(
                _finds_domains(helper, known)
                for helper in known_there
                if isinstance(helper, FunctionType)
                and helper.__module__.startswith("tests.")
            )
        )
    return known[function]


def _texts(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


def _words(code: CodeType) -> tuple[set[str], set[str]]:
    """Return the names and texts in a function, those of functions inside it too."""
    names = {*code.co_names, *code.co_varnames[: code.co_argcount]}
    texts = set()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = _words(constant)
            names |= inner[0]
            texts |= inner[1]
        else:
            parts = constant if isinstance(constant, tuple) else (constant,)
            texts |= {part for part in parts if isinstance(part, str)}
    return names, texts


# Of the file of tests before: what its last test used is let go only after it.
_windows_were_open = False


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_left_of_windows(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is left of windows goes before the next file of tests.

    Found later, by a thread of other tests, it would go there, and Qt ends the program.
    What is there before a file that opens windows is never searched for garbage again:
    napari searches all objects whenever a layer goes, and most of them are modules.
    """
    global _windows_were_open
    opens = any(
        _WINDOW & set(getattr(item, "fixturenames", ()))
        for item in request.session.items
        if getattr(item, "module", None) is request.module
    )
    if opens:
        from napari._qt import qt_main_window, qt_viewer  # noqa: F401  before it freezes
    if opens or _windows_were_open:
        gc.collect()
    if opens:
        gc.freeze()
    _windows_were_open = opens
    yield
    if opens:
        gc.collect()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tissue: SEMST_DATA, or shared/data beside the project."""
    folder = Path(os.environ.get("SEMST_DATA", _BESIDE))
    if not (folder / "tissue").is_dir():
        pytest.skip(f"no real tissue at {folder}; set SEMST_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def instruments() -> Path:
    """The folder of small real outputs of instruments, beside the real tissue."""
    folder = Path(os.environ.get("SEMST_DATA", _BESIDE)) / "instruments"
    if not folder.is_dir():
        pytest.skip(f"no outputs of instruments at {folder}; set SEMST_DATA")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of vectors and settings for each test, away from the user's."""
    monkeypatch.setenv("SEMST_CACHE", str(tmp_path / "semst-cache"))
    monkeypatch.setenv("SEMST_SETTINGS", str(tmp_path / "semst-settings"))
    return tmp_path / "semst-cache"


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen3 of 2 layers with a byte-level BPE, saved as hubs hold models."""
    return save_tiny_qwen(tmp_path_factory.mktemp("models") / "tiny-qwen")


@pytest.fixture(scope="session")
def result_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], DomainResult]:
    """The result of a short run of a preset on `tissue` with real symbols.

    Each is found once and shared: attach it to a tissue of your own.
    """
    from tests.small import found, named, short

    @cache
    def result(preset: str) -> DomainResult:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SEMST_CACHE", str(tmp_path_factory.mktemp("semst-cache")))
            return found(named(banded_tissue()), short(preset))

    return result


@pytest.fixture
def tissue() -> AnnData:
    """Spots in three bands, see `banded_tissue`."""
    return banded_tissue()


def banded_tissue() -> AnnData:
    """Return about 200 spots x 60 genes of simulated counts: bands on a lattice."""
    rng = np.random.default_rng(0)
    rows, columns = np.divmod(np.arange(14 * 14), 14)
    band = rows // 5
    base = rng.gamma(2.0, 1.0, size=60)
    # Each band has 15 genes of its own; 15 are the same everywhere.
    lift = np.ones((3, 60))
    for code in range(3):
        lift[code, 15 * code : 15 * (code + 1)] = 4.0
    depth = rng.lognormal(0.0, 0.3, size=len(band))
    counts = rng.poisson(base * lift[band] * depth[:, None])
    x = 100.0 * columns + 50.0 * (rows % 2) + 150.0
    y = 86.6 * rows + 150.0
    return AnnData(
        sparse.csr_matrix(counts, dtype=np.float32),
        obs=pd.DataFrame(
            {
                "array_row": rows,
                "array_col": 2 * columns + rows % 2,
                "ground_truth": pd.Categorical([f"band {b}" for b in band]),
            },
            index=[f"{_barcode(i)}-1" for i in range(len(band))],
        ),
        var=pd.DataFrame(
            {"gene_ids": [f"ENSG{i:011d}" for i in range(60)]},
            index=[f"GENE{i}" for i in range(60)],
        ),
        obsm={"spatial": np.column_stack([x, y])},
    )


def _barcode(number: int) -> str:
    letters = [("ACGT")[(number >> shift) & 3] for shift in range(0, 32, 2)]
    return "".join(letters)


@pytest.fixture
def server(monkeypatch):
    """An embedding server on this machine; no key in the environment."""
    for variable in KEY_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    made = FakeServer()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    thread.join()
    made.server_close()
