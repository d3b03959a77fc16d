"""Results in a SpatialData store, as its own package reads them."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from napari_semst.errors import InputError, SaveError
from napari_semst.io.export.spatialdata import write_spatialdata_table
from napari_semst.wording import for_shell


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    names = [f"spot {i}" for i in range(12)]
    obs = pd.DataFrame(
        {
            "semst_domain": pd.Categorical(["1", "2", "1"] * 4),
            "semst_confidence": rng.random(12),
            "own": "mine",
        },
        index=names,
    )
    return AnnData(
        rng.poisson(2, (12, 3)).astype(np.float32),
        obs=obs,
        obsm={"X_semst": rng.random((12, 4)), "spatial": rng.random((12, 2))},
        uns={"semst": {"default": {"seed": 3}}, "semst_domain_colors": ["#000000"] * 2},
    )


def test_without_the_package_it_says_what_to_install(result, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spatialdata", None)
    with pytest.raises(SaveError, match=r"napari-semst\[spatialdata\]"):
        write_spatialdata_table(result, tmp_path)


@pytest.mark.filterwarnings("ignore")
class TestStore:
    @pytest.fixture
    def store(self, tmp_path, result):
        spatialdata = pytest.importorskip(
            "spatialdata", reason="the extra spatialdata is not installed"
        )
        from spatialdata.models import ShapesModel, TableModel

        shapes = ShapesModel.parse(
            result.obsm["spatial"], geometry=0, radius=1.0,
            index=np.arange(100, 112),
        )  # fmt: skip
        obs = pd.DataFrame(
            {"region": pd.Categorical(["circles"] * 12), "id": np.arange(100, 112)},
            index=result.obs_names,
        )
        table = TableModel.parse(
            AnnData(result.X, obs=obs), region="circles", region_key="region",
            instance_key="id",
        )  # fmt: skip
        whole = spatialdata.SpatialData(shapes={"circles": shapes})
        whole.write(tmp_path / "bare.zarr")
        whole.tables["table"] = table
        whole.write(tmp_path / "a.zarr")
        return tmp_path / "a.zarr"

    def test_results_with_gaps_read_back_the_same(self, result, store):
        import spatialdata

        gaps = ["1", None] * (result.n_obs // 2)
        result.obs["semst_domain"] = pd.Categorical(gaps)
        result.obs["semst_confidence"] = [0.5, np.nan] * (result.n_obs // 2)
        write_spatialdata_table(result, store)
        table = spatialdata.read_zarr(store).tables["semst"]
        for column in ("semst_domain", "semst_confidence"):
            assert list(table.obs[column].isna()) == [False, True] * (len(table) // 2)

    def test_results_are_a_table_about_the_shapes(self, result, store):
        import spatialdata

        some = result[::-2]
        write_spatialdata_table(some, store)
        whole = spatialdata.read_zarr(store)
        assert set(whole.tables) == {"table", "semst"}
        table = whole.tables["semst"]
        assert list(table.obs_names) == list(some.obs_names)
        assert list(table.obs["instance_id"]) == list(range(111, 99, -2))
        assert list(table.obs["semst_domain"]) == list(some.obs["semst_domain"])
        assert "own" not in table.obs
        assert table.uns["semst"]["default"]["seed"] == 3
        np.testing.assert_array_equal(table.obsm["X_semst"], some.obsm["X_semst"])
        joined = spatialdata.get_values(
            "semst_domain", sdata=whole, element_name="circles", table_name="semst"
        )
        assert len(joined) == 6

    def test_a_table_is_replaced_when_asked(self, result, store):
        import spatialdata

        write_spatialdata_table(result, store)
        with pytest.raises(SaveError, match="table=") as found:
            write_spatialdata_table(result, store)
        assert "--table" in for_shell(found.value)
        result.obs["semst_domain"] = pd.Categorical(["3"] * 12)
        write_spatialdata_table(result, store, overwrite=True)
        table = spatialdata.read_zarr(store).tables["semst"]
        assert set(table.obs["semst_domain"]) == {"3"}

    def test_a_table_of_counts_is_never_replaced(self, result, store):
        with pytest.raises(SaveError, match="3 genes"):
            write_spatialdata_table(result, store, table="table", overwrite=True)

    def test_spots_that_the_store_lacks(self, result, store):
        bare = store.with_name("bare.zarr")
        with pytest.raises(InputError, match="region=") as found:
            write_spatialdata_table(result, bare)
        assert "--region" in for_shell(found.value)
        with pytest.raises(InputError, match="found circles"):
            write_spatialdata_table(result, bare, region="squares")
        result.obs_names = [str(i) for i in range(100, 112)]
        write_spatialdata_table(result, bare)

    def test_what_is_no_store(self, result, store, tmp_path):
        with pytest.raises(SaveError, match="there is none"):
            write_spatialdata_table(result, tmp_path / "none.zarr")
        (tmp_path / "odd.zarr").mkdir()
        with pytest.raises((SaveError, InputError)):
            write_spatialdata_table(result, tmp_path / "odd.zarr")
        del result.obs["semst_domain"]
        with pytest.raises(InputError, match="Find domains"):
            write_spatialdata_table(result, store)

    def test_results_of_fields_of_view_go_to_their_labels(self, tmp_path):
        spatialdata = pytest.importorskip(
            "spatialdata", reason="the extra spatialdata is not installed"
        )
        from spatialdata.models import Labels2DModel, TableModel
        from spatialdata.transformations import Translation

        from napari_semst.io.read import read

        raster = np.kron(np.arange(1, 7), np.ones((4, 4), int))
        labels = {
            name: Labels2DModel.parse(
                raster,
                dims=("y", "x"),
                transformations={"global": Translation([x], axes=("x",))},
            )
            for name, x in (("left", 0), ("right", 24))
        }
        obs = pd.DataFrame(
            {"region": ["left"] * 6 + ["right"] * 6, "cell": [*range(1, 7)] * 2},
            # Fields of view number their cells alike.
            index=[f"cell {i}" for i in range(6)] * 2,
        )
        obs["region"] = obs["region"].astype("category")
        counts = np.random.default_rng(0).poisson(3, (12, 5)).astype(np.float32)
        table = TableModel.parse(
            AnnData(counts, obs=obs),
            region=["left", "right"], region_key="region", instance_key="cell",
        )  # fmt: skip
        whole = spatialdata.SpatialData(labels=labels, tables={"table": table})
        whole.write(tmp_path / "fields.zarr")
        tissue = read(tmp_path / "fields.zarr")
        assert tissue.obsm["spatial"][:, 0].tolist() == [*range(2, 48, 4)]
        tissue.obs["semst_domain"] = pd.Categorical(["1", "2", "3"] * 4)
        write_spatialdata_table(tissue[::-1].copy(), tmp_path / "fields.zarr")
        back = spatialdata.read_zarr(tmp_path / "fields.zarr")
        for name in ("left", "right"):
            found = spatialdata.get_values(
                "semst_domain", sdata=back, element_name=name, table_name="semst"
            )["semst_domain"]
            want = {i: "123"[(i - 1) % 3] for i in range(1, 7)}
            assert found.to_dict() == want
