"""Prompts for an engine elsewhere, and its vectors back, by a stand-in for it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.core.progress import run_to_end
from napari_semst.embedding.embed import embed
from napari_semst.embedding.import_vectors import join_vectors
from napari_semst.embedding.merge import merge_embedding
from napari_semst.embedding.prompts import prompt_text, text_key, write_prompts
from napari_semst.errors import ConfigError, InputError, SaveError, SemanticsError
from napari_semst.io.export.h5ad import write
from napari_semst.semantics.language_model.prompts import PAPER_TEMPLATE, Passage
from napari_semst.semantics.language_model.tokens import PromptTokenizer
from napari_semst.semantics.precomputed.file import read_embedding_file
from tests.small import named, short

if TYPE_CHECKING:
    from types import ModuleType

    from anndata import AnnData

    from napari_semst.config import Request


@pytest.fixture
def section(tissue: AnnData) -> AnnData:
    """Spots of which two list the same genes, and one lists none."""
    part = named(tissue)[:30].copy()
    counts = part.X.tolil()
    counts[7], counts[3] = counts[8], 0
    part.X = counts.tocsr()
    return part


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    path = Path(__file__).parents[2] / "recipes" / "ray_vllm.py"
    if not path.is_file():
        pytest.skip("recipes/ is not part of this installation")
    spec = importlib.util.spec_from_file_location("ray_vllm", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asking(model: Path | str = "") -> Request:
    return short(semantics={"source": "prompts", "model": str(model), "n_genes": 4})


def vector(text: str) -> list[float]:
    seed = int(text_key(text)[:8], 16)
    return np.random.default_rng(seed).normal(size=5).tolist()


def stand_in(texts: Path, target: Path) -> None:
    """Embed a file as an engine would: in another order, in several files."""
    rows = parquet.read_table(texts).to_pylist()[::-1]
    for number in range(2):
        own = rows[number::2]
        columns = {
            "key": [row["key"] for row in own],
            "embedding": [vector(row["text"]) for row in own],
        }
        parquet.write_table(pyarrow.table(columns), target / f"{number}.parquet")


def rewritten(file: Path, change: Any) -> None:
    rows = parquet.read_table(file).to_pylist()
    parquet.write_table(pyarrow.Table.from_pylist(change(rows)), file)


@pytest.fixture
def folder(section: AnnData, tmp_path: Path) -> Path:
    """Written prompts, a few in each file."""
    place = tmp_path / "prompts"
    run_to_end(write_prompts(section, asking(), place, "chatml", block=12))
    return place


def test_a_real_tokenizer_is_given_the_same_texts(tiny_qwen: Path) -> None:
    from transformers import AutoTokenizer

    class Heard:
        """A tokenizer that writes down what it is given."""

        def __init__(self, vocabulary: dict[str, int]) -> None:
            self.texts: list[str] = []
            self.get_vocab = lambda: vocabulary
            self.pad_token_id = self.eos_token_id = 0
            self.model_max_length, self.is_fast = 100, True

        def __call__(self, texts: list[str], **_: object) -> dict[str, Any]:
            self.texts += list(texts)
            return {"input_ids": [[0]] * len(texts)}

    passages = [
        PAPER_TEMPLATE.passage(("MBP", "PLP1")),
        Passage("", "MBP: ", ("a",), "."),
    ]
    held = AutoTokenizer.from_pretrained(tiny_qwen).get_vocab()
    for chat, vocabulary in (("chatml", held), ("plain", {"a": 0})):
        heard = Heard(vocabulary)
        reader = PromptTokenizer(heard, "x")
        assert reader.chat == chat
        reader(passages, with_genes=False)
        assert heard.texts == [prompt_text(one, chat) for one in passages]


def test_an_engine_with_the_same_pooling_gives_what_our_own_reading_gives(
    section: AnnData, tiny_qwen: Path, tmp_path: Path, recipe: ModuleType
) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(tiny_qwen, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)

    @torch.inference_mode()
    def engine(texts: Path, target: Path) -> None:
        rows = parquet.read_table(texts).to_pylist()
        for row in rows:
            read = tokenizer(row.pop("text"), return_tensors="pt")
            states = model(input_ids=read["input_ids"]).last_hidden_state[0]
            row["embedding"] = states.mean(dim=0).tolist()
        parquet.write_table(pyarrow.Table.from_pylist(rows), target / "all.parquet")

    source, place = tmp_path / "section.h5ad", tmp_path / "prompts"
    write(section, source)
    settings = tmp_path / "settings.toml"
    settings.write_text("[semantics]\nn_genes = 4\n[training]\ndevice = 'cpu'\n")
    given = ["prompts", "write", str(source), str(place), "--config", str(settings)]
    told = ran(*given, "--model", str(tiny_qwen), "--block", "10")
    assert told.startswith("Wrote 28 texts of 30 spots into 3 files")
    assert recipe.work(place, engine) == 3
    assert recipe.work(place, engine) == 0  # all of it is done
    recipe.write_made_by(place, {"model": "tiny", "pooling": "mean"})
    output = tmp_path / "made.npz"
    assert "30 spots x 32 dimensions, by tiny" in ran(
        "prompts", "join", str(place), "-o", str(output)
    )
    found = read_embedding_file(output)
    expected = merge_embedding([run_to_end(embed(section, asking(tiny_qwen)))])
    np.testing.assert_allclose(found.array, expected, atol=1e-5)
    assert found.spots == list(section.obs_names)
    assert (found.about["source"], found.about["model"]) == ("prompts", "tiny")
    assert (found.about["chat"], found.about["template"]) == ("chatml", "paper")
    assert found.about["warnings"][0].startswith("1 spots list no gene")


def test_a_job_that_was_cut_off_does_the_rest(folder: Path, recipe: ModuleType) -> None:
    calls = []

    def breaks(texts: Path, target: Path) -> None:
        calls.append(texts.name)
        stand_in(texts, target)
        if len(calls) == 2:
            raise RuntimeError("node lost")

    with pytest.raises(RuntimeError):
        recipe.work(folder, breaks)
    assert recipe.work(folder, breaks) == 2
    assert calls == [f"texts-0000{n}.parquet" for n in (0, 1, 1, 2)]
    found = join_vectors(folder)
    np.testing.assert_array_equal(found.embedding[7], found.embedding[8])
    others = np.delete(found.embedding, 3, axis=0)
    np.testing.assert_allclose(found.embedding[3], others.mean(axis=0), rtol=1e-5)


def test_vectors_that_do_not_belong_are_refused(
    folder: Path, recipe: ModuleType
) -> None:
    with pytest.raises(InputError, match=r"28 texts.*28 have none.*texts-00000"):
        join_vectors(folder)
    recipe.work(folder, stand_in)
    file = folder / "vectors" / "texts-00001" / "0.parquet"
    whole = file.read_bytes()

    def entry(name: str, value: object) -> Any:
        return lambda rows: [{**rows[0], name: value}, *rows[1:]]

    for change, told in (
        (lambda rows: rows[1:], r"1 have none, of texts-00001\.parquet\."),
        (lambda rows: [*rows, rows[0]], "second vector"),
        (entry("key", "0" * 32), "not in texts"),
        (entry("embedding", [1.0] * 4), "several lengths"),
        (entry("embedding", None), "several lengths"),
        (entry("embedding", [0.0] * 5), "zeros"),
        (entry("embedding", [float("nan")] * 5), "NaN"),
        (lambda rows: [{"key": r["key"], "embedding": [1.0]} for r in rows], "numbers"),
        (lambda rows: [{"key": r["key"]} for r in rows], "could|embedding"),
    ):
        rewritten(file, change)
        with pytest.raises(InputError, match=told):
            join_vectors(folder)
        file.write_bytes(whole)
    file.write_bytes(whole[:-40])
    with pytest.raises(InputError, match="Compute its texts again"):
        join_vectors(folder)
    file.write_bytes(whole)
    assert join_vectors(folder).embedding.shape == (30, 5)
    (folder / "texts-00002.parquet").unlink()
    with pytest.raises(InputError, match="copy them again"):
        join_vectors(folder)
    (folder / "spots.safetensors").unlink()
    with pytest.raises(InputError, match="write all again"):
        join_vectors(folder)


def test_normalised_vectors_are_told(folder: Path, recipe: ModuleType) -> None:
    def engine(texts: Path, target: Path) -> None:
        rows = parquet.read_table(texts).to_pylist()
        for row in rows:
            values = np.array(vector(row.pop("text")))
            row["embedding"] = (values / np.linalg.norm(values)).tolist()
        parquet.write_table(pyarrow.Table.from_pylist(rows), target / "all.parquet")

    recipe.work(folder, engine)
    assert "the engine normalised them" in join_vectors(folder).about["warnings"][-1]


def test_what_cannot_be_written_is_said_before_the_work(
    section: AnnData, tiny_qwen: Path, folder: Path, tmp_path: Path
) -> None:
    def written(request: Request, place: Path, chat: str = "auto") -> None:
        run_to_end(write_prompts(section, request, place, chat))

    with pytest.raises(SaveError, match="without prompts"):
        written(asking(), folder)
    new = tmp_path / "new"
    with pytest.raises(ConfigError, match="'chatml', 'plain'"):
        written(asking(), new, "llama")
    with pytest.raises(ConfigError, match="--chat plain"):
        written(asking("owner/model"), new)
    with pytest.raises(ConfigError, match="'builtin'"):
        written(short(), new)
    assert not new.exists()


def ran(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_engine_tells_of_itself_and_of_nothing_else(
    folder: Path, recipe: ModuleType
) -> None:
    recipe.work(folder, stand_in)
    told = {"model": "m", "dtype": "half", "source": "builtin", "control": "random"}
    recipe.write_made_by(folder, {**told, "engine": "vllm", "lists": {}})
    about = join_vectors(folder).about
    assert (about["source"], about["model"], about["dtype"]) == ("prompts", "m", "half")
    assert "control" not in about
    assert about["lists"]["n_genes"] == 4
    assert about["engine"] == {
        "name": "vllm", "source": "builtin", "control": "random", "lists": {}
    }  # fmt: skip


def test_a_tokenizer_that_brings_code_is_refused_in_words(
    section: AnnData, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "not known"}')
    (model / "tokenizer_config.json").write_text(
        '{"auto_map": {"AutoTokenizer": ["code.Mine", null]}}'
    )
    (model / "code.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(SemanticsError, match="Code that comes with a model is never"):
        run_to_end(write_prompts(section, asking(model), tmp_path / "new"))
