from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy import sparse

from napari_semst.errors import InputError, SaveError
from napari_semst.io.export import atomic, h5ad
from napari_semst.io.export.atomic import estimated_bytes
from napari_semst.io.export.h5ad import write, write_domains_csv, write_table
from napari_semst.io.export.readback import check_readback
from napari_semst.io.read import read

RNG = np.random.default_rng(0)


@pytest.fixture
def result(tissue) -> AnnData:
    """A tissue with results and with things of the user's own."""
    n = tissue.n_obs
    tissue.obs["semst_domain"] = pd.Categorical(RNG.integers(1, 4, n).astype(str))
    tissue.obs["semst_confidence"] = RNG.random(n).astype(np.float32)
    tissue.obs["semst_modulation"] = np.where(RNG.random(n) < 0.1, np.nan, 0.5)
    tissue.obs["note"] = ["text", None] * (n // 2)
    tissue.obs["unique"] = [f"spot {i}" for i in range(n)]
    tissue.obsm["X_semst"] = RNG.random((n, 8)).astype(np.float32)
    tissue.obsm["X_umap"] = RNG.random((n, 2))
    tissue.layers["twice"] = tissue.X * 2
    tissue.raw = tissue.copy()
    tissue.uns["semst"] = {"default": {"seed": 0, "losses": [1.0, 0.5]}}
    tissue.uns["other"] = {"deep": {"array": np.arange(3)}}
    tissue.uns["semst_domain_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    return tissue


def left_beside(path: Path) -> list[str]:
    return sorted(p.name for p in path.parent.iterdir() if p != path)


def test_everything_comes_back(tmp_path, result):
    before = result.copy()
    path = write(result, tmp_path / "result.h5ad")
    back = anndata.read_h5ad(path)
    for adata in (back, result):  # and the user's object is as it was
        assert (adata.X != before.X).nnz == 0
        assert (adata.layers["twice"] != before.layers["twice"]).nnz == 0
        assert (adata.raw.X != before.raw.X).nnz == 0
        assert set(adata.obsm) == {"spatial", "X_semst", "X_umap"}
        np.testing.assert_array_equal(adata.obsm["X_semst"], before.obsm["X_semst"])
        np.testing.assert_array_equal(adata.uns["other"]["deep"]["array"], np.arange(3))
        assert next(iter(adata.uns["semst_domain_colors"])) == "#ff0000"
        assert adata.uns["semst"]["default"]["seed"] == 0
        for column in before.obs:
            missing = before.obs[column].isna()
            assert list(adata.obs[column].isna()) == list(missing)
            assert list(adata.obs[column][~missing]) == list(
                before.obs[column][~missing]
            )
    pd.testing.assert_frame_equal(result.obs, before.obs)
    assert left_beside(path) == []


KINDS = {
    "text": lambda rng, n: rng.choice(["a", "b", "ü", ""], n).astype(object),
    "gaps": lambda rng, n: np.where(rng.random(n) < 0.3, None, "x").astype(object),
    "numbers": lambda rng, n: np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
    "whole": lambda rng, n: rng.integers(-(2**60), 2**60, n),
    "flags": lambda rng, n: rng.random(n) < 0.5,
    "groups": lambda rng, n: pd.Categorical(rng.choice(["x", "y"], n), ["z", "y", "x"]),
}


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 10_000),
    kinds=st.lists(st.sampled_from(sorted(KINDS)), unique=True),
    dtype=st.sampled_from(["float32", "float64", "int32", "uint16"]),
    form=st.sampled_from(["csr", "csc", "dense"]),
    nested=st.recursive(
        st.integers(-5, 5) | st.text("abc", max_size=3) | st.booleans(),
        lambda inner: st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
        max_leaves=6,
    ),
)
# A column of nothing but gaps.
@example(seed=702, kinds=["gaps"], dtype="float32", form="csr", nested={})
def test_whatever_others_keep_comes_back(tmp_path, seed, kinds, dtype, form, nested):
    rng = np.random.default_rng(seed)
    n, genes = int(rng.integers(1, 9)), int(rng.integers(1, 6))
    counts = rng.poisson(0.7, (n, genes)).astype(dtype)
    made = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.asarray}
    tissue = AnnData(
        made[form](counts),
        obs=pd.DataFrame(
            {kind: KINDS[kind](rng, n) for kind in kinds},
            index=[f"spot {i}" for i in range(n)],
        ),
        layers={"other": made[form](counts * 2)},
        obsm={"theirs": rng.normal(size=(n, 3))},
        uns={"theirs": {"deep": nested, "list": np.arange(3)}},
    )
    tissue.obs["semst_domain"] = pd.Categorical(rng.integers(1, 3, n).astype(str))
    before = tissue.copy()
    path = write(tissue, tmp_path / "a.h5ad", overwrite=True)
    back = anndata.read_h5ad(path)
    for one, other in ((back.X, before.X), (back.layers["other"], 2 * before.X)):
        assert type(one) is type(before.X)
        assert one.dtype == before.X.dtype
        dense = [m.toarray() if sparse.issparse(m) else m for m in (one, other)]
        assert dense[0].tobytes() == dense[1].tobytes()
    if form != "dense":
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(
                getattr(back.X, part), getattr(before.X, part)
            )
    assert list(back.obs) == list(before.obs)
    for column in before.obs:
        one, other = back.obs[column], before.obs[column]
        assert list(one.isna()) == list(other.isna())
        assert list(one[one.notna()]) == list(other[other.notna()])
    if "groups" in kinds:
        assert list(back.obs["groups"].cat.categories) == ["z", "y", "x"]
    np.testing.assert_array_equal(back.obsm["theirs"], before.obsm["theirs"])
    assert same(back.uns["theirs"]["deep"], nested)
    np.testing.assert_array_equal(back.uns["theirs"]["list"], np.arange(3))


