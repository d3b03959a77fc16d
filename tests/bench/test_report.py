"""Tables, figures and the page of a comparison."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_semst import BenchFile, BenchPlan, compare_methods
from napari_semst.bench import here, pictures
from napari_semst.bench.paper import DATASETS, HOSTS, Variant
from napari_semst.bench.pictures import _as_annotated, draw_figures
from napari_semst.bench.published import published_scores
from napari_semst.bench.results import Finished, tidy_results, write_results
from napari_semst.bench.store import FinishedCell
from napari_semst.bench.summary import (
    SCORES_SHOWN,
    mean_agreement,
    summary_tables,
)
from napari_semst.explore import umap
from napari_semst.report.page import page_environment
from tests.bench.cases import SHORT, Inside, saved

ALONE, WITH_FSM = Variant("stagate"), Variant("stagate", "fsm", "builtin")
SHUFFLED = WITH_FSM._replace(control="shuffled")
BOTH = ("before", "after")


def cell(ari, labels, memory=100.0, best=None):
    read = {"ari": ari, "nmi": ari, "acc": ari, "f1_macro": ari, "cpu_seconds": ari}
    record = {"readouts": {"kmeans": read}, "peak_memory_mb": memory}
    if best is not None:
        record |= {"oracle": {"ari": best, "epoch": 3}, "oracle_every": 5}
    return FinishedCell(record, {"codes_kmeans": np.array(labels)})


class Known(Finished):
    """Finished cells that no file holds."""

    def __init__(self, cells):
        self.known = cells

    def each(self):
        return self.known

    def cell(self, file, variant, seed):
        return self.known.get((file, variant, seed))


PLAN = BenchPlan(
    (BenchFile("A.h5ad", "layer", published="HBC"),),
    tables=("3",),
    figures=(),
    methods=("stagate",),
    readouts=("kmeans",),
)


def table_of(cells, **changed):
    return summary_tables(replace(PLAN, **changed), Known(cells), ["A"])


def test_a_table_has_mean_deviation_rank_and_agreement():
    (table,) = table_of(
        {
            ("A", ALONE, 0): cell(0.4, [0, 0, 1, 1], 90.0),
            ("A", ALONE, 1): cell(0.6, [1, 1, 0, 0], 120.0),
            ("A", WITH_FSM, 0): cell(0.7, [0, 0, 1, 1], best=0.9),
            ("B", WITH_FSM, 1): cell(0.1, [0, 0, 1, 1]),
        },
        oracle=5,
    )
    alone, with_fsm, shuffled = table.rows
    assert alone.mean["ari"] == pytest.approx(0.5)
    assert alone.deviation["ari"] == pytest.approx(np.std([0.4, 0.6], ddof=1))
    assert (alone.seeds, alone.rank, alone.agreement) == (2, 2, 1.0)
    assert (alone.peak_memory_mb, alone.cpu_seconds) == (120.0, 0.5)
    assert (with_fsm.seeds, with_fsm.rank, with_fsm.deviation) == (1, 1, None)
    assert (with_fsm.agreement, with_fsm.oracle_ari) == (None, 0.9)
    assert (shuffled.seeds, shuffled.rank, shuffled.mean) == (0, None, {})
    assert alone.published["ari"] == 0.4466
    assert with_fsm.published["ari"] == 0.5816
    assert shuffled.published is None


@pytest.mark.parametrize("oracle", [0, 2])
def test_a_best_epoch_that_is_not_asked_for_is_not_shown(oracle):
    cells = {("A", ALONE, 0): cell(0.4, [0, 0, 1, 1], best=0.9)}
    (table,) = table_of(cells, oracle=oracle)
    assert [row.oracle_ari for row in table.rows] == [None] * 3
    shown = tidy_results(Known(cells), ("kmeans",), oracle)
    assert shown.oracle_ari.isna().all()
    assert shown.oracle_every.tolist() == [0]
    asked = tidy_results(Known(cells), ("kmeans",), 5)
    assert (asked.oracle_ari[0], asked.oracle_every[0]) == (0.9, 5)


def test_published_figures_stand_beside_the_first_source_alone():
    own, other = (Variant("semst", "fsm", name) for name in ("builtin", "genes"))
    cells = {("A", one, 0): cell(0.4, [0, 0, 1, 1]) for one in (own, other)}
    (table,) = table_of(
        cells,
        files=(BenchFile("A.h5ad", "layer", published="MBA"),),
        tables=("2",),
        methods=("semst",),
        semantics=("builtin", "genes"),
    )
    beside = {row.variant: row.published for row in table.rows}
    assert beside[own] is not None
    assert beside[other] is None


def test_cells_without_a_readout_are_not_drawn_by_it():
    own, other = (Variant("semst", "fsm", name) for name in ("builtin", "genes"))
    cells = {("A", one, 0): cell(0.4, [0, 0, 1, 1]) for one in (own, other)}
    plan = replace(
        PLAN, tables=(), figures=("8",), methods=("semst",),
        semantics=("builtin", "genes"), readouts=("kmeans", "consensus"),
    )  # fmt: skip
    facts = {"A.h5ad": SimpleNamespace(name="A")}
    (picture,) = draw_figures(plan, facts, Known(cells))
    assert "over 0 to 1 seeds" in picture.caption
    assert draw_figures(replace(plan, readouts=("gmm",)), facts, Known(cells)) == []


@pytest.fixture
def figures(monkeypatch):
    """The figures themselves in place of the pictures made of them."""
    drawn = []
    monkeypatch.setattr(pictures, "_picture", lambda figure, text: drawn.append(figure))
    return drawn


def test_sources_of_semantics_are_told_by_the_names_of_their_files(figures):
    sources = ("builtin", "table:/a/long/way/to/made.csv", "genes:owner/model")
    cells = {
        ("A", Variant("semst", "fsm", name), seed): cell(0.1 * place - 0.05, [0, 1])
        for place, name in enumerate(sources)
        for seed in (0, 1)
    }
    plan = replace(
        PLAN, tables=(), figures=("8",), methods=("semst",), semantics=sources
    )
    draw_figures(plan, {"A.h5ad": SimpleNamespace(name="A")}, Known(cells))
    (axes,) = figures[0].axes
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == ["builtin", "table: made.csv", "genes: model"]
    assert axes.get_ylabel() == "Score"
    # A score below 0 is not cut off.
    assert axes.get_ylim()[0] < -0.05
    names = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert names == ["ARI", "NMI", "ACC", "F1"]


@pytest.mark.parametrize("tall", [False, True])
def test_sections_before_and_after_modulation_have_names_and_no_empty_paper(
    figures, tall
):
    places = np.array([[0.0, 0], [100, 0], [0, 10], [100, 10]])
    arrays = {f"modulation_{when}": np.array([0, 0, 1, 1]) for when in BOTH}
    semst = Variant("semst", "fsm", "builtin")
    cells = {("A", semst, 0): FinishedCell({}, arrays)}
    plan = replace(PLAN, tables=(), figures=("7",), methods=("semst",))
    facts = SimpleNamespace(
        name="A",
        places=places[:, ::-1] if tall else places,
        codes=np.array([0, 0, 1, -1], np.int32),
        classes=("$L_1$", "white matter"),
    )
    draw_figures(plan, {"A.h5ad": facts}, Known(cells))
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [*facts.classes]
    assert not any(text.get_parse_math() for text in legend.get_texts())
    height = figures[0].get_size_inches()[1]
    assert height > 5 if tall else height < 2


def test_what_is_not_known_yet_is_no_empty_place_in_a_table():
    """One variant of three is finished, once: no rank, agreement or score of others."""
    tables = table_of({("A", ALONE, 0): cell(0.4, [0, 0, 1, 1])})
    text = (
        page_environment("napari_semst.bench")
        .get_template("bench.html")
        .render(
            plan=PLAN, cells=6, cells_finished=1, written="", warnings=(), files=(),
            tables=tables, scores=SCORES_SHOWN, compares={"table 3": "Hosts."},
            pictures=(), failed=(), versions=(), plan_text="", settings=(),
        )
    )  # fmt: skip
    rows = text.split("<tbody>")[-1].split("</tbody>")[0].split("<tr>")[1:]
    dash = "<td class='number none'>\N{EN DASH}</td>"
    assert [row.count(dash) for row in rows] == [1, 8, 10]
    assert "None" not in text
    assert "CPU (s)" in text
    assert "Memory (MB)" in text


def test_cells_are_counted_by_the_readouts_that_are_wanted():
    found = Known({})
    found.by_key = {"a": cell(0.4, [0, 1])}
    assert found.count(["kmeans"]) == 1
    assert found.count(["kmeans", "consensus"]) == 0


def test_a_spreadsheet_runs_no_name_of_a_file(tmp_path):
    table = pd.DataFrame({"file": ["=1+1"], "ari": [0.5]})
    write_results(table, tmp_path)
    assert (tmp_path / "results.csv").read_text().splitlines()[1] == "'=1+1,0.5"
    assert pd.read_parquet(tmp_path / "results.parquet").file[0] == "=1+1"


def test_a_table_without_a_finished_cell_is_left_out():
    assert table_of({}) == []


def test_seeds_that_differ_agree_less():
    labels = [np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])]
    assert mean_agreement(labels) < 0.1
    assert mean_agreement([*labels, labels[0]]) > mean_agreement(labels)


def test_published_figures_are_those_of_the_paper():
    best = Variant("semst", "fsm", "builtin")
    assert published_scores("table 1", "MVC", best) == {
        "ari": 0.6427, "nmi": 0.7060, "acc": 0.8070, "f1": 0.7991,
    }  # fmt: skip
    assert published_scores("table 2", "MBA", Variant("semst"))["ari"] == 0.4483
    staig = Variant("staig", "fsm", "builtin")
    assert published_scores("table 3", "MBA", staig)["ari"] == 0.3633
    assert published_scores("table 3", "HBC", staig) is None
    joined = Variant("dusted", "addition", "builtin")
    assert published_scores("table 5", "HBC", joined)["nmi"] == 0.6336
    assert published_scores("table 1", "MVC", best._replace(n_genes=30)) is None
    for dataset in DATASETS:
        assert all(published_scores("table 1", dataset, Variant(h)) for h in HOSTS)


def test_domains_take_the_numbers_of_the_annotation():
    truth = np.array([0, 0, 1, 1, -1], np.int32)
    codes, ari = _as_annotated(np.array([5, 5, 2, 2, 7]), truth)
    assert codes.tolist() == [0, 0, 1, 1, 2]
    assert ari == 1.0


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.pictures = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))

    def handle_data(self, data):
        self.words.append(data.strip())


def test_the_page_has_tables_figures_and_the_configuration(
    tissue, tmp_path, monkeypatch
):
    monkeypatch.setattr(here, "CellProcess", Inside)
    # UMAP compiles for seconds; tests/explore has it.
    monkeypatch.setattr(umap, "plane_of", lambda vectors, seed: vectors[:, :2])
    monkeypatch.setattr("napari_semst.bench.layout.GENES_OF_A_SPOT", (5, 20))
    Inside.began = []
    name = "<b>A</b> & co"
    plan = BenchPlan(
        (BenchFile(str(saved(tissue, tmp_path)), "ground_truth", name, 0, "MVC"),),
        tables=("1",),
        figures=("3", "4", "6", "7", "8"),
        methods=("semst",),
        controls=("none", "shuffled"),
        seeds=1,
        readouts=("kmeans",),
        settings=SHORT,
    )
    result = compare_methods(plan, tmp_path / "out")
    place = tmp_path / "out" / "report.html"
    assert place in result.written
    text = place.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.words.count("Table 1") == 1
    assert page.words.count(f"{name}, readout kmeans") == 1
    captions = [picture["alt"].split(",")[0] for picture in page.pictures]
    # Of one source alone there is nothing to compare in figure 8.
    assert captions == ["Figure 3", "Figure 4", "Figure 6", "Figure 7"]
    assert all(p["src"].startswith("data:image/png;base64,") for p in page.pictures)
    assert "0.643" in page.words
    assert any(word.startswith("Published of MVC") for word in page.words)
    assert "Oracle ARI" not in page.words
    assert any("One seed" in word for word in page.words)
    assert str(tmp_path / "A.h5ad") in text
    assert result.table.settings_hash[0] in page.words
