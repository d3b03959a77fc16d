"""A report as one page of HTML; every word that is not ours is escaped."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from napari_semst.report.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from napari_semst.report.facts import Facts, Row
    from napari_semst.report.figures import Picture

# Nothing is fetched and nothing runs, whatever a name in the data may say.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_MOST_ROWS = 300


def page(
    facts: Facts,
    pictures: Sequence[Picture],
    markers: pd.DataFrame | None,
    written: str,
) -> str:
    """Return the page.

    Parameters
    ----------
    facts
        What is told.
    pictures
        What is shown.
    markers
        A table of marker genes, None without one.
    written
        The day.
    """
    title = escape(facts.title)
    n = len(facts.domains)
    lead = (
        f"{n} spatial domains of {facts.n_spots:,} spots"
        + (f", run {escape(facts.run)}" if facts.run else "")
        + f". Report of {escape(written)}."
    )
    parts = [
        f"<h1>{title}</h1>\n<p class='lead'>{lead}</p>",
        _section("Please read", _warnings(facts.warnings)),
        _section("Pictures", _pictures(pictures)),
        _section("Domains", _domains(facts)),
        _section("Why each is a domain", _sentences(facts.domains)),
        _section("Marker genes", _markers(markers)),
        _section("Agreement with the annotation", _agreement(facts)),
        _section("Input", _pairs(facts.given)),
        _section("How it was made", _pairs(facts.made)),
        _section("Time", _pairs(facts.seconds)),
        _section("Versions", _pairs(facts.versions)),
        _section("To repeat it", _again(facts)),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{title}: spatial domains</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n<footer>Made by napari-semst. Domains are clusters: "
        "their names come from you, from markers and histology.</footer>\n</main>\n"
        "</body>\n</html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{body}\n</section>" if body else ""


def _warnings(texts: Sequence[str]) -> str:
    return "\n".join(f"<p class='warning'>{escape(text)}</p>" for text in texts)


def _pictures(pictures: Sequence[Picture]) -> str:
    shown = [
        f"<figure><div class='sheet'><img src='{one.data}' "
        f"alt='{escape(one.caption)}'></div>"
        f"<figcaption>{escape(one.caption)}</figcaption></figure>"
        for one in pictures
    ]
    return "<div class='figures'>\n" + "\n".join(shown) + "\n</div>" if shown else ""


def _domains(facts: Facts) -> str:
    """Return the table of domains: colour, name, count, share, mean scores."""
    sure = any(row.confidence is not None for row in facts.domains)
    moved = any(row.modulation is not None for row in facts.domains)
    head = ["Domain", "Spots", "Share", ""]
    head += ["Mean confidence"] * sure + ["Mean modulation"] * moved
    largest = max((row.share for row in facts.domains), default=1.0)
    lines = []
    for row in facts.domains:
        color = row.color if _COLOR.fullmatch(row.color) else "#9a9a9a"
        bar = (
            f"<span class='bar' style='width:{100 * row.share / largest:.1f}%;"
            f"background:{color}'></span>"
        )
        cells = [
            f"<td><span class='swatch' style='background:{color}'></span>"
            f"{escape(row.name)}</td>",
            f"<td class='number'>{row.count:,}</td>",
            f"<td class='number'>{100 * row.share:.1f} %</td>",
            f"<td class='wide'>{bar}</td>",
        ]
        cells += [_score(row.confidence)] * sure + [_score(row.modulation)] * moved
        lines.append("<tr>" + "".join(cells) + "</tr>")
    numbers = [name not in ("Domain", "") for name in head]
    text = _table(head, numbers, lines)
    if facts.without:
        text += f"\n<p>{facts.without:,} spots have no domain.</p>"
    return text


def _score(value: float | None) -> str:
    text = "" if value is None else f"{value:.3g}"
    return f"<td class='number'>{text}</td>"


def _table(head: Sequence[str], numbers: Sequence[bool], lines: Iterable[str]) -> str:
    top = "".join(
        f"<th{' class=number' if number else ''}>{escape(str(name))}</th>"
        for name, number in zip(head, numbers, strict=True)
    )
    rows = "\n".join(lines)
    return (
        f"<div class='scroll'><table><thead><tr>{top}</tr></thead>\n<tbody>\n{rows}\n"
        "</tbody></table></div>"
    )


def _sentences(rows: Sequence[Row]) -> str:
    told = [f"<p>{escape(row.sentence)}</p>" for row in rows if row.sentence]
    return "\n".join(told)


def _markers(table: pd.DataFrame | None) -> str:
    if table is None or not len(table):
        return ""
    from pandas.api.types import is_numeric_dtype

    shown = table.head(_MOST_ROWS)
    numbers = [is_numeric_dtype(shown[name]) for name in shown]
    lines = [
        "<tr>"
        + "".join(
            f"<td class='number'>{value:.3g}</td>"
            if number
            else f"<td>{escape(str(value))}</td>"
            for value, number in zip(row, numbers, strict=True)
        )
        + "</tr>"
        for row in shown.itertuples(index=False)
    ]
    head = [str(name).replace("_", " ").capitalize() for name in shown]
    text = _table(head, numbers, lines)
    left = len(table) - len(shown)
    return text + (f"\n<p>{left:,} more rows are left out.</p>" if left else "")


def _agreement(facts: Facts) -> str:
    """Return the scores, and the spots by domain and annotation."""
    table = facts.confusion
    if table is None:
        return ""
    head = ["Domain", *map(str, table.columns)]
    lines = [
        f"<tr><td>{escape(str(name))}</td>"
        + "".join(_count(int(value), int(row.max())) for value in row)
        + "</tr>"
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    numbers = [False] + [True] * table.shape[1]
    return (
        _pairs(facts.agreement)
        + "\n<p>Spots by domain (rows) and annotation (columns). The annotation was "
        "compared after the run and is no part of it.</p>\n"
        + _table(head, numbers, lines)
    )


def _count(value: int, most: int) -> str:
    kind = "none" if value == 0 else "most" if value == most else ""
    return f"<td class='number {kind}'>{value:,}</td>"


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    rows = "\n".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs
    )
    return f"<dl>\n{rows}\n</dl>"


def _again(facts: Facts) -> str:
    if not facts.command:
        return ""
    return (
        "<p>Save these settings as <code>settings.toml</code> and run:</p>\n"
        f"<pre>{escape(facts.command)}</pre>\n<pre>{escape(facts.settings)}</pre>"
    )