def same(one, other) -> bool:
    if isinstance(other, dict):
        return set(one) == set(other) and all(same(one[k], other[k]) for k in other)
    return one == other


def test_a_view_and_a_written_file_are_written(tmp_path, result):
    view = result[10:20]
    path = write(view, tmp_path / "view.h5ad")
    assert view.is_view
    assert read(path).n_obs == 10
    backed = anndata.read_h5ad(path, backed="r")
    assert read(write(backed, tmp_path / "again.h5ad", compression=None)).n_obs == 10
    backed.file.close()


def test_a_dense_matrix_and_none_are_written(tmp_path, tissue):
    tissue.X = tissue.X.toarray()
    write(tissue, tmp_path / "dense.h5ad")
    del tissue.X
    write(tissue, tmp_path / "none.h5ad")
    assert anndata.read_h5ad(tmp_path / "none.h5ad").X is None


def test_never_overwrites_unasked(tmp_path, result):
    path = tmp_path / "result.h5ad"
    path.write_text("precious")
    with pytest.raises(SaveError, match=r"there is one. Choose another name"):
        write(result, path)
    assert path.read_text() == "precious"
    path.chmod(0o640)
    write(result, path, overwrite=True)
    assert read(path).n_obs == result.n_obs
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert left_beside(path) == []


def test_a_file_that_appears_meanwhile_is_kept(tmp_path, result, monkeypatch):
    path = tmp_path / "result.h5ad"

    def appear(*_, **__):
        path.write_text("precious")

    monkeypatch.setattr(h5ad, "check_readback", appear)
    with pytest.raises(SaveError, match="there is one"):
        write(result, path)
    assert path.read_text() == "precious"
    assert left_beside(path) == []


def test_file_systems_without_links(tmp_path, result, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = write(result, tmp_path / "result.h5ad")
    assert read(path).n_obs == result.n_obs
    assert left_beside(path) == []


def test_a_link_is_followed(tmp_path, result):
    target = tmp_path / "target.h5ad"
    link = tmp_path / "link.h5ad"
    target.touch()
    link.symlink_to(target)
    assert write(result, link, overwrite=True) == target
    assert link.is_symlink()
    assert read(target).n_obs == result.n_obs


def test_new_files_get_the_usual_permissions(tmp_path, result):
    plain = tmp_path / "plain"
    plain.touch()
    path = write(result, tmp_path / "result.h5ad")
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/result.h5ad", "folder .* to exist"),
        ("result.csv", "ending in .h5ad"),
        ("folder.h5ad", "it is a folder"),
    ],
)
def test_impossible_places_are_refused(tmp_path, result, name, words):
    (tmp_path / "folder.h5ad").mkdir()
    with pytest.raises(SaveError, match=words):
        write(result, tmp_path / name)


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, result, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SaveError, match="permission denied"):
        write(result, tmp_path / "result.h5ad")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk .* is full"),
        (RuntimeError("write failed: No space left on device"), "disk .* is full"),
        (OSError(errno.EACCES, "denied"), "permission denied"),
        (ValueError("odd"), "odd"),
    ],
)
def test_failures_leave_the_old_file_and_nothing_else(
    tmp_path, result, monkeypatch, error, words
):
    path = tmp_path / "result.h5ad"
    path.write_text("precious")

    def fail(self, place, **_):
        Path(place).write_bytes(b"half")
        raise error

    monkeypatch.setattr(AnnData, "write_h5ad", fail)
    with pytest.raises(SaveError, match=words):
        write(result, path, overwrite=True)
    assert path.read_text() == "precious"
    assert left_beside(path) == []


def test_a_disk_that_is_nearly_full_is_refused(tmp_path, result, monkeypatch):
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SaveError, match="MB free"):
        write(result, tmp_path / "result.h5ad")


