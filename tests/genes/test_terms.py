"""The terms that ship, and the script that writes them."""

from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_semst.errors import SemanticsError
from napari_semst.genes.table import builtin_table
from napari_semst.genes.terms import builtin_terms, read_terms

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def terms_file(tmp_path: Path, build_script: ModuleType, sources: Path) -> Path:
    for names_file, _, _ in build_script.TERM_FILES.values():
        names = {f"GO:{n}": {"name": f"set{2 * n}"} for n in range(3)}
        with gzip.open(sources / names_file, "wt") as stream:
            json.dump(names, stream)
    build_script.TERM_GENES = (3, 500)
    build_script.main(
        ["--source", str(sources), "--output", str(tmp_path / "table.npz"),
         "--terms", str(tmp_path / "terms.npz"), "--dimensions", "6"]
    )  # fmt: skip
    return tmp_path / "terms.npz"


def test_terms_refer_to_rows_of_the_gene_table() -> None:
    terms, table = builtin_terms(), builtin_table()
    assert terms.members.shape == (len(terms.names), len(table.symbols))
    sizes = np.diff(terms.members.indptr)
    assert sizes.min() >= 5
    assert sizes.max() <= 500
    term = terms.names.index("myelin sheath")
    genes = {table.symbols[row] for row in terms.members[term].indices}
    assert {"MBP", "PLP1", "CNP", "MAG"} <= genes
    assert set(terms.origins) == {
        "GO process", "GO component", "GO function", "Reactome", "WikiPathways",
        "Hallmark",
    }  # fmt: skip


def test_directions_are_unit_vectors_near_their_genes() -> None:
    terms, table = builtin_terms(), builtin_table()
    directions = terms.directions(table)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-4)
    near = directions[terms.names.index("myelination")] @ table.vectors.T
    assert near[table.symbols.index("MBP")] > np.quantile(near, 0.99)


def test_no_set_of_genes_comes_twice_and_sources_are_told() -> None:
    terms = builtin_terms()
    sets = np.split(terms.members.indices, terms.members.indptr[1:-1])
    assert len({tuple(sorted(one)) for one in sets}) == len(sets)
    assert "CC BY 4.0" in terms.provenance["attribution"]
    assert all(len(one["sha256"]) == 64 for one in terms.provenance["sources"])


def test_sets_of_one_name_are_joined(terms_file: Path) -> None:
    with terms_file.open("rb") as stream:
        terms = read_terms(stream)
    with np.load(terms_file.with_name("table.npz")) as table:
        symbols = table["symbols"].tobytes().decode().split("\n")
    term = next(
        place
        for place, pair in enumerate(zip(terms.origins, terms.names, strict=True))
        if pair == ("GO process", "set0")
    )
    genes = {symbols[row] for row in terms.members[term].indices}
    # SET0 of c5 has the first three, the annotations of GO:0 those of P4, P8 and P12.
    assert genes == {"GEN0", "GEN1", "GEN2", "GEN3", "GEN7", "GEN11"}


def test_the_same_sources_give_the_same_terms(
    terms_file: Path, tmp_path: Path, build_script: ModuleType, sources: Path
) -> None:
    again = tmp_path / "again.npz"
    build_script.main(
        ["--source", str(sources), "--output", str(tmp_path / "t.npz"),
         "--terms", str(again), "--dimensions", "6"]
    )  # fmt: skip
    assert again.read_bytes() == terms_file.read_bytes()


@pytest.mark.parametrize("content", [b"", b"no table", b"\x80\x04N."])
def test_another_file_is_refused(content: bytes) -> None:
    with pytest.raises(SemanticsError, match="table of terms"):
        read_terms(io.BytesIO(content))


def test_arrays_that_disagree_are_refused(terms_file: Path) -> None:
    with np.load(terms_file) as archive:
        arrays = dict(archive)
    damaged = io.BytesIO()
    np.savez(damaged, **{**arrays, "sizes": arrays["sizes"][:-1]})
    damaged.seek(0)
    with pytest.raises(SemanticsError, match="disagree"):
        read_terms(damaged)
