"""Time and memory told before a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import psutil
import pytest

from napari_semst.config import Request
from napari_semst.core.chunks import CHUNK_SPOTS, chunks, spots_at_once
from napari_semst.core.memory import GIB, memory_asked, memory_limited
from napari_semst.core.progress import RunControl, run_in_thread, run_to_end
from napari_semst.core.threads import side_by_side
from napari_semst.errors import ConfigError
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline import forecast as module
from napari_semst.pipeline.forecast import (
    forecast,
    memory_needed,
    memory_warning,
    refuse_beyond_limit,
)
from napari_semst.pipeline.run import find_domains
from napari_semst.wording import for_shell

DEFAULT = resolve(Request())
QUICK = resolve(Request("quick"))


@pytest.fixture(autouse=True)
def same_speed(monkeypatch):
    monkeypatch.setattr(module, "_probe", lambda: module._PROBE_SECONDS)


def test_large_sections_need_more_in_proportion():
    small, large = (forecast(n, 500, 200 * n, DEFAULT) for n in (10**5, 10**6))
    assert 2 < large.seconds / small.seconds < 11
    assert 3 < large.memory / small.memory < 10


def test_a_quick_run_needs_less():
    one, other = (forecast(4000, 3000, 10**6, c) for c in (DEFAULT, QUICK))
    assert other.seconds < one.seconds
    assert other.memory < one.memory


@pytest.mark.parametrize("preset", ["dlpfc", "starmap"])
def test_published_recipes_are_slow(preset):
    config = resolve(Request(preset))
    fast, slow = (forecast(4000, 3000, 10**6, c).seconds for c in (DEFAULT, config))
    assert slow > 5 * fast


def test_a_slow_machine_is_told_more(monkeypatch):
    here = forecast(4000, 3000, 10**6, DEFAULT).seconds
    monkeypatch.setattr(module, "_probe", lambda: 3 * module._PROBE_SECONDS)
    assert forecast(4000, 3000, 10**6, DEFAULT).seconds == pytest.approx(3 * here)


def test_the_line_names_time_and_memory():
    told = str(forecast(10**6, 500, 2 * 10**8, DEFAULT))
    assert " min, " in told
    assert "GiB of memory (" in told
    assert " s, " in str(forecast(300, 500, 10**4, QUICK))


def test_memory_that_is_short_is_told_before_and_after(tissue, monkeypatch):
    assert memory_warning(tissue.n_obs, tissue.X.nnz, DEFAULT) is None
    free = memory_needed(tissue.n_obs, tissue.X.nnz, QUICK) - 1.0
    monkeypatch.setattr(module, "held_memory", lambda: 0.0)
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: type("Memory", (), {"available": free})
    )
    request = Request("quick", {"domains": {"n_domains": 3, "n_starts": 1}})
    steps = find_domains(tissue, request)
    told = [next(steps).message for _ in range(2)]
    assert any("This run may need" in message for message in told)
    assert any("may need" in text for text in run_to_end(steps).warnings)


def test_a_containers_share_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_semst.core.memory._CONTAINER", tmp_path)
    whole = module.free_memory()
    for limit, free in (("max", None), (str(3 * 2**20), 2**20)):
        (tmp_path / "memory.max").write_text(limit + "\n", encoding="ascii")
        (tmp_path / "memory.current").write_text(str(2 * 2**20), encoding="ascii")
        assert module.free_memory() == (free or pytest.approx(whole, rel=0.2))


def test_what_is_held_already_is_not_asked_for_again(tissue, monkeypatch):
    needed = memory_needed(tissue.n_obs, tissue.X.nnz, DEFAULT)
    monkeypatch.setattr(module, "free_memory", lambda: needed / 2)
    monkeypatch.setattr(module, "held_memory", lambda: 0.0)
    assert memory_warning(tissue.n_obs, tissue.X.nnz, DEFAULT) is not None
    monkeypatch.setattr(module, "held_memory", lambda: 0.6 * needed)
    assert memory_warning(tissue.n_obs, tissue.X.nnz, DEFAULT) is None


def test_a_wide_embedding_needs_its_room(tissue, monkeypatch):
    narrow = memory_needed(10**6, 10**8, DEFAULT)
    wide = memory_needed(10**6, 10**8, DEFAULT, semantic_width=4096)
    assert wide - narrow == pytest.approx(10**6 * 4 * (4096 - 256))
    host = Request(overrides={"model": {"method": "graphst"}})
    host = resolve(host.with_settings("semantics", source="builtin"))
    plain = replace(host, semantics=replace(host.semantics, smoothing_rounds=0))
    smooth, own = (memory_needed(10**6, 10**8, one) for one in (host, plain))
    assert smooth - own == pytest.approx(10**6 * 4 * 256)
    asked = []
    monkeypatch.setattr(
        module, "memory_warning", lambda *_, **more: asked.append(more) or None
    )
    tissue.obsm["mine"] = np.zeros((tissue.n_obs, 7), np.float32)
    settings = {
        "domains": {"n_domains": 3},
        "semantics": {"source": "precomputed", "embedding": "mine"},
    }
    steps = find_domains(tissue, Request(overrides=settings))
    for _ in range(2):
        next(steps)
    assert asked == [{"semantic_width": 7, "on_disk": False}]


def test_images_take_time_and_memory_and_networks_more_of_both():
    encoders = ("none", "obsm:x", "builtin", "hf:facebook/dinov2-base")
    told = [
        forecast(
            10**5,
            500,
            10**6,
            QUICK.with_overrides(
                {"morphology": {"encoder": one}, "training": {"device": "cpu"}}
            ),
        )
        for one in encoders
    ]
    none, held, builtin, network = told
    assert none.seconds == held.seconds < builtin.seconds < network.seconds
    assert none.memory < held.memory <= builtin.memory < network.memory


def test_the_genes_that_images_are_asked_of_take_time():
    told = {}
    for encoder in ("none", "builtin"):
        overrides = {"morphology": {"encoder": encoder}, "domains": {"n_domains": 7}}
        config = resolve(Request("image-guided", overrides))
        few, many = (forecast(3000, n, 10**6, config).seconds for n in (200, 2000))
        told[encoder] = many - few
    assert told["builtin"] > told["none"] + 5


def allowing(gib, preset="quick", **stages):
    return Request(
        preset,
        {
            "domains": {"n_domains": 3, "n_starts": 1},
            "training": {"max_memory": gib},
            **stages,
        },
    )


def test_a_run_above_the_limit_is_refused_before_the_work(tissue):
    steps = find_domains(tissue, allowing(0.2))
    with pytest.raises(ConfigError, match=r"at most 0\.2 GiB.* need about 0\.4 GiB"):
        run_to_end(steps)
    assert memory_asked() == 0


def test_what_is_proposed_is_less_than_what_was_chosen():
    said = {}
    for source, encoder in (("none", "none"), ("builtin", "builtin")):
        stages = {"semantics": {"source": source}, "morphology": {"encoder": encoder}}
        # The method of "quick" reads no semantics.
        stages["preset"] = "quick" if source == "none" else "default"
        config = resolve(allowing(0.2, **stages))
        with pytest.raises(ConfigError) as refused:
            refuse_beyond_limit(1000, 10**6, config)
        said[source] = for_shell(refused.value.args[0])
        gib = float(said[source].partition("--max-memory ")[2].partition(",")[0])
        refuse_beyond_limit(1000, 10**6, resolve(allowing(gib, **stages)))
    assert "quick" not in said["none"]
    assert "leave out" not in said["none"]
    assert "--semantics none" in said["builtin"]
    assert "--image-encoder none" in said["builtin"]


def test_a_limit_makes_smaller_chunks_and_is_kept_with_the_result(tissue, monkeypatch):
    made = run_to_end(find_domains(tissue, allowing(0)))
    monkeypatch.setattr("napari_semst.core.chunks._ALLOWED_BYTES", 2**30)
    monkeypatch.setattr("napari_semst.core.chunks._FEWEST_SPOTS", 16)
    sizes = []
    monkeypatch.setattr(
        "napari_semst.domains.refine.chunks",
        lambda n: sizes.append(spots_at_once()) or chunks(n),
    )
    limited = run_to_end(find_domains(tissue, allowing(1)))
    assert set(sizes) == {16}
    assert limited.provenance["config"]["training"]["max_memory"] == 1
    np.testing.assert_array_equal(limited.codes, made.codes)
    np.testing.assert_allclose(limited.confidence, made.confidence, rtol=1e-6)
    assert memory_asked() == 0


def test_chunks_depend_on_what_is_allowed_and_on_nothing_else():
    assert spots_at_once() == CHUNK_SPOTS
    with memory_limited(2):
        assert spots_at_once() == 2 * 8192
        assert [part.stop for part in chunks(40_000)] == [16_384, 32_768, 40_000]
        assert spots_at_once(8192) == 8192
    assert spots_at_once(allowed=2.0**20) == 1024


def test_threads_know_the_limit_of_the_work_they_do():
    with memory_limited(2):
        steps = run_in_thread("x", "y", lambda tell: memory_asked(), RunControl())
        assert run_to_end(steps) == 2 * 2**30
        assert side_by_side([memory_asked] * 2, 2) == [2 * 2**30] * 2


def test_large_sections_need_less_under_a_limit():
    free, limited = (
        memory_needed(10**5, 10**7, resolve(allowing(gib))) for gib in (0, 2)
    )
    assert limited < free


def test_counts_that_stay_on_disk_take_no_memory():
    n_counts = 2 * 10**8
    memory, disk = (
        memory_needed(10**6, n_counts, QUICK, on_disk=there) for there in (False, True)
    )
    assert memory - disk > 8 * n_counts
    # The published recipes read them into memory wherever they are.
    config = resolve(Request("dlpfc"))
    one, other = (
        memory_needed(10**6, n_counts, config, on_disk=there) for there in (False, True)
    )
    assert one == other > memory


@pytest.mark.parametrize(("n_spots", "measured"), [(200_000, 1.58), (1_000_000, 3.10)])
def test_counts_on_disk_are_told_no_less_than_was_measured(n_spots, measured):
    """Of simulated cells with 190 counts, as docs/benchmarks.md has them."""
    config = resolve(allowing(4, "auto"))
    needed = memory_needed(n_spots, 190 * n_spots, config, on_disk=True) / GIB
    assert measured <= needed < 1.15 * measured


def test_vectors_that_are_made_spare_what_eight_million_would_take():
    """Vectors of 256 numbers for each of eight million spots alone would take 8 GiB."""
    config = resolve(allowing(16, "auto"))
    needed = memory_needed(8 * 10**6, 15 * 10**8, config, on_disk=True)
    assert 16 * GIB < needed < 20 * GIB
    # Others are held: of a server nobody knows what they cost.
    server = replace(config, semantics=replace(config.semantics, source="server"))
    assert memory_needed(8 * 10**6, 0, server) > needed + 7 * GIB
