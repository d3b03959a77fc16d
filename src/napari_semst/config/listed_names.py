"""Names as one text, with commas between: those with a comma in quotes."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def joined_names(names: Iterable[str]) -> str:
    """Return names with commas between, each in quotes that could not be told apart."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(list(names))
    return text.getvalue()


def listed_names(text: str) -> list[str]:
    """Return the names of a text, without what is blank around them."""
    rows = csv.reader([text], skipinitialspace=True)
    return [one.strip() for row in rows for one in row if one.strip()]
