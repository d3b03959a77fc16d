"""What the dock says of sections and runs, and of what gave genes their meaning."""

from __future__ import annotations

import pytest

from napari_semst.io.notes import warn
from napari_semst.io.read import read
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.fields import section_columns
from napari_semst.widgets.find.summary import (
    MeaningFacts,
    device_line,
    format_duration,
    meaning_line,
    meaning_rows,
    section_status,
)
from napari_semst.widgets.shared.sections import NO_SECTION
from tests.io.places.grounds import cells, table, tissue_of
from tests.semantics.fake_server import Reply
from tests.widgets.docks import add, run_to_end
from tests.widgets.stand_in import small_tissue


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (42.4, "42 s"), (180, "3 min"), (185, "3 min 5 s")],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


def test_device_line():
    said = {"device": {"name": "cpu", "reason": "Torch finds no CUDA GPU."}}
    assert device_line(said) == "Used the CPU. Torch finds no CUDA GPU."
    assert device_line({}) == ""


def test_what_was_noticed_while_reading_is_said(tissue):
    assert section_status(None)[1] == NO_SECTION
    assert section_status(tissue)[0] == "ready"
    warn(tissue, "3 spots have no counts.")
    kind, _, text = section_status(tissue)
    assert kind == "warning"
    assert text.endswith("3 spots have no counts.")


TABLE = {
    "source": "table",
    "model": "genes.npz",
    "revision": "sha256:0123456789abcdef0123456789abcdef",
    "pooling": "mean",
    "coverage": 0.934,
    "species": "human",
    "genes": "59 of 60 genes have a vector; most counted without: MALAT1 9.00%",
}


def test_card_and_facts_tell_of_the_source(qtbot, dock, pipeline):
    pipeline.semantics, pipeline.warnings = TABLE, ["2 spots list no gene."]
    add(dock._viewer, small_tissue())
    assert dock.results.meaning_part.isHidden()
    run_to_end(qtbot, dock)
    line = "Gene semantics: Gene table of your own, genes.npz; 93% of the listed genes"
    assert line in dock.card.text.text()
    part = dock.results.meaning_part
    assert not part.isHidden()
    assert not part.isExpanded()
    assert part.text() == texts.SEMANTICS_OF_RUN
    rows = dict(dock.results.meaning.rows)
    assert rows["Source"] == "Gene table of your own"
    assert rows["Revision"] == TABLE["revision"]
    assert rows["Coverage"] == "93% of the listed genes known"
    assert rows["Gene names"] == TABLE["genes"]
    assert dock.results.meaning.warnings.text().endswith("2 spots list no gene.")
    assert dock.results.meaning.control.isHidden()


def test_a_control_is_told_loudly(qtbot, dock, pipeline):
    pipeline.semantics = {**TABLE, "control": "shuffled"}
    add(dock._viewer, small_tissue())
    run_to_end(qtbot, dock)
    assert dock.card.kind == "warning"
    assert dock.card.title.text().startswith("CONTROL RUN: 7 domains found")
    assert dock.card.text.text().startswith("CONTROL RUN (shuffled)")
    part = dock.results.meaning_part
    assert part.isExpanded()
    assert part.text().endswith("CONTROL")
    assert not dock.results.meaning.control.isHidden()
    # A run of another kind is not told so.
    pipeline.semantics = TABLE
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.controller.job is None, timeout=60_000)
    assert part.text() == texts.SEMANTICS_OF_RUN
    assert dock.results.meaning.control.isHidden()
    dock.results.run.setCurrentText("default")
    assert part.text().endswith("CONTROL")


def test_records_as_files_have_them():
    import numpy as np

    kept = {
        "source": "prompts",
        "model": "owner/model",
        "revision": "a" * 40,
        "pooling": np.str_("mean"),
        "coverage": "",  # None cannot be kept in a file
        "reading": {"texts": np.int64(1200), "from_cache": np.int64(200)},
    }
    rows = dict(meaning_rows(kept))
    assert "Coverage" not in rows
    assert rows["Texts"] == "1,200 distinct, 200 of them from the cache"
    assert meaning_line({"semantics": kept}) == [
        "Gene semantics: Language model, per spot, owner/model."
    ]
    assert meaning_line({}) == []


def test_long_revisions_do_not_widen_the_dock(qtbot):
    facts = MeaningFacts()
    qtbot.addWidget(facts)
    long = {**TABLE, "revision": "sha256:" + "0" * 64, "host": "a.example.org:8443"}
    facts.show_run({"semantics": long, "warnings": ["word " * 60]})
    assert facts.minimumSizeHint().width() <= 350
    # Rows of another run take the place of the first one's.
    facts.show_run({"semantics": {"source": "none"}})
    assert facts.rows == [("Source", "None")]


def test_dock_closed_during_a_test_of_a_server(qtbot, dock, server):
    server.always = Reply(503, "busy")
    fields = dock.settings.meaning.server
    fields.url.setText(server.url)
    fields.test_button.click()
    qtbot.waitUntil(lambda: bool(server.asked), timeout=60_000)
    assert fields.test.busy
    dock._viewer.window.remove_dock_widget(dock)
    assert not fields.test.busy


def test_a_server_without_an_address_is_refused_before_the_run(dock, pipeline):
    add(dock._viewer, small_tissue())
    settings = dock.settings
    settings.semantics.setCurrentIndex(settings.semantics.findData("server"))
    dock.run_box.run_button.click()
    assert dock.card.kind == "error"
    assert dock.card.title.text() == "No gene semantics"
    assert "http://localhost:8000/v1" in dock.card.text.text()
    assert dock.controller.job is None
    assert pipeline.requests == []


def test_mixed_sections_are_told_in_words_of_the_dock(tmp_path):
    made = tissue_of(*table([cells(14, seed=i) for i in range(2)], "fov", [3, 7]))
    made.write_h5ad(tmp_path / "mixed.h5ad")
    tissue = read(tmp_path / "mixed.h5ad")
    kind, _, text = section_status(tissue)
    assert kind == "warning"
    assert text.endswith("To keep them apart, choose fov under Sections.")
    # A column of numbers is offered where it was found to tell sections apart.
    assert "fov" in section_columns(tissue)
    assert section_status(tissue, sections_by="fov")[0] == "ready"
