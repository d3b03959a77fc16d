"""Which device a run gets, and why."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_semst.core.device import choose_device
from napari_semst.errors import DeviceError
from tests.small import found, named, short


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    names = ["Tesla One", "Tesla Two"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: names[index])


@pytest.mark.usefixtures("no_gpu")
def test_auto_without_a_gpu_is_the_cpu_and_says_why():
    chosen = choose_device("auto")
    assert chosen.name == "cpu"
    assert chosen.torch() == torch.device("cpu")
    assert "finds no CUDA GPU" in chosen.reason
    assert torch.__version__ in chosen.reason


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_the_first_gpu_and_names_it():
    chosen = choose_device()
    assert (chosen.name, chosen.reason) == ("cuda:0", "Found Tesla One.")
    assert chosen.torch() == torch.device("cuda", 0)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("wanted", "name", "reason"),
    [
        ("cuda", "cuda:0", "Tesla One was asked for."),
        ("cuda:1", "cuda:1", "Tesla Two was asked for."),
        ("cpu", "cpu", "The CPU was asked for."),
    ],
)
def test_what_was_asked_for_is_what_is_used(wanted, name, reason):
    chosen = choose_device(wanted)
    assert (chosen.name, chosen.reason) == (name, reason)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(DeviceError, match=r"'cuda:2'; torch finds 2 CUDA device"):
        choose_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("wanted", ["cuda", "cuda:0", "cuda:3"])
def test_cuda_without_cuda_is_refused_with_a_remedy(wanted):
    with pytest.raises(DeviceError, match="Choose device 'auto' or 'cpu'") as caught:
        choose_device(wanted)
    if torch.version.cuda is None:
        assert "CPU-only build" in str(caught.value)


@pytest.mark.parametrize("there", [True, False])
def test_apples_gpu_is_refused_with_the_reason(monkeypatch, no_gpu, there):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there)
    assert choose_device("auto").name == "cpu"
    with pytest.raises(DeviceError, match=r"64-bit.*sparse.*Choose device 'cpu'"):
        choose_device("mps")


@pytest.mark.parametrize(
    "wanted",
    ["gpu", "", "CUDA", "cuda:x", "cuda:-1", "cpu:0", "mps:0", "cuda:0:1", "cuda:²"],
)
def test_unknown_names_are_refused(wanted):
    with pytest.raises(DeviceError, match=r"'auto', 'cpu', 'cuda', 'mps'"):
        choose_device(wanted)


@pytest.mark.usefixtures("no_gpu")
def test_a_run_never_swaps_the_device_silently(tissue):
    with pytest.raises(DeviceError):
        found(named(tissue), short(training={"device": "cuda"}))
    result = found(named(tissue), short(training={"device": "auto"}))
    assert result.provenance["device"]["name"] == "cpu"
    assert "no CUDA" in result.provenance["device"]["reason"]


def test_a_build_without_gpus_is_not_loaded_to_say_that_there_is_none():
    code = (
        "import sys; from napari_semst.core import device\n"
        "device.version = lambda package: '9.9.0+cpu'\n"
        "chosen = device.choose_device('auto')\n"
        "assert chosen.name == 'cpu', chosen\n"
        "assert chosen.reason == 'Torch 9.9.0+cpu finds no CUDA GPU.', chosen\n"
        "assert device.choose_device('cpu').name == 'cpu'\n"
        "assert 'torch' not in sys.modules\n"
        "device.version = lambda package: '9.9.0'\n"
        "device.choose_device('auto')\n"
        "assert 'torch' in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
