"""Sessions as commands: what they read, and the names of files."""

from __future__ import annotations

from napari_semst.session.actions import Action
from napari_semst.session.shell_code import shell_script

RUN = Action("run", {"preset": "quick", "overrides": {}, "run": "default"})


def script(*actions):
    return shell_script(actions, [], "repeated")


def test_choices_of_reading_reach_what_cannot_be_told_them():
    read = Action("read", {"path": "/d/s", "part": "8", "positions": "a b.csv"})
    run, _ = script(read, RUN, Action("report", {"path": "r.html"})).split("semst r")[
        1:
    ]
    assert "--part 8 --positions 'a b.csv'" in run
    for action in (
        Action("report", {"path": "r.html"}),
        Action("level", {"k": 4, "run": "a"}),
        Action("recolour", {"column": "a", "name": "b", "color": "#123456"}),
    ):
        text = script(read, action)
        assert "read('/d/s', positions='a b.csv', part='8')" in text
        assert "--part" not in text


def test_files_in_between_have_names_that_the_session_has_not():
    read = Action("read", {"path": "/d/s.h5ad"})
    saves = [Action("save", {"path": f"/{x}.h5ad"}) for x in ("section-1", "a/section")]
    text = script(read, RUN, *saves, Action("save", {"path": "/b/section.h5ad"}))
    copies = [line.split()[1:] for line in text.splitlines() if line.startswith("cp ")]
    assert [to for _, to in copies[:2]] == ["./section-1.h5ad", "./section.h5ad"]
    between = {source for source, _ in copies}
    assert not between & {to.removeprefix("./") for _, to in copies}


def test_a_figure_with_a_title_of_the_window_is_drawn_in_python():
    read = Action("read", {"path": "/d/s.h5ad"})
    given = {"path": "/f.png", "colour": "gene:A", "dpi": 90}
    assert "semst figure" in script(read, Action("figure", {**given, "title": "A"}))
    other = script(read, Action("figure", {**given, "title": "A, log"}))
    assert "semst figure" not in other
    assert "title='A, log'" in other


def test_what_was_written_twice_is_replaced_by_the_last():
    read = Action("read", {"path": "/d/s.h5ad"})
    table = Action("save_table", {"path": "/d/t.csv"})
    first, second = script(read, table, RUN, table).split("semst export")[1:]
    assert "-o ./t.csv" in first
    assert "--overwrite" not in first
    assert "-o ./t.csv --overwrite" in second
