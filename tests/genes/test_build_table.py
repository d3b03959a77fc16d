"""The script that builds the gene table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_semst.errors import SemanticsError
from napari_semst.genes.table import GeneTable, read_table

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def test_same_sources_give_the_same_bytes(
    tmp_path: Path, build_script: ModuleType, sources: Path, table_file: Path
) -> None:
    again = tmp_path / "again.npz"
    build_script.main(
        ["--source", str(sources), "--output", str(again), "--dimensions", "6"]
    )
    assert again.read_bytes() == table_file.read_bytes()


def test_rows_are_the_coding_and_immunoglobulin_genes(tiny_table: GeneTable) -> None:
    assert set(tiny_table.symbols) == {*(f"GEN{i}" for i in range(12)), "IGKC"}
    assert list(tiny_table.symbols) == sorted(tiny_table.symbols)


def test_rows_are_unit_vectors_after_eight_bits(tiny_table: GeneTable) -> None:
    norms = np.linalg.norm(tiny_table.vectors, axis=1)
    np.testing.assert_allclose(norms, 1, atol=0.01)


def test_eight_bits_lose_at_most_half_a_step(build_script: ModuleType) -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8))
    vectors[7] = 0
    stored, scale = build_script.quantise(vectors)
    error = np.abs(stored * scale[:, None].astype(np.float64) - vectors)
    assert (error <= scale[:, None] * 0.5001).all()


def test_terms_outside_the_size_limits_are_left_out(build_script: ModuleType) -> None:
    terms = {"pair": {0, 1}, "triple": {0, 1, 2}, "most": set(range(9)), "none": set()}
    block = build_script.weighted_block(terms, 20)
    assert block.shape == (20, 1)
    np.testing.assert_allclose(block.toarray()[:4, 0], [1, 1, 1, 0])


def test_rare_terms_weigh_more_than_common_ones(build_script: ModuleType) -> None:
    terms = {"a": {0, 1, 2}, "b": {0, 3, 4, 5, 6, 7}}
    row = build_script.weighted_block(terms, 20).toarray()[0]
    np.testing.assert_allclose(row[0] / row[1], np.log(20 / 3) / np.log(20 / 6))
    np.testing.assert_allclose(np.linalg.norm(row), 1)


def test_decomposition_keeps_the_angles_of_full_rank(build_script: ModuleType) -> None:
    from scipy import sparse

    dense = np.random.default_rng(1).random((9, 6))
    reduced = build_script.reduce(sparse.csr_matrix(dense), 5)
    left, values, _ = np.linalg.svd(dense, full_matrices=False)
    scores = (left * values)[:, :5]
    scores -= scores.mean(axis=0)
    scores /= np.linalg.norm(scores, axis=1, keepdims=True)
    np.testing.assert_allclose(reduced @ reduced.T, scores @ scores.T, atol=1e-9)


def test_ambiguous_aliases_and_approved_symbols_are_no_aliases(
    tiny_table: GeneTable,
) -> None:
    assert "SHARED" not in tiny_table.aliases  # of GEN0 and GEN1
    assert "NONCOD" not in tiny_table.aliases  # approved for another gene
    assert "OLDP" not in tiny_table.previous  # of a pseudogene
    assert "ALI3" not in tiny_table.aliases  # previous of a gene without a row
    assert tiny_table.symbols[tiny_table.previous["OLD1"]] == "GEN1"
    assert tiny_table.symbols[tiny_table.aliases["ALI7"]] == "GEN7"


def test_a_previous_symbol_goes_before_an_alias(build_script: ModuleType) -> None:
    records = [
        {"symbol": "A", "prev_symbol": "", "alias_symbol": "X"},
        {"symbol": "B", "prev_symbol": "x", "alias_symbol": ""},
    ]
    assert build_script.alias_map(records, {"A": 0, "B": 1}) == {"X": 1}


def test_old_symbols_in_gene_sets_are_brought_up_to_date(
    build_script: ModuleType, sources: Path
) -> None:
    file = sources / build_script.GMT_FILES["signatures"][0]
    terms = build_script.gmt_terms(file, {"OLD1": 1, "OLD2": 2, "OLD3": 3})
    assert terms[f"{file.name}:OLDSET"] == {1, 2, 3}


def test_mouse_genes_point_to_all_homologues(tiny_table: GeneTable) -> None:
    found = {
        mouse: {tiny_table.symbols[row] for row in rows}
        for mouse, rows in tiny_table.mouse.items()
    }
    known = {"Gen3": {"GEN3", "GEN4"}, "Odd": {"GEN5"}, "Odder": {"GEN5"}}
    alone: dict[str, set[str]] = {name: set() for name in ("Alone", "Ali6", "Old8")}
    assert found == {**known, "Gen7": {"GEN7"}, "New9": {"GEN9"}, **alone}


def test_names_are_made_anew_and_vectors_kept(
    tmp_path: Path, build_script: ModuleType, sources: Path, table_file: Path
) -> None:
    with np.load(table_file) as archive:
        old = {**archive, "alias_symbols": archive["alias_symbols"][:0]}
    np.savez(tmp_path / "old.npz", **old)
    given = ["--vectors", str(tmp_path / "old.npz")]
    again = tmp_path / "again.npz"
    build_script.main(["--source", str(sources), "--output", str(again), *given])
    assert again.read_bytes() == table_file.read_bytes()


def test_provenance_names_sources_and_no_clock(
    tiny_table: GeneTable, build_script: ModuleType
) -> None:
    about = tiny_table.provenance
    assert about["versions"]["HGNC"] == "2024-01-15"
    assert about["revision"] == build_script.GO_RELEASE
    assert "CC BY 4.0" in about["attribution"]
    assert len(about["sources"]) == 12
    assert {entry["licence"] for entry in about["sources"]} == {"CC0", "CC BY 4.0"}
    assert all(len(entry["sha256"]) == 64 for entry in about["sources"])


def test_no_array_is_pickled(table_file: Path) -> None:
    with np.load(table_file, allow_pickle=False) as archive:
        kinds = {archive[name].dtype.kind for name in archive.files}
    assert kinds <= set("iuf")


@pytest.mark.parametrize("content", [b"", b"not a table", b"\x80\x04N."])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.npz"
    path.write_bytes(content)
    with pytest.raises(SemanticsError, match="Expected a gene table"):
        read_table(path)


@pytest.mark.parametrize("place", range(0, 100, 5))
def test_a_damaged_table_is_refused_or_read_right(
    table_file: Path, tmp_path: Path, place: int
) -> None:
    content = bytearray(table_file.read_bytes())
    start = len(content) * place // 100
    content[start : start + 8] = b"\xff" * len(content[start : start + 8])
    path = tmp_path / "table.npz"
    path.write_bytes(content)
    try:
        found = read_table(path)
    except SemanticsError as error:
        assert "Build one with" in str(error)  # noqa: PT017 - both endings are right
    else:  # the damage hit what nobody reads
        assert found.symbols == read_table(table_file).symbols


def test_arrays_that_disagree_and_a_single_array_are_refused(
    table_file: Path, tmp_path: Path
) -> None:
    with np.load(table_file) as archive:
        arrays = dict(archive)
    path = tmp_path / "table.npz"
    np.savez(path, **{**arrays, "alias_rows": arrays["alias_rows"][:-1]})
    with pytest.raises(SemanticsError, match="Expected a gene table"):
        read_table(path)
    np.save(tmp_path / "table.npy", arrays["scale"])
    with pytest.raises(SemanticsError, match="Expected a gene table"):
        read_table(tmp_path / "table.npy")


def test_a_table_without_a_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    np.savez(path, vectors=np.zeros((2, 3), dtype=np.int8))
    with pytest.raises(SemanticsError, match="scale"):
        read_table(path)
