"""Names that mouse genes bore in references of genomes, and the symbols they have now.

Facts of nomenclature, each checked by hand; the new symbol is one of MGI's homology
classes, through which the human genes are found. A name that is not here stays unknown.
"""

from __future__ import annotations

OLD_MOUSE_NAMES: dict[str, str] = {
    "Epb4.1": "Epb41",
    "Epb4.1l1": "Epb41l1",
    "Epb4.1l2": "Epb41l2",
    "Epb4.1l3": "Epb41l3",
    "Qk": "Qki",
}
