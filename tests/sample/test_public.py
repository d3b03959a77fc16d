"""Public sections: downloaded once, and in one clear line where that fails."""

from __future__ import annotations

import io
import tarfile

import httpx
import pytest

from napari_semst import _sample_data
from napari_semst.errors import InputError
from napari_semst.sample import public
from tests.io.outs import write_outs


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv(public.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "sections"


def served(monkeypatch, answer):
    """Answer requests without a network; return what was asked."""
    asked = []

    def handle(request):
        asked.append(str(request.url))
        return answer(request)

    client = httpx.Client(transport=httpx.MockTransport(handle))

    def stream(method, url, timeout, follow_redirects):
        return client.stream(method, url, follow_redirects=follow_redirects)

    monkeypatch.setattr(httpx, "stream", stream)
    return asked


def packed(folder, *, hostile=False):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path in sorted((folder / "spatial").iterdir()):
            archive.add(path, f"spatial/{path.name}")
        if hostile:
            archive.add(path, "../../outside.txt")
    return out.getvalue()


@pytest.mark.parametrize("sample", ["human_lymph_node", "mouse_brain"])
def test_offline_it_is_one_clear_line(monkeypatch, folder, sample):
    def offline(request):
        raise httpx.ConnectError("Name or service not known")

    served(monkeypatch, offline)
    with pytest.raises(InputError) as caught:
        getattr(_sample_data, sample)()
    text = str(caught.value)
    assert "no connection" in text
    assert "simulated section" in text
    assert "\n" not in text
    assert not list(folder.rglob("*.part"))


def test_a_server_that_has_it_no_more_is_told(monkeypatch):
    served(monkeypatch, lambda request: httpx.Response(404))
    with pytest.raises(InputError, match="answered 404"):
        _sample_data.mouse_brain()


def test_it_is_downloaded_once_and_opened(monkeypatch, folder, tmp_path, tissue):
    source = write_outs(tmp_path / "outs", tissue)
    matrix = (source / "filtered_feature_bc_matrix.h5").read_bytes()
    archive = packed(source, hostile=True)

    def answer(request):
        is_archive = str(request.url).endswith(".tar.gz")
        return httpx.Response(200, content=archive if is_archive else matrix)

    asked = served(monkeypatch, answer)
    layers = _sample_data.mouse_brain()
    assert [kind for *_, kind in layers] == ["image", "points"]
    assert layers[-1][1]["metadata"]["adata"].n_obs == tissue.n_obs
    assert len(asked) == 2
    assert all("V1_Adult_Mouse_Brain/V1_Adult_Mouse_Brain_" in url for url in asked)
    _sample_data.mouse_brain()
    assert len(asked) == 2
    assert not list(tmp_path.rglob("outside.txt"))


def test_an_archive_that_is_damaged_is_refused_and_not_kept(monkeypatch, folder):
    served(monkeypatch, lambda request: httpx.Response(200, content=b"nothing"))
    with pytest.raises(InputError, match="could not be unpacked"):
        _sample_data.human_lymph_node()
    assert not list(folder.rglob("spatial*"))


def test_far_too_much_is_refused(monkeypatch, folder):
    monkeypatch.setattr(public, "_AT_MOST", 10)
    served(monkeypatch, lambda request: httpx.Response(200, content=b"x" * 100))
    with pytest.raises(InputError, match="there is more"):
        _sample_data.human_lymph_node()
