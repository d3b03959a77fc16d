"""Controls: spoilt in the one way they name, the same for a seed, and marked."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_semst.errors import Cancelled, ConfigError, SemanticsError
from napari_semst.semantics import GeneLists, SemanticSource, source, with_control
from napari_semst.semantics.base import Semantics
from napari_semst.semantics.gene_table.source import BuiltinTable
from napari_semst.semantics.negative_controls import (
    NEGATIVE_CONTROLS,
    random_genes,
    random_sentences,
    random_vectors,
    shuffled_genes,
)
from tests.semantics.server.test_source import made
from tests.small import found, named, short, walked

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.genes.table import GeneTable
    from tests.semantics.fake_server import FakeServer

NAMES = np.array([f"GEN{i}" for i in range(12)])


def some_lists(n_spots: int = 50, n_genes: int = 6) -> GeneLists:
    """Return lists of three of the first genes; the last spot lists two."""
    random = np.random.default_rng(0)
    rows = random.permuted(np.tile(np.arange(n_genes), (n_spots, 1)), axis=1)
    indices = rows[:, :3].astype(np.int32)
    indices[-1, 2] = -1
    return GeneLists(NAMES, indices)


def embedding(table: GeneTable, control: str, seed: int = 0) -> np.ndarray:
    made = with_control(BuiltinTable(table), control, seed)
    return made.embed_spots(some_lists(), species="human").embedding


def test_no_control_is_the_source_itself(tiny_table: GeneTable) -> None:
    own = BuiltinTable(tiny_table)
    assert with_control(own, "none", 0) is own


@pytest.mark.parametrize("control", NEGATIVE_CONTROLS)
def test_a_seed_gives_a_control_and_another_seed_another(
    tiny_table: GeneTable, control: str
) -> None:
    first = embedding(tiny_table, control)
    np.testing.assert_array_equal(first, embedding(tiny_table, control))
    assert not np.allclose(first, embedding(tiny_table, control, seed=1))
    assert not np.allclose(first, embedding(tiny_table, "none"))
    assert first.shape == embedding(tiny_table, "none").shape


@pytest.mark.parametrize("control", NEGATIVE_CONTROLS)
def test_a_control_is_marked(tiny_table: GeneTable, control: str) -> None:
    made = with_control(BuiltinTable(tiny_table), control, 3)
    assert isinstance(made, SemanticSource)
    assert NEGATIVE_CONTROLS[control] in made.notice  # type: ignore[attr-defined]
    told = made.embed_spots(some_lists(), species="mouse").provenance
    told = json.loads(json.dumps(told))
    assert (told["control"], told["control_seed"]) == (control, 3)
    assert told["source"] == "builtin"
    assert told["species"] == "mouse"
    assert told["warnings"][0].startswith(f"CONTROL RUN ({control})")


def test_random_vectors_have_the_mean_and_covariance_of_the_source() -> None:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(4, 4)) * [10, 1, 0.1, 0]
    values = (random.exponential(size=(40_000, 4)) @ mixing + 5).astype(np.float32)
    own = Semantics(values, np.ones(len(values), np.float32))
    fake = random_vectors(own, random)
    assert fake.dtype == np.float32
    # Of 40,000 draws a mean errs by 1/200 of the deviation, a covariance by 1/140
    # of the product of deviations: five times that is by chance nowhere.
    spread = values.std(axis=0) + 1e-6
    assert (np.abs(fake.mean(axis=0) - values.mean(axis=0)) < 5 / 200 * spread).all()
    error = np.abs(np.cov(fake.T) - np.cov(values.T))
    assert (error < 5 / 140 * np.outer(spread, spread)).all()
    # Rows have nothing to do with the source's rows.
    assert abs(np.corrcoef(fake[:, 0], values[:, 0])[0, 1]) < 0.03


def test_fewer_spots_than_dimensions_can_be_imitated() -> None:
    values = np.random.default_rng(0).normal(size=(5, 30)).astype(np.float32)
    own = Semantics(values, np.ones(5, np.float32))
    fake = random_vectors(own, np.random.default_rng(1))
    assert np.isfinite(fake).all()
    # What does not vary in the source does not vary in its likeness.
    flat = np.linalg.svd(values - values.mean(axis=0))[2][5:]
    np.testing.assert_allclose((fake - values.mean(axis=0)) @ flat.T, 0, atol=1e-5)
    with pytest.raises(Cancelled):
        random_vectors(own, np.random.default_rng(0), lambda: True)


def test_shuffling_permutes_the_listed_names_and_no_others() -> None:
    lists = some_lists()
    other = shuffled_genes(lists, np.random.default_rng(1))
    assert sorted(other.genes) == sorted(lists.genes)
    assert not np.array_equal(other.genes, lists.genes)
    np.testing.assert_array_equal(other.genes[6:], NAMES[6:])
    np.testing.assert_array_equal(other.indices, lists.indices)
    assert lists.genes is NAMES
    assert NAMES[0] == "GEN0", "the lists given were changed"


def test_shuffling_keeps_the_coverage(tiny_table: GeneTable) -> None:
    genes = np.concatenate([NAMES, [f"Gm{i}" for i in range(500)]])
    lists = GeneLists(genes, some_lists().indices)
    own = BuiltinTable(tiny_table)
    told = with_control(own, "shuffled", 0).embed_spots(lists).provenance["coverage"]
    assert told == own.embed_spots(lists).provenance["coverage"] == 1


def test_unrelated_lists_hold_other_genes_once_each(tiny_table: GeneTable) -> None:
    lists = some_lists()
    own = BuiltinTable(tiny_table)
    outside, species = own.genes_outside(NAMES[:6], "human")
    assert species == "human"
    assert set(outside) == {*NAMES[6:], "IGKC"}
    # Homologues of a listed mouse gene are listed, too.
    mouse, _ = own.genes_outside(np.array(["Gen3"]), "mouse")
    assert not {"GEN3", "GEN4"} & set(mouse)
    other = random_genes(lists, outside, np.random.default_rng(0))
    np.testing.assert_array_equal(other.listed, lists.listed)
    for spot in range(lists.n_spots):
        names = other.names(spot)
        assert len(set(names)) == len(names)
    counts = Counter(name for spot in range(50) for name in other.names(spot))
    assert set(counts) == set(outside)


def test_too_few_other_genes_are_told() -> None:
    with pytest.raises(SemanticsError, match=r"3 genes outside.*has 2.*shuffled"):
        random_genes(some_lists(), NAMES[:2], np.random.default_rng(0))


@pytest.mark.parametrize("per", ["spot", "gene"])
def test_a_server_reads_unrelated_sentences(server: FakeServer, per: str) -> None:
    lists = some_lists()
    other = with_control(made(server, per=per), "unrelated", 0)
    told = other.embed_spots(lists, species="human").provenance
    assert server.texts()
    assert not any("GEN" in text for text in server.texts())
    assert all(text.endswith(".") and " " in text for text in server.texts())
    assert told["control"] == "unrelated"
    assert "are sent to 127.0.0.1" in other.notice  # type: ignore[attr-defined]


def test_a_server_reads_permuted_names(server: FakeServer) -> None:
    lists = some_lists()
    with_control(made(server, per="gene"), "shuffled", 0).embed_spots(lists)
    assert sorted(server.texts()) == sorted(NAMES[:6])


def test_sentences_vary() -> None:
    assert random_sentences(3, 0) == random_sentences(3, 0) != random_sentences(3, 1)
    assert len(set(random_sentences(1000, 0))) > 900
    assert random_sentences(0, 0) == []


@pytest.mark.parametrize("control", ["shuffled", "unrelated"])
def test_what_reads_no_genes_has_only_the_random_control(control: str) -> None:
    array = np.random.default_rng(0).normal(size=(50, 3))
    own = source("precomputed", embedding=array)
    with pytest.raises(SemanticsError, match="Use the control 'random'"):
        with_control(own, control, 0)
    spoilt = with_control(own, "random", 0).embed_spots(some_lists())
    assert not np.allclose(spoilt.embedding, array)


def test_an_unknown_control_and_a_source_without_texts_are_refused() -> None:
    class Plain:
        name = "plain"

        def embed_spots(self, *_: Any, **__: Any) -> Semantics:
            raise AssertionError

    with pytest.raises(SemanticsError, match="'random', 'shuffled', 'unrelated'"):
        with_control(Plain(), "noise", 0)
    with pytest.raises(SemanticsError, match="'plain' is neither"):
        with_control(Plain(), "unrelated", 0)


@pytest.mark.parametrize("control", NEGATIVE_CONTROLS)
def test_a_run_with_a_control_says_so(tissue: AnnData, control: str) -> None:
    events, result = walked(named(tissue), short(semantics={"control": control}))
    assert result.provenance["semantics"]["control"] == control
    assert any(f"CONTROL RUN ({control})" in w for w in result.provenance["warnings"])
    assert any(event.message.startswith("Control:") for event in events)
    plain = found(tissue, short())
    assert not np.array_equal(plain.modulation, result.modulation)
    assert "control" not in plain.provenance["semantics"]
    again = found(tissue, short(semantics={"control": control}))
    assert again.latent.tobytes() == result.latent.tobytes()


@pytest.mark.parametrize("way", ["auto", "quick"])
def test_a_control_without_a_source_is_refused(tissue: AnnData, way: str) -> None:
    request = short(way, semantics={"control": "random", "source": "none"})
    with pytest.raises(ConfigError, match="Expected a source"):
        found(tissue, request)
