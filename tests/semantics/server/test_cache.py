"""What a server said, kept: asked once, resumed, and not mixed with another model."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_semst.cache.vectors import cache_entries
from napari_semst.cli.main import app
from napari_semst.errors import Cancelled, SemanticsError
from napari_semst.io.export.h5ad import write
from napari_semst.semantics.precomputed.file import read_embedding_file
from tests.semantics.fake_server import FakeServer, Reply
from tests.semantics.server.test_source import expected, made, many_lists
from tests.small import named

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

KEY = "sk-do-not-keep-5d2a"


@pytest.mark.parametrize("per", ["spot", "gene"])
def test_a_second_run_asks_for_the_probe_alone(server: FakeServer, per: str) -> None:
    lists = many_lists(20)
    first = made(server, per=per).embed_spots(lists)
    server.asked.clear()
    second = made(server, per=per, batch_texts=3).embed_spots(lists)
    assert len(server.asked) == 1
    assert first.embedding.tobytes() == second.embedding.tobytes()
    assert first.provenance["from_cache"] == 0
    assert second.provenance["from_cache"] == second.provenance["texts"]


def test_texts_of_another_section_are_found_again(server: FakeServer) -> None:
    lists = many_lists(30)
    made(server).embed_spots(lists)
    server.asked.clear()
    more = many_lists(40)
    found = made(server).embed_spots(more)
    np.testing.assert_array_equal(found.embedding, expected(more))
    assert len(server.texts()) == 40 - found.provenance["from_cache"] < 40


def test_a_run_that_breaks_off_goes_on_where_it_was(server: FakeServer) -> None:
    lists = many_lists(20)
    server.replies = [None, None, None, Reply(400, "out of credit")]
    with pytest.raises(SemanticsError, match="out of credit"):
        made(server, batch_texts=4).embed_spots(lists)
    server.asked.clear()
    found = made(server, batch_texts=4).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    assert len(server.texts()) == 12
    assert found.provenance["from_cache"] == 8


def test_a_cancelled_run_goes_on_where_it_was(server: FakeServer) -> None:
    lists = many_lists(20)
    stop = threading.Event()
    with pytest.raises(Cancelled):
        made(server, batch_texts=4).embed_spots(
            lists,
            progress=lambda done, _: stop.set() if done >= 8 else None,
            cancelled=stop.is_set,
        )
    server.asked.clear()
    found = made(server).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    assert len(server.texts()) == 12


def stretched(by: float, noise: float = 0.0) -> Any:
    """Return a change of an answer: vectors `by` times as long, or turned a little."""

    def change(body: dict[str, Any]) -> dict[str, Any]:
        for entry in body["data"]:
            values = by * np.array(entry["embedding"])
            values[::2] += noise
            entry["embedding"] = values.tolist()
        return body

    return change


@pytest.mark.parametrize(
    "change", [stretched(2.0), stretched(1.0, 0.1), stretched(-1.0)]
)
def test_another_model_behind_the_address_is_noticed(
    server: FakeServer, change: Any
) -> None:
    lists = many_lists(10)
    first = made(server).embed_spots(lists)
    server.change = change
    second = made(server).embed_spots(lists)
    assert second.provenance["from_cache"] == 0
    assert "another model, or another setting" in second.warnings[1]
    assert (first.embedding != second.embedding).any()
    # Both are kept apart: each finds its own again, and nobody is warned any more.
    third = made(server).embed_spots(lists)
    np.testing.assert_array_equal(third.embedding, second.embedding)
    server.change = lambda body: body
    fourth = made(server).embed_spots(lists)
    np.testing.assert_array_equal(fourth.embedding, first.embedding)
    assert third.provenance["from_cache"] == fourth.provenance["from_cache"] == 10
    assert len(third.warnings) == len(fourth.warnings) == 1


def test_rounding_is_no_other_model(server: FakeServer) -> None:
    lists = many_lists(10)
    made(server).embed_spots(lists)
    server.change = stretched(1.0 + 1e-4, 1e-4)
    assert made(server).embed_spots(lists).provenance["from_cache"] == 10


def test_models_that_are_asked_for_by_name_are_kept_apart(server: FakeServer) -> None:
    lists = many_lists(3)
    made(server, model="one").embed_spots(lists)
    found = made(server, model="two").embed_spots(lists)
    assert found.provenance["from_cache"] == 0


def test_a_damaged_file_is_asked_for_again(server: FakeServer) -> None:
    lists = many_lists(6)
    made(server).embed_spots(lists)
    (entry,) = cache_entries()
    for shard in entry.folder.glob("shard-*"):
        content = bytearray(shard.read_bytes())
        content[-1] ^= 0xFF
        shard.write_bytes(content)
    found = made(server).embed_spots(lists)
    np.testing.assert_array_equal(found.embedding, expected(lists))
    assert any("damaged" in warning for warning in found.warnings)


def test_without_the_cache_nothing_is_read_or_kept(
    server: FakeServer, own_cache: Path
) -> None:
    lists = many_lists(3)
    for _ in range(2):
        made(server, keep_vectors=False).embed_spots(lists)
    assert len(server.texts()) == 7  # and the second probe
    assert not own_cache.exists()


def test_the_key_is_not_kept(
    server: FakeServer, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMST_API_KEY", KEY)
    server.change = lambda body: {**body, "model": f"tiny {KEY}"}
    made(server).embed_spots(many_lists(3))
    files = [file for file in own_cache.rglob("*") if file.is_file()]
    assert files
    assert not any(KEY.encode() in file.read_bytes() for file in files)


@pytest.mark.parametrize("per", ["spot", "gene"])
def test_shares_of_a_server_merge_to_the_whole(
    server: FakeServer, tissue: AnnData, tmp_path: Path, per: str
) -> None:
    source, output = tmp_path / "section.h5ad", tmp_path / "made.npz"
    write(named(tissue)[:40].copy(), source)
    settings = tmp_path / "settings.toml"
    settings.write_text(f"[semantics]\nn_genes = 2\nper = '{per}'\n")
    given = ["embed", str(source), "-o", str(output), "-q", "--config", str(settings)]
    given += ["--semantics", f"server:{server.url}"]

    def ran(*more: str) -> bytes:
        done = CliRunner().invoke(app, [*given, *more], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return read_embedding_file(output).array.tobytes() if output.exists() else b""

    for number in (1, 2):
        ran("--shard", f"{number}/2", "--no-cache")
    given[1:2] = []
    whole = ran("--merge")
    assert not list(cache_entries())
    given[1:1] = [str(source)]
    assert ran("--overwrite") == whole
    assert len(list(cache_entries())) == 1
    about = read_embedding_file(output).about
    assert (about["source"], about["model"], about["per"]) == ("server", "tiny", per)


def test_the_probe_is_known_without_reading_the_rest(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_semst.cache import vectors

    monkeypatch.setattr("napari_semst.semantics.server.cache._SHARD_TEXTS", 4)
    made(server, batch_texts=4).embed_spots(many_lists(20))
    opened = []
    read = vectors.read_shard

    def seen(file: Path, names: Any) -> Any:
        found = read(file, names)
        opened.append((len(names), None if found is None else len(found[0])))
        return found

    monkeypatch.setattr(vectors, "read_shard", seen)
    made(server).embed_spots(many_lists(20))
    # One look for the probe; then every shard once, for the texts.
    assert [one for one in opened if one[0] == 1] == [(1, 1)]
    assert sum(found or 0 for n, found in opened if n > 1) == 20


def test_shares_of_two_models_behind_servers_are_not_merged(
    server: FakeServer, tissue: AnnData
) -> None:
    from napari_semst.core.progress import run_to_end
    from napari_semst.embedding.embed import embed
    from napari_semst.embedding.merge import merge_embedding
    from napari_semst.errors import ConfigError
    from tests.small import short

    settings = {"source": "server", "url": server.url, "keep_vectors": False}
    request = short(semantics={**settings, "n_genes": 4})
    section = named(tissue)[:12].copy()
    one, two = (run_to_end(embed(section, request, share=(n, 2))) for n in (1, 2))
    assert len(merge_embedding([one, two])) == 12
    server.change = lambda body: {
        **body,
        "data": [{**row, "embedding": row["embedding"][::-1]} for row in body["data"]],
    }
    two = run_to_end(embed(section, request, share=(2, 2)))
    with pytest.raises(ConfigError, match=r"one model.*1/2 and 2/2"):
        merge_embedding([one, two])
