"""A user's gene table: what is read, what is refused, and how spots are averaged."""

from __future__ import annotations

import gzip
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_semst.errors import SemanticsError
from napari_semst.semantics import GeneLists, source
from napari_semst.semantics.gene_table.user_table import UserTable
from napari_semst.wording import for_shell
from tests.semantics.precomputed.test_source import Alarm
from tests.small import found, short

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

SYMBOLS = np.array(["PLP1", "MBP", "NA", "SST"])
VECTORS = np.array([[1.0, 0], [0, 2], [4, 4], [8, 1]])
LISTS = GeneLists(
    np.array(["PLP1", "Mbp", "Unheard", "SST"]),
    np.array([[0, 1, 2], [3, -1, -1], [2, -1, -1]], dtype=np.int32),
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.npz"
    np.savez(path, symbols=SYMBOLS, vectors=VECTORS)
    return path


def test_known_genes_are_averaged_and_coverage_is_told(table: Path) -> None:
    made = source("table", table=table).embed_spots(LISTS)
    np.testing.assert_allclose(made.embedding[:2], [[0.5, 1], [8, 1]])
    np.testing.assert_allclose(made.embedding[2], [4.25, 1])  # the mean of the others
    np.testing.assert_allclose(made.coverage, [2 / 3, 1, 0], rtol=1e-6)
    told = made.provenance
    assert told["coverage"] == pytest.approx(5 / 9)
    assert (told["model"], told["genes"]) == ("mine.npz", 4)
    assert "1 of 3 spots" in told["warnings"][0]
    weighted = source("table", table=str(table)).embed_spots(
        LISTS, weights=np.array([[3.0, 1, 9]] * 3)
    )
    np.testing.assert_allclose(weighted.embedding[0], [0.75, 0.5])


def test_low_coverage_is_a_warning(table: Path) -> None:
    lists = GeneLists(LISTS.genes, np.array([[0, 2], [2, -1]], dtype=np.int32))
    made = source("table", table=table).embed_spots(lists)
    assert "mine.npz knows 25% of the listed genes" in made.warnings[0]


def test_other_contents_give_another_revision(table: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", symbols=SYMBOLS, vectors=VECTORS + 1)
    revisions = {
        source("table", table=path).embed_spots(LISTS).provenance["revision"]
        for path in (table, tmp_path / "b.npz", table)
    }
    assert len(revisions) == 2


def lines(separator: str, header: str = "") -> str:
    rows = [
        separator.join([name, *map(str, row)])
        for name, row in zip(SYMBOLS, VECTORS, strict=True)
    ]
    return "\n".join([header.replace(",", separator), *rows] if header else rows)


@pytest.mark.parametrize("header", ["", "symbol,0,1", ",0,1", "gene,x,y", "id,x,y"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "TSV.GZ"])
def test_tables_of_text_say_the_same(
    table: Path, tmp_path: Path, header: str, ending: str
) -> None:
    text = lines("," if ending == "csv" else "\t", header).encode()
    path = tmp_path / f"t.{ending}"
    path.write_bytes(gzip.compress(text) if ending == "TSV.GZ" else text)
    made, same = UserTable(path), UserTable(table)
    assert made.symbols.tolist() == SYMBOLS.tolist()  # also the gene called NA
    np.testing.assert_array_equal(made.vectors, same.vectors)


def test_the_column_of_symbols_may_stand_anywhere(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,Gene,b\n1,PLP1,2\n3,MBP,4\n")
    made = UserTable(tmp_path / "t.csv")
    assert made.symbols.tolist() == ["PLP1", "MBP"]
    np.testing.assert_array_equal(made.vectors, [[1, 2], [3, 4]])


def test_names_of_bytes_and_ensembl_ids_are_found(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, symbols=np.array([b"ENSG00000123560", b"MBP"]), vectors=VECTORS[:2])
    made = UserTable(path).embed_spots(LISTS)  # the id of PLP1
    np.testing.assert_allclose(made.embedding[0], [0.5, 1])


def test_genes_outside_are_those_not_named(table: Path) -> None:
    names, species = UserTable(table).genes_outside(np.array(["Plp1", "no"]), "mouse")
    assert names.tolist() == ["MBP", "NA", "SST"]
    assert species == "mouse"


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"symbols": SYMBOLS}, "vectors"),
        ({"symbols": SYMBOLS[:3], "vectors": VECTORS}, "3 symbols and 4 vectors"),
        ({"symbols": SYMBOLS[:0], "vectors": VECTORS[:0]}, "0 symbols"),
        ({"symbols": SYMBOLS, "vectors": VECTORS[:, 0]}, r"shape \(4,\)"),
        ({"symbols": SYMBOLS, "vectors": VECTORS.astype(str)}, "of type <U"),
        ({"symbols": np.arange(4), "vectors": VECTORS}, "list of texts"),
        ({"symbols": np.array([b"\xff"] * 4), "vectors": VECTORS}, "no UTF-8"),
        ({"symbols": SYMBOLS[[0, 1, 0, 1]], "vectors": VECTORS}, "2 stand there again"),
        ({"symbols": SYMBOLS, "vectors": VECTORS * np.nan}, "4 of 4 rows hold NaN"),
        ({"symbols": SYMBOLS, "vectors": VECTORS * 1e300}, "rows hold NaN"),
    ],
)
def test_what_is_no_table_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], told: str
) -> None:
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(SemanticsError, match=told):
        source("table", table=tmp_path / "t.npz")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    for name in ("t.pkl", "t.pickle", "t.npy"):
        (tmp_path / name).write_bytes(pickle.dumps(Alarm()))
        with pytest.raises(SemanticsError, match="Pickled files are refused"):
            UserTable(tmp_path / name)
    (tmp_path / "t.npz").write_bytes(pickle.dumps(Alarm()))
    with pytest.raises(SemanticsError, match="could not read them"):
        UserTable(tmp_path / "t.npz")
    objects = np.empty(4, dtype=object)
    objects[:] = [Alarm()] * 4
    np.savez(tmp_path / "o.npz", symbols=objects, vectors=VECTORS, allow_pickle=True)
    with pytest.raises(SemanticsError, match="pickled and refused"):
        UserTable(tmp_path / "o.npz")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("\n", "empty|numbers"),
        ("1,2\n3,4\n", "symbols first"),
        ("A,1,2\nB,3\n", "could not"),
        ("A,1\nB,3,4\n", "could not"),
        ("A,1,x\nB,3,4\n", "could not"),
        ("symbol,a\nA,\n", "could not"),
        ("A,nan\n", "could not"),
        ("A,inf\n", "NaN or infinity"),
        ("symbol,a\n", "could not"),
        ("symbol\nA\n", r"found shape \(1, 0\)"),
    ],
)
def test_broken_text_is_explained(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SemanticsError, match=told):
        UserTable(tmp_path / "t.csv")


