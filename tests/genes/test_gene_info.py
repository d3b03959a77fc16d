"""What is told of genes in words: that which ships, and the script that writes it."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from anndata import AnnData

from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import SemanticsError
from napari_semst.genes.gene_info import builtin_knowledge, read_knowledge
from napari_semst.genes.table import read_table
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline.spot_semantics import embed_gene_lists, source_options
from napari_semst.semantics import GeneLists
from napari_semst.semantics.language_model.gene_texts import gene_passages, known_texts

if TYPE_CHECKING:
    from types import ModuleType

    from napari_semst.genes.gene_info import GeneKnowledge
    from napari_semst.genes.gene_names import Species
    from napari_semst.genes.table import GeneTable
    from tests.semantics.fake_server import FakeServer

# Of 13 proteins: which GO terms each has (P00001 is GEN0, P00013 is IGKC).
TERMS = {
    "BP": {"GO:1": ("wide", range(1, 14)), "GO:2": ("b of four", range(1, 5))},
    "CC": {"GO:3": ("a of four", range(1, 5)), "GO:4": ("of two", (1, 2))},
    "MF": {
        "GO:5": ("obsolete word", (1, 2, 3)),
        "GO:6": ("of three", (1, 2, 13)),
        "GO:7": (None, (1, 2, 3)),  # annotated, but not among the terms
    },
}


@pytest.fixture
def texts_script(build_script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "build_gene_table", build_script)
    path = Path(build_script.__file__ or "").with_name("build_gene_texts.py")
    spec = importlib.util.spec_from_file_location("build_gene_texts", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    # In 13 genes a twentieth is less than one.
    monkeypatch.setattr(script, "LARGEST_SHARE", 1.0)
    return script


@pytest.fixture
def words(tmp_path: Path, build_script: ModuleType, sources: Path) -> Path:
    """The raw files, with annotations of which one knows what is rare."""
    folder = shutil.copytree(sources, tmp_path / "raw")
    for (names_file, direct, _), terms in zip(
        build_script.TERM_FILES.values(), TERMS.values(), strict=True
    ):
        names = {key: {"name": name} for key, (name, _) in terms.items() if name}
        of_protein = {
            f"P{i:05d}": [key for key, (_, those) in terms.items() if i in those]
            for i in range(1, 14)
        }
        for file, content in ((names_file, names), (direct, of_protein)):
            with gzip.open(folder / file, "wt", encoding="utf-8") as stream:
                json.dump(content, stream)
    return folder


@pytest.fixture
def written(texts_script: Any, words: Path, table_file: Path) -> Path:
    output = words.parent / "texts.npz"
    texts_script.main(
        ["--source", str(words), "--table", str(table_file), "--output", str(output)]
    )
    return output


@pytest.fixture
def tiny(written: Path, tiny_table: GeneTable) -> GeneKnowledge:
    with written.open("rb") as stream:
        return read_knowledge(stream, tiny_table)


def _text(gene: str, species: Species = "human", **summaries: str) -> str:
    told = gene_passages([gene], species, summaries, builtin_knowledge())
    return told.passages[0].user


def test_a_gene_is_told_by_name_group_and_rarest_terms() -> None:
    text = _text("GFAP")
    begin = "GFAP: glial fibrillary acidic protein. Group: Intermediate filaments Type"
    assert text.startswith(f"{begin} III. Functions: Schwann cell proliferation; ")
    assert "astrocyte end-foot" in text
    assert text.endswith(".")
    assert text.count(";") == 7
    assert "Group:" not in _text("MBP")  # which is in none


def test_genes_are_found_as_in_the_table_and_keep_their_symbols() -> None:
    about = _text("MBP").removeprefix("MBP")
    assert _text("Mbp", "mouse") == f"Mbp{about}"
    assert _text("ENSG00000197971") == f"ENSG00000197971{about}"
    assert _text("FAM46C").startswith("FAM46C: terminal nucleotidyltransferase 5C.")
    # Two human homologues, told together; what both have stands once.
    both = _text("Hba-a1", "mouse")
    assert "hemoglobin subunit alpha 1 / hemoglobin subunit alpha 2. " in both
    assert both.count("oxygen transport") == 1
    # A mouse symbol without homologue, and a placeholder.
    assert _text("Gm1234", "mouse") == "Gm1234"


def test_a_summary_stands_for_the_functions() -> None:
    text = _text("GFAP", GFAP="Marks astrocytes.")
    assert text.endswith("filaments Type III. Marks astrocytes.")
    assert "Functions" not in text
    # By the approved symbol, where the section has an old one or a mouse gene's.
    assert _text("FAM46C", TENT5C="Known.").endswith(" Known.")
    assert _text("Hba-a1", "mouse", HBA2="Known.").endswith(" Known.")
    assert _text("Gm1234", "mouse", GM1234="Known.") == "Gm1234: Known."


def test_every_gene_of_the_table_has_a_name_and_texts_stay_short() -> None:
    knowledge = builtin_knowledge()
    told = gene_passages(knowledge.table.symbols, "human", {}, knowledge)
    assert told.known.all()
    assert not told.summarised.any()
    assert all(knowledge.names)
    assert max(len(passage.user) for passage in told.passages) < 1000


def test_lists_of_one_gene_have_the_same_texts() -> None:
    names = np.array(["Gfap", "Gm1234", "Mbp"])
    lists = GeneLists(names, np.array([[2], [1]], dtype=np.int32))
    assert known_texts(lists, "mouse") == [_text("Mbp", "mouse"), "Gm1234"]


def test_the_rarest_terms_of_at_least_three_genes_are_kept(
    tiny: GeneKnowledge, texts_script: Any, words: Path
) -> None:
    def functions(gene: str) -> str:
        return tiny.sentences(tiny.rows(gene, "human")).partition("Functions: ")[2]

    assert functions("GEN0") == "of three; a of four; b of four; wide."
    assert functions("GEN3") == "a of four; b of four; wide."
    assert functions("IGKC") == "of three; wide."
    records = texts_script.read_tab_separated(words / texts_script.HGNC_FILE)[:13]
    names, numbers = texts_script.rarest_terms(words, records, 2, 1.0, 2)
    assert [names[number] for number in numbers[0]] == ["of two", "of three"]
    assert len(numbers[5]) == 1
    # Ten of 13 genes are too many.
    names, _ = texts_script.rarest_terms(words, records, 3, 0.5, 8)
    assert names == ["of three", "a of four", "b of four"]


def test_terms_that_tell_nothing_apart_do_not_ship() -> None:
    common = {"protein binding", "extracellular space", "cytosol", "plasma membrane"}
    assert not common & set(builtin_knowledge().terms.words)


def test_homologues_are_told_together(tiny: GeneKnowledge) -> None:
    text = tiny.sentences(tiny.rows("Gen3", "mouse"))  # GEN3 and GEN4
    assert text == (
        "kinase family member 3 / channel family member 4. "
        "Group: Even ones; Odd ones. Functions: a of four; b of four; wide."
    )


def test_the_same_sources_give_the_same_bytes(
    texts_script: Any, words: Path, table_file: Path, written: Path
) -> None:
    again = words.parent / "again.npz"
    texts_script.write(texts_script.build(words, table_file), again)
    assert again.read_bytes() == written.read_bytes()
    with np.load(again, allow_pickle=False) as archive:
        assert {archive[name].dtype.kind for name in archive.files} == {"u"}


def test_sources_and_licences_are_told(tiny: GeneKnowledge) -> None:
    assert {one["licence"] for one in tiny.provenance["sources"]} == {
        "CC0",
        "CC BY 4.0",
    }
    assert "CC BY 4.0" in builtin_knowledge().attribution
    made = tiny.provenance["revision"]
    assert tiny.version == f"knowledge, wording 2, {made}, names 4"


def test_texts_of_another_table_are_refused(written: Path) -> None:
    with (
        written.open("rb") as stream,
        pytest.raises(SemanticsError, match=r"another table.*build_gene_texts"),
    ):
        read_knowledge(stream, builtin_knowledge().table)


@pytest.mark.parametrize("content", [b"", b"no texts", b"\x80\x04N."])
def test_another_file_is_refused(content: bytes, tiny_table: GeneTable) -> None:
    with pytest.raises(SemanticsError, match="Expected texts of the table's genes"):
        read_knowledge(io.BytesIO(content), tiny_table)


@pytest.mark.parametrize("field", ["names", "group_counts", "term_numbers"])
def test_arrays_that_disagree_are_refused(
    field: str, written: Path, table_file: Path
) -> None:
    with np.load(written) as archive:
        arrays = dict(archive)
    if field == "term_numbers":
        arrays[field][0] = 999
    elif field == "names":
        arrays[field] = np.frombuffer(b"one\ntwo", dtype=np.uint8)
    else:
        arrays[field] = arrays[field][:-1]
    content = io.BytesIO()
    np.savez(content, **arrays)
    content.seek(0)
    with pytest.raises(SemanticsError, match="disagree"):
        read_knowledge(content, read_table(table_file))


@pytest.mark.parametrize("gene_text", ["knowledge", "symbol"])
def test_a_run_s_server_is_sent_the_same_texts(
    server: FakeServer, gene_text: str
) -> None:
    request = Request().with_settings(
        "semantics",
        source="server",
        url=server.url,
        per="gene",
        gene_text=gene_text,
        species="mouse",
    )
    config = resolve(request)
    lists = GeneLists(np.array(["Mbp", "Gm1234"]), np.array([[0, 1]], np.int32))
    options = source_options(AnnData(), config)
    run_to_end(embed_gene_lists(lists, config, RunControl(), **options))
    known = _text("Mbp", "mouse") if gene_text == "knowledge" else "Mbp"
    assert sorted(server.texts()) == ["Gm1234", known]
