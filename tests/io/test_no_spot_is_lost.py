"""From any valid file to a saved, re-read result no spot is lost, moved or renamed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from napari_semst.config import Request
from napari_semst.errors import InputError
from napari_semst.io.matrices import named_layers
from napari_semst.io.read import read
from napari_semst.pipeline.convert import convert
from napari_semst.pipeline.job import RunOutputs, Scoring, find_and_save

if TYPE_CHECKING:
    from pathlib import Path

FORMS = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_matrix}
DTYPES = ("int32", "int64", "float32", "float64", "uint16")
# Where the places are: of which shape and type, and whether some may be missing.
PLACES = ("float64", "float32", "int64", "third", "frame", "columns", "gaps")
ODD = " üß%&'\"\\.,;:-+()[]{}*?<>|#@!~^`$µ漢😀\t"
COLUMNS = {
    "a b": lambda n: pd.array([1, None] * n, "Int64")[:n],
    "flag?": lambda n: pd.array([True, None, False] * n, "boolean")[:n],
    "µ(x)": lambda n: np.where(np.arange(n) % 3, 0.5, np.nan),
    "группа": lambda n: pd.Categorical(["b", "a", None] * n, ["c", "b", "a"])[:n],
    "text": lambda n: np.array([f"t {i} ß" for i in range(n)], dtype=object),
    "unsigned": lambda n: np.arange(n, dtype=np.uint8),
    "index": lambda n: np.arange(n)[::-1].copy(),
}


@dataclass
class Made:
    """A tissue, and what a result of it must hold.

    Parameters
    ----------
    tissue
        As another program would write it.
    places
        ``(n_spots, 2)``, NaN where there are none.
    counts_layer, section_key
        What a run is told.
    """

    tissue: AnnData
    places: np.ndarray
    counts_layer: str
    section_key: str

    @property
    def kept(self) -> np.ndarray:
        return np.isfinite(self.places).all(axis=1)


@st.composite
def tissues(draw: Any) -> Made:
    """Draw a section, or several in one table, of a few spots."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    sizes = draw(st.sampled_from([(14,), (23,), (12, 15), (11, 11, 12)]))
    n, n_genes = sum(sizes), draw(st.integers(6, 14))
    form, dtype = draw(st.sampled_from(sorted(FORMS))), draw(st.sampled_from(DTYPES))
    counts = FORMS[form](rng.poisson(2.0, (n, n_genes)).astype(dtype))
    odd = draw(st.text(ODD, max_size=4))
    columns = draw(st.lists(st.sampled_from(sorted(COLUMNS)), unique=True))
    tissue = AnnData(
        counts,
        obs=pd.DataFrame(
            {name: COLUMNS[name](n) for name in columns},
            index=[f"{odd}{i}{odd}" for i in rng.permutation(n)],
        ),
        var=pd.DataFrame(
            {"length (bp)": rng.integers(1, 9, n_genes)},
            index=[f"gene{odd}{i}" for i in range(n_genes)],
        ),
        uns={"theirs": {"deep": [1, 2], "text": odd}},
    )
    where = draw(st.sampled_from(["", "counts", "raw"]))
    if where:
        kept = counts.copy()
        if where == "raw":
            tissue.raw = AnnData(kept, obs=tissue.obs, var=tissue.var)
        else:
            tissue.layers[where] = kept
        tissue.X = FORMS[form](np.log1p(_dense(counts).astype("float64")))
    key = ""
    if len(sizes) > 1:
        key = draw(st.sampled_from(["sample", "which slide", "batch"]))
        tissue.obs[key] = np.repeat([f"s {i}" for i in range(len(sizes))], sizes)
    places = _place(tissue, sizes, draw(st.sampled_from(PLACES)), rng)
    return Made(tissue, places, where, key)