def test_missing_files_and_names_are_told(tmp_path: Path, table: Path) -> None:
    for name in ("none.npz", "none.csv"):
        with pytest.raises(SemanticsError, match="does not exist"):
            UserTable(tmp_path / name)
    with pytest.raises(SemanticsError, match=r"semantics\.table") as raised:
        UserTable("")
    assert "table:FILE" in for_shell(raised.value)
    (tmp_path / "bad.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(SemanticsError, match="could not read it"):
        UserTable(tmp_path / "bad.csv.gz")
    lists = GeneLists(np.array(["Xyz"]), np.zeros((2, 1), dtype=np.int32))
    with pytest.raises(SemanticsError, match=r"knows \(PLP1, .*none of 1 .*\(Xyz\)"):
        UserTable(table).embed_spots(lists)


def test_a_run_reads_a_table(tissue: AnnData, tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    vectors = np.random.default_rng(0).normal(size=(60, 5))
    np.savez(path, symbols=tissue.var_names.to_numpy(dtype=str), vectors=vectors)
    for control in ("none", "shuffled", "random"):
        settings = {"source": "table", "table": str(path), "control": control}
        result = found(tissue, short(semantics=settings))
        assert result.provenance["semantics"]["coverage"] == 1
        assert result.provenance["semantics"]["model"] == "t.npz"
