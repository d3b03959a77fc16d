"""Which code computes the ZINB, what it says of itself, and torch.compile's form."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
import torch
from scipy import sparse

from napari_semst.nn.zinb import backend
from napari_semst.nn.zinb.decoder import Engine, ZinbTarget, elementwise_engine
from tests.nn.zinb.test_decoder import TORCH, kinds, plain, turned


@pytest.fixture
def fresh():
    """Forget which engines were found, before and after."""
    backend._engine.cache_clear()
    yield
    backend._engine.cache_clear()


def test_numba_computes_single_precision_on_the_cpu():
    engine = elementwise_engine()
    assert engine.name == "numba"
    assert "numba" in engine.reason
    assert engine == elementwise_engine(torch.device("cpu"), torch.float32)


def test_double_precision_is_plain_torch_and_says_so():
    engine = elementwise_engine("cpu", torch.float64)
    assert engine.name == "torch"
    assert "float64" in engine.reason


@pytest.mark.usefixtures("fresh")
def test_without_numba_plain_torch_computes_and_says_why(monkeypatch):
    # None in sys.modules is how Python marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "napari_semst.nn.zinb.numba_kernels", None)
    engine = elementwise_engine()
    assert engine.name == "torch"
    assert "numba cannot compile it here (ModuleNotFoundError" in engine.reason
    raw = np.zeros((3, 2, 5), np.float32)
    values = np.eye(2, 5, dtype=np.float32)
    target = ZinbTarget(sparse.csr_matrix(values))
    assert target.engine == engine
    total = target.chunks[0].turn(torch.tensor(raw), 0.05, None)
    assert float(total) == pytest.approx(plain(raw, values)[0], rel=1e-5)


@pytest.mark.usefixtures("fresh")
def test_a_compiler_that_fails_leaves_plain_torch_and_its_first_line(monkeypatch):
    def fail():
        raise RuntimeError("no compiler here\nand a long trace")

    monkeypatch.setattr(backend, "compiled_forms", fail)
    engine = elementwise_engine("meta")
    assert engine.name == "torch"
    assert "(RuntimeError: no compiler here)" in engine.reason


def test_a_target_can_be_told_its_engine():
    values = sparse.random(9, 30, 0.3, random_state=0, format="csr", dtype=np.float32)
    raw = torch.randn(3, 9, 30, generator=torch.manual_seed(0))
    found = []
    for engine in (TORCH, elementwise_engine()):
        own, target = raw.clone(), ZinbTarget(values, engine=engine)
        assert target.engine is engine
        found.append((float(target.chunks[0].turn(own, 0.05, None)), own))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")),
    reason="torch.compile needs a C++ compiler on the CPU; none is on the path",
)
# Torch announces to itself that parts of its own compiler are old.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_compiled_form_is_the_plain_one():
    compiled = Engine("compiled", "asked for by a test")
    backend.try_compiled("cpu", torch.float32)
    random = np.random.default_rng(0)
    # The second shape has the compiler make one form for all of them.
    for shape, kind in (((5, 40), "mixed"), ((9, 33), "positive"), ((6, 30), "zeros")):
        raw = random.uniform(-30, 30, (3, *shape)).astype(np.float32)
        values = kinds(random, shape, kind)
        total, gradients = turned(raw, values, compiled)
        expected, slopes = plain(raw, values)
        assert total == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=2e-6)


def test_a_gpu_compiles_for_much_work_only(monkeypatch):
    monkeypatch.setattr(backend, "try_compiled", lambda *_: None)
    little, much = (elementwise_engine("meta", entries=n) for n in (1e9, 1e12))
    assert (little.name, much.name) == ("torch", "compiled")
    assert "longer than it saves" in little.reason
    assert elementwise_engine("cpu", entries=1.0).name == "numba"
