"""A report as one page of HTML; every word that is not ours is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_semst.palette import MISSING_COLOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from jinja2 import Environment

    from napari_semst.report.facts import ReportFacts
    from napari_semst.report.figures import ReportPicture
    from napari_semst.report.regions import ReportedRegions

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def render_page(
    facts: ReportFacts,
    pictures: Sequence[ReportPicture],
    markers: pd.DataFrame | None,
    written: str,
    regions: ReportedRegions | None = None,
) -> str:
    """Return the page that ``page.html`` lays out and ``page.css`` styles."""
    annotations = () if facts.confusion is None else facts.confusion
    head, rows = _table_of(markers)
    return (
        page_environment()
        .get_template("page.html")
        .render(
            facts=facts,
            pictures=pictures,
            confusion_head=[("Domain", False), *((name, True) for name in annotations)],
            marker_head=head,
            marker_rows=rows,
            written=written,
            regions=regions,
        )
    )


def page_environment(*packages: str) -> Environment:
    """Return what renders pages: ``base.html`` frames them, ``parts.html`` has parts.

    Parameters
    ----------
    *packages
        Where other templates are looked for, too.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    places = ("napari_semst.report", *packages)
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(place, ".") for place in places]),
        autoescape=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "plain_color": _plain_color,
        "thousands": "{:,}".format,
        "three_digits": _three_digits,
    }
    return environment


def _plain_color(color: str) -> str:
    """Return a colour that may stand in a style, grey in place of any other text."""
    return color if _COLOR.fullmatch(color) else MISSING_COLOR


def _three_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _table_of(
    markers: pd.DataFrame | None,
) -> tuple[list[tuple[str, bool]], list[tuple[Any, ...]]]:
    """Return a table's columns, each with whether it holds numbers, and its rows."""
    from pandas.api.types import is_numeric_dtype

    if markers is None:
        return [], []
    head = [
        (str(name).replace("_", " ").capitalize(), is_numeric_dtype(markers[name]))
        for name in markers
    ]
    return head, list(markers.itertuples(index=False, name=None))
