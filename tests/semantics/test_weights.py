"""Weights of listed genes by their place in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from anndata import AnnData

from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import ConfigError
from napari_semst.explanation.semantic_contrast import listed_genes
from napari_semst.genes.table import builtin_table
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline.spot_semantics import embed_gene_lists, source_options
from napari_semst.semantics import GeneLists, Semantics

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.semantics.fake_server import FakeServer

GENES = np.array(["MBP", "PLP1", "GFAP", "NOTAGENE"])
LISTS = GeneLists(GENES, np.array([[0, 1, 2], [2, 0, -1], [3, 2, 1]], np.int32))
ALONE = GeneLists(GENES, np.arange(4, dtype=np.int32)[:, None])


def described(lists: GeneLists, **settings: Any) -> Semantics:
    request = Request().with_settings("semantics", species="human", **settings)
    config = resolve(request)
    options = source_options(AnnData(), config)
    return run_to_end(embed_gene_lists(lists, config, RunControl(), **options))


def by_rank(known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each gene in each spot, place by place."""
    shares = np.zeros((3, 4))
    for spot, row in enumerate(LISTS.indices):
        for place, gene in enumerate(row, start=1):
            if gene >= 0 and known[gene]:
                shares[spot, gene] = 1 / np.log2(1 + place)
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.fixture(params=["builtin", "table", "genes", "server"])
def settings(request: Any, tmp_path: Path) -> dict[str, Any]:
    chosen: dict[str, Any] = {"source": request.param}
    if request.param == "table":
        vectors = np.random.default_rng(0).normal(size=(3, 5))
        np.savez(tmp_path / "table.npz", symbols=GENES[:3], vectors=vectors)
        chosen["table"] = str(tmp_path / "table.npz")
    elif request.param == "genes":
        chosen["model"] = str(request.getfixturevalue("tiny_qwen"))
    elif request.param == "server":
        server: FakeServer = request.getfixturevalue("server")
        chosen |= {"url": server.url, "per": "gene"}
    return chosen


def test_genes_count_less_the_later_they_are_listed(settings: dict[str, Any]) -> None:
    known = np.array([True, True, True, settings["source"] in ("genes", "server")])
    vectors = described(ALONE, **settings).embedding
    found = described(LISTS, gene_weights="rank", **settings)
    np.testing.assert_allclose(found.embedding, by_rank(known) @ vectors, atol=2e-5)
    assert found.provenance["gene_weights"] == "rank"
    assert described(LISTS, **settings).provenance["gene_weights"] == "equal"


@pytest.mark.parametrize(
    "settings",
    [{"source": "prompts"}, {"source": "server", "url": "http://127.0.0.1:9/v1"}],
)
def test_weights_are_refused_where_a_list_is_read_as_a_whole(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError, match="averages no genes"):
        described(LISTS, gene_weights="rank", **settings)


def test_an_explanation_weighs_genes_as_the_run_did() -> None:
    listed = listed_genes(LISTS, builtin_table(), "human", "rank")
    known = np.array([True, True, True, False])
    assert listed.genes.tolist() == GENES[:3].tolist()
    np.testing.assert_allclose(listed.shares.toarray(), by_rank(known)[:, :3])