def _place(tissue: AnnData, sizes: tuple[int, ...], form: str, rng: Any) -> np.ndarray:
    """Put places into a tissue; sections share their ground."""
    grid = [np.column_stack(np.divmod(rng.permutation(30)[:n], 6)) for n in sizes]
    places = 100.0 * np.concatenate(grid) + rng.integers(-20, 20, (sum(sizes), 2))
    if form == "columns":
        tissue.obs["x"], tissue.obs["y"] = places.T
    elif form == "frame":
        tissue.obsm["spatial"] = pd.DataFrame(
            places, index=tissue.obs_names, columns=["x", "y"]
        )
    elif form == "third":
        tissue.obsm["spatial"] = np.column_stack([places, np.zeros(len(places))])
    elif form == "gaps":
        # One of each section at most: ten spots are the least of a section.
        places[0] = np.nan
        tissue.obsm["spatial"] = places.copy()
    else:
        tissue.obsm["spatial"] = places.astype(form)
    return places


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)


def _saved(tissue: AnnData, folder: Path, suffix: str) -> Path:
    """Write a tissue as other programs do."""
    path = folder / f"in{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr's formats
        write = tissue.write_zarr if suffix == ".zarr" else tissue.write_h5ad
        write(path)
    return path


def assert_kept(back: AnnData, made: Made) -> None:
    """Compare what was saved with what was there, spot by spot."""
    tissue, kept = made.tissue, made.kept
    assert list(back.obs_names) == list(tissue.obs_names[kept])
    assert list(back.var_names) == list(tissue.var_names)
    np.testing.assert_array_equal(back.obsm["spatial"], made.places[kept])
    pairs = [(back.X, tissue.X)]
    pairs += [(back.layers[name], held) for name, held in named_layers(tissue).items()]
    if tissue.raw is not None:
        pairs.append((back.raw.X, tissue.raw.X))
    for one, other in pairs:
        assert one.dtype == other.dtype
        assert sparse.issparse(one) == sparse.issparse(other)
        np.testing.assert_array_equal(_dense(one), _dense(other)[kept])
    for name in tissue.obs:
        one, other = back.obs[name], tissue.obs[name][kept]
        assert list(one.isna()) == list(other.isna())
        assert list(one.dropna()) == list(other.dropna())
    assert list(back.var["length (bp)"]) == list(tissue.var["length (bp)"])
    assert back.uns["theirs"]["text"] == tissue.uns["theirs"]["text"]


few = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@few
@given(made=tissues(), suffix=st.sampled_from([".h5ad", ".h5ad", ".zarr"]))
def test_a_run_keeps_every_spot_in_its_place(tmp_path_factory, made, suffix):
    folder = tmp_path_factory.mktemp("run")
    source = _saved(made.tissue, folder, suffix)
    request = Request(
        "quick",
        {
            "domains": {"n_domains": 2, "n_starts": 1},
            "semantics": {"source": "none"},
            "prepare": {
                "counts_layer": made.counts_layer,
                "section_key": made.section_key,
            },
        },
    )
    output = folder / "out.h5ad"
    find_and_save(
        [source],
        request,
        "default",
        Scoring(None, drop_unannotated=False),
        RunOutputs(output, None, None, overwrite=False),
        through=lambda steps: steps,
    )
    back = anndata.read_h5ad(output)
    assert_kept(back, made)
    assert back.obs["semst_domain"].notna().all()
    # And once more through the reader, as a result is opened again.
    assert_kept(read(output), made)


@few
@given(
    made=tissues(),
    suffix=st.sampled_from([".h5ad", ".zarr"]),
    output=st.sampled_from([".h5ad", ".h5ad", ".zarr"]),
)
def test_a_conversion_keeps_every_spot_in_its_place(
    tmp_path_factory, made, suffix, output
):
    folder = tmp_path_factory.mktemp("conversion")
    source = _saved(made.tissue, folder, suffix)
    assert_kept(read(source), made)
    place = convert(source, folder / f"out{output}").path
    assert_kept(read(place), made)


def test_a_table_without_most_places_is_refused_or_told(tmp_path, tissue):
    tissue.obsm["spatial"] = tissue.obsm["spatial"].copy()
    tissue.obsm["spatial"][:150] = np.nan
    del tissue.obs["array_row"]
    source = _saved(tissue, tmp_path, ".h5ad")
    with pytest.raises(InputError, match="150 of 196"):
        read(source, positions="spatial")
