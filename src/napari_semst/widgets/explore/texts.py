"""Every sentence of the dock that is more than a word, in one place to proof-read."""

from __future__ import annotations

NO_SECTION = "No section yet"
NO_SECTION_HELP = (
    "Open a file, drop one on the window, or try File > Open Sample > SemST > "
    "Simulated cortex."
)
READY = "Ready"
READY_HELP = (
    "Choose what colours the spots. Tick names to show them, double-click one to "
    "rename it."
)
NO_DOMAINS_HELP = "No domains yet: find them in the dock Find domains."

TIPS = {
    "section": "The section to look at.",
    "colour_by": "What the colour of the spots shows: results, columns, embeddings.",
    "gene": (
        "A gene to colour by: type a part of its name and choose, or press Enter. "
        "Ctrl+G goes here."
    ),
    "legend": (
        "Tick to show, untick to hide. Double-click a name to rename it. Choose rows "
        "to work on them; Ctrl or Shift for several."
    ),
    "isolate": "Show the chosen names alone.",
    "show_all": "Show all names.",
    "zoom": "Look at the chosen names (on the tissue).",
    "colour": "Give the chosen name another colour.",
    "merge": "Make one of the chosen names; the first chosen gives its name.",
    "split": "Tell the spots of the chosen name apart.",
    "up": "Move the chosen name up the legend.",
    "down": "Move the chosen name down the legend.",
    "undo": "Take the last edit back. Ctrl+Z in this dock.",
    "redo": "Do again what was taken back. Ctrl+Shift+Z in this dock.",
    "limits": "Values at the ends of the colours; values beyond take the end's colour.",
    "reset": "Colours from the 2nd to the 98th percentile.",
    "colormap": "The colours that stand for numbers.",
    "opacity": "How much the spots cover the image below them.",
    "size": "Size of the spots, as a share of their true diameter.",
}

SPLIT_PIECES = "Into connected pieces"
SPLIT_TWO = "In two, by expression (latent)"
COPIED = "Edits go to a copy"
COPIED_HELP = (
    "{column!r} is a fact of the section and stays as it is. Edits are in the new "
    "column {copy!r}, which is on show now."
)
EDITED = "Edited"
UNDONE = "Taken back"
REDONE = "Done again"
GENE_UNKNOWN = "No gene of this name"
GENE_UNKNOWN_HELP = "Expected a gene of the section; none is called {gene!r}."
A_GENE = "A gene, below"
GENE_HINT = "Gene, for instance {gene}"
