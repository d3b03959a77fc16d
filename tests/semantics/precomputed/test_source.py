"""Embeddings computed elsewhere: what is taken and what is refused."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_semst.errors import Cancelled, SemanticsError
from napari_semst.semantics import GeneLists, source
from napari_semst.semantics.precomputed.file import FILE_FORMAT, names_as_bytes
from napari_semst.semantics.precomputed.source import Precomputed

if TYPE_CHECKING:
    from pathlib import Path

THREE_SPOTS = GeneLists(np.array(["A"]), np.zeros((3, 1), dtype=np.int32))
ARRAY = np.arange(6, dtype=np.float64).reshape(3, 2)


def embed(embedding: object) -> np.ndarray:
    made = source("precomputed", embedding=embedding)
    return made.embed_spots(THREE_SPOTS).embedding


def test_an_array_comes_back_as_it_is() -> None:
    found = source("precomputed", embedding=ARRAY).embed_spots(THREE_SPOTS)
    np.testing.assert_array_equal(found.embedding, ARRAY)
    assert found.embedding.dtype == np.float32
    assert json.loads(json.dumps(found.provenance))["coverage"] is None


def test_npy_and_npz_files_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", ARRAY)
    np.savez(tmp_path / "one.npz", only=ARRAY)
    np.savez(tmp_path / "two.npz", first=ARRAY, second=ARRAY + 1)
    np.testing.assert_array_equal(embed(tmp_path / "one.npy"), ARRAY)
    np.testing.assert_array_equal(embed(str(tmp_path / "one.npz")), ARRAY)
    with pytest.raises(SemanticsError, match=r"first, second\. Save the embedding"):
        embed(tmp_path / "two.npz")


def test_a_path_may_begin_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    np.save(tmp_path / "one.npy", ARRAY)
    np.testing.assert_array_equal(embed("~/one.npy"), ARRAY)
    with pytest.raises(SemanticsError, match="does not exist"):
        embed("~nobody-of-that-name/one.npy")


@pytest.mark.parametrize(
    "text",
    ["0,1\n2,3\n4,5\n", "x,y\n0,1\n2,3\n4,5\n", "spot,0,1\na,0,1\nb,2,3\nc,4,5\n"],
)
def test_tables_of_text_are_read_row_by_row(tmp_path: Path, text: str) -> None:
    for ending, separator in (("csv", ","), ("tsv", "\t")):
        path = tmp_path / f"one.{ending}"
        path.write_text(text.replace(",", separator))
        np.testing.assert_array_equal(embed(path), ARRAY)


def test_rows_with_names_are_brought_into_the_order_of_the_spots(
    tmp_path: Path,
) -> None:
    path = tmp_path / "one.csv"
    path.write_text("barcode,0,1\nc,4,5\nextra,9,9\na,0,1\nb,2,3\n")
    found = source("precomputed", embedding=path, spots=["a", "b", "c"])
    np.testing.assert_array_equal(found.embed_spots(THREE_SPOTS).embedding, ARRAY)
    with pytest.raises(SemanticsError, match=r"row for each of 2 spots.*instance z"):
        Precomputed(path, spots=["a", "z"])
    path.write_text("barcode,0\na,1\na,2\nb,3\n")
    with pytest.raises(SemanticsError, match="1 of 3 rows repeat a name"):
        Precomputed(path, spots=["a", "b"])


def written(folder: Path, ending: str, about: object) -> Path:
    """Write what `semst embed` writes, with spots a, b and c."""
    path, array = folder / f"made.{ending}", ARRAY.astype(np.float32)
    text = about if isinstance(about, str) else json.dumps(about)
    spots = names_as_bytes(["a", "b", "c"])
    if ending == "npz":
        told = np.frombuffer(text.encode(), np.uint8)
        np.savez(path, embedding=array, spots=spots, provenance=told)
    else:
        metadata = {"kind": FILE_FORMAT, "provenance": text}
        save_file({"embedding": array, "spots": spots}, path, metadata)
    return path


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_files_that_say_whose_they_are_and_how_they_were_made(
    tmp_path: Path, ending: str
) -> None:
    about = {
        "source": "prompts",
        "model": "tiny\x1b[2J",
        "reading": {"texts": 3},
        "warnings": ["Mind\nthe gap."],
        "control": "random",
    }
    path = written(tmp_path, ending, about)
    found = Precomputed(path, spots=["c", "a", "b"]).embed_spots(THREE_SPOTS)
    np.testing.assert_array_equal(found.embedding, ARRAY[[2, 0, 1]])
    assert found.provenance["computed_by"] == {
        "source": "prompts",
        "model": "tiny [2J",  # nothing that a terminal obeys
        "reading": {"texts": 3},
        "control": "random",
    }
    assert found.provenance["control"] == "random"
    assert found.warnings == ("Mind the gap.",)
    np.testing.assert_array_equal(embed(path), ARRAY)


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize(
    "about", ["no json", "[1]", "[" * 5000, {"a": "x" * 1_000_001}, '"text"']
)
def test_records_that_are_none_are_refused(
    tmp_path: Path, ending: str, about: object
) -> None:
    with pytest.raises(SemanticsError, match="Expected a record"):
        embed(written(tmp_path, ending, about))


def test_names_of_another_number_of_spots_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.npz"
    for spots in (names_as_bytes(["a", "b"]), np.zeros(3), np.array([255], np.uint8)):
        np.savez(path, embedding=ARRAY, spots=spots, provenance=names_as_bytes(["{}"]))
        with pytest.raises(SemanticsError, match="names of 3 spots"):
            embed(path)


def test_the_published_embeddings_are_read_by_the_order_of_spots(
    tmp_path: Path,
) -> None:
    """Shape, type and file of what the authors offer: spots x 2,560 in a .npy file."""
    values = np.random.default_rng(0).normal(size=(3, 2560)).astype(np.float16)
    np.save(tmp_path / "llm.npy", values)
    np.testing.assert_array_equal(embed(tmp_path / "llm.npy"), values)
    np.save(tmp_path / "llm.npy", values[:2])
    with pytest.raises(SemanticsError, match=r"Expected 3 rows.*found 2"):
        embed(tmp_path / "llm.npy")


def whole(tmp_path: Path) -> bytes:
    np.savez_compressed(tmp_path / "whole.npz", only=np.arange(3000.0).reshape(3, -1))
    return (tmp_path / "whole.npz").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_an_npz_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    content = whole(tmp_path)
    (tmp_path / "bad.npz").write_bytes(content[: int(share * len(content))])
    with pytest.raises(SemanticsError, match=r"could not read it.*copy it again"):
        embed(tmp_path / "bad.npz")


@pytest.mark.parametrize("place", range(0, 100, 3))
def test_a_damaged_npz_is_refused_or_read_right(tmp_path: Path, place: int) -> None:
    content = bytearray(whole(tmp_path))
    for byte in range(len(content) * place // 100, len(content) * place // 100 + 8):
        content[min(byte, len(content) - 1)] ^= 0xFF
    (tmp_path / "bad.npz").write_bytes(content)
    try:
        found = embed(tmp_path / "bad.npz")
    except SemanticsError as error:
        assert "bad.npz" in str(error)  # noqa: PT017 - both endings are right
    else:  # the damage hit what nobody reads
        np.testing.assert_array_equal(found.ravel(), np.arange(3000.0))


def test_other_contents_give_another_revision() -> None:
    revisions = {
        source("precomputed", embedding=array)
        .embed_spots(THREE_SPOTS)
        .provenance["revision"]
        for array in (ARRAY, ARRAY + 1, ARRAY.copy())
    }
    assert len(revisions) == 2


def test_the_label_is_recorded_as_origin(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", ARRAY)
    for made, told in (
        (Precomputed(ARRAY, label="X_llm"), "X_llm"),
        (Precomputed(ARRAY), "array"),
        (Precomputed(tmp_path / "one.npy"), "one.npy"),
    ):
        assert made.embed_spots(THREE_SPOTS).provenance["model"] == told


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (ARRAY[:2], "Expected 3 rows.*found 2"),
        (ARRAY[:, 0], r"found shape \(3,\)"),
        (ARRAY[:, :0], r"found shape \(3, 0\)"),
        (np.where(ARRAY == 2, np.nan, ARRAY), "1 of 3 rows hold NaN"),
        (ARRAY.astype(str), "Expected numbers"),
        (ARRAY.astype(object), "Expected numbers"),
    ],
)
def test_what_does_not_fit_is_explained(array: np.ndarray, told: str) -> None:
    with pytest.raises(SemanticsError, match=told):
        embed(array)


def test_numbers_beyond_float32_are_refused_without_a_warning() -> None:
    with pytest.raises(SemanticsError, match="1 of 3 rows"):
        embed(np.where(ARRAY == 2, 1e300, ARRAY))


class Alarm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    content = pickle.dumps(Alarm())
    for name, told in (("a.pkl", "Pickled files are refused"), ("a.npy", "read it")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SemanticsError, match=told):
            embed(tmp_path / name)
    objects = np.empty(3, dtype=object)
    objects[:] = [Alarm()] * 3
    np.save(tmp_path / "b.npy", objects, allow_pickle=True)
    with pytest.raises(SemanticsError, match="read it"):
        embed(tmp_path / "b.npy")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SemanticsError, match=r"none\.npy does not exist"):
        embed(tmp_path / "none.npy")


def test_cancelling_is_heard() -> None:
    with pytest.raises(Cancelled):
        Precomputed(ARRAY).embed_spots(THREE_SPOTS, cancelled=lambda: True)


def test_an_embedding_of_zeros_is_refused() -> None:
    with pytest.raises(SemanticsError, match="all numbers are zero"):
        embed(np.zeros((3, 2)))