def test_a_share_of_the_disk_that_is_used_up_is_refused(tmp_path, result):
    # HDF5 itself would crash the program, at the latest when it ends.
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))
    try:
        with pytest.raises(SaveError, match="full"):
            write(result, tmp_path / "result.h5ad")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dense", [False, True])
def test_the_room_asked_for_is_enough_and_not_far_more(tmp_path, result, dense):
    if dense:
        result.X = result.X.toarray()
    path = write(result, tmp_path / "result.h5ad", compression=None)
    size = path.stat().st_size
    assert 0.5 * size < estimated_bytes(result) < 2 * size + 1_000_000


def test_an_interrupt_leaves_nothing(tmp_path, result, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(h5ad, "check_readback", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(result, tmp_path / "result.h5ad")
    assert list(tmp_path.iterdir()) == []


def test_what_the_format_cannot_hold_is_named(tmp_path, result):
    result.uns["strange"] = {"thing": object()}
    with pytest.raises(SaveError, match="thing"):
        write(result, tmp_path / "result.h5ad")
    assert list(tmp_path.iterdir()) == []


def _spoil_x(file):
    file["X/data"][0] += 1


def _spoil_domain(file):
    codes = file["obs/semst_domain/codes"]
    codes[0] = (codes[0] + 1) % 3


def _spoil_confidence(file):
    file["obs/semst_confidence"][3] += 0.1


def _spoil_latent(file):
    file["obsm/X_semst"][0, 0] += 1


def _drop_layer(file):
    del file["layers/twice"]


def _drop_run(file):
    del file["uns/semst/default"]


def _drop_column(file):
    file["obs"].attrs["column-order"] = ["semst_domain"]


def _rename_spot(file):
    file["obs/_index"][0] = "other"


@pytest.mark.parametrize(
    "spoil",
    [
        _spoil_x,
        _spoil_domain,
        _spoil_confidence,
        _spoil_latent,
        _drop_layer,
        _drop_run,
        _drop_column,
        _rename_spot,
    ],
)
def test_a_difference_on_disk_is_seen(tmp_path, result, spoil):
    path = write(result, tmp_path / "result.h5ad")
    check_readback(result, path)
    with h5py.File(path, "a") as file:
        spoil(file)
    with pytest.raises(SaveError, match="differs"):
        check_readback(result, path)


def test_domains_as_a_table(tmp_path, result):
    result.obs["semst_domain_first"] = result.obs["semst_domain"]
    path = write_domains_csv(result, tmp_path / "domains.csv")
    table = pd.read_csv(path)
    assert list(table.columns) == [
        "barcode",
        "x",
        "y",
        "domain",
        "confidence",
        "modulation",
        "domain_first",
    ]
    assert list(table["barcode"]) == list(result.obs_names)
    np.testing.assert_allclose(table[["x", "y"]], result.obsm["spatial"])
    assert list(table["domain"].astype(str)) == list(result.obs["semst_domain"])
    with pytest.raises(SaveError, match="there is one"):
        write_domains_csv(result, path)
    write_domains_csv(result, path, overwrite=True)
    assert left_beside(path) == []


def test_a_table_holds_the_coordinates_asked_for(tmp_path, result):
    result.obsm["turned"] = -result.obsm["spatial"]
    path = write_domains_csv(result, tmp_path / "domains.csv", coordinates="turned")
    table = pd.read_csv(path)
    np.testing.assert_allclose(table[["x", "y"]], result.obsm["turned"])
    with pytest.raises(InputError, match="nowhere"):
        write_domains_csv(result, tmp_path / "b.csv", coordinates="nowhere")


def test_a_table_needs_domains(tmp_path, tissue):
    with pytest.raises(SaveError, match="Find domains first"):
        write_domains_csv(tissue, tmp_path / "domains.csv")


def test_real_sections_survive_a_round(tmp_path, shared_data):
    tissue = read(shared_data / "tissue" / "HER2ST_A1.h5ad")
    back = read(write(tissue, tmp_path / "A1.h5ad"))
    assert (back.X != tissue.X).nnz == 0
    np.testing.assert_array_equal(
        back.uns["spatial"]["A1"]["images"]["hires"],
        tissue.uns["spatial"]["A1"]["images"]["hires"],
    )


def test_a_table_that_breaks_off_leaves_the_old_one(tmp_path, monkeypatch):
    table = pd.DataFrame({"spot": ["a", "b"], "domain": ["1", "2"]})
    path = write_table(table, tmp_path / "table.csv")
    old = path.read_bytes()

    def breaks_off(self, file, **_):
        Path(file).write_text("spot,domain\na,1\n")

    monkeypatch.setattr(pd.DataFrame, "to_csv", breaks_off)
    with pytest.raises(SaveError, match="1 of 2 rows"):
        write_table(table, path, overwrite=True)
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
