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
    "lasso": (
        "Draw around spots on the tissue. Hold Shift to add them to the selection, Alt "
        "or Ctrl to take them out of it. Drag with Space held to move the view. Escape "
        "ends the tool. Ctrl+L in this dock."
    ),
    "brush": (
        "Paint over spots on the tissue. Hold Shift to add them to the selection, Alt "
        "or Ctrl to take them out of it. Drag with Space held to move the view. Escape "
        "ends the tool. Ctrl+B in this dock."
    ),
    "radius": "Radius of the brush, in diameters of a spot.",
    "invert": "Select the visible spots that are not selected, and no others.",
    "clear": "Select nothing. Ctrl+D in this dock.",
    "assign_column": (
        "The column that gets the names: one made by hand, or a new one; type what to "
        "call it."
    ),
    "assign_name": "The name for the selected spots: of the column, or a new one.",
    "assign": "Give the selected spots this name. Undo takes it back.",
    "remove_name": "Leave the selected spots without a name in this column.",
    "umap": (
        "Every point is a spot, in the colours of the tissue. Drag to move, turn the "
        "wheel to zoom. Lasso, or Shift and drag, selects spots here and on the tissue."
    ),
    "umap_lasso": (
        "Draw around points to select their spots. Shift adds to the selection, Alt or "
        "Ctrl takes out of it."
    ),
    "umap_fit": "Show the whole map.",
    "umap_again": (
        "Make the map anew from the latent of the latest run, or else from the counts, "
        "even where the section came with a map."
    ),
    "umap_out": "Show the map in a dock of its own, or put it back here.",
    "limits": "Values at the ends of the colours; values beyond take the end's colour.",
    "reset": "Colours from the 2nd to the 98th percentile.",
    "colormap": "The colours that stand for numbers.",
    "opacity": "How much the spots cover the image below them.",
    "size": "Size of the spots, as a share of their true diameter.",
}

SPLIT_PIECES = "Into connected pieces"
SPLIT_TWO = "In two, by expression (latent)"
NOTHING_SELECTED = "No spots selected"
SELECTED = "{n:,} of {total:,} spots selected"
TOOL_NAMES = {"lasso": "Lasso (Escape ends it)", "brush": "Brush (Escape ends it)"}
TOOL_HELP = (
    "drag over spots; Shift adds, Alt or Ctrl takes away, Space moves the view, Escape "
    "ends the tool"
)
TOOL_HINT = (
    "Draw on the tissue. Shift adds, Alt or Ctrl takes away, Space moves the view, "
    "Escape ends."
)
FLAT_ONLY = "Not in the 3D view"
FLAT_ONLY_HELP = "Spots are selected in the 2D view. Press Ctrl+Y in the viewer first."
COLUMN_HINT = "New or made by hand"
NEW_COLUMN = "annotation"
NAME_HINT = "For instance, tumour edge"
ASSIGNED = "Assigned"
ASSIGNED_HELP = "{n:,} spots have the name {name!r} in the column {column!r}."
REMOVED = "Names removed"
REMOVED_HELP = "{n:,} spots have no name in the column {column!r}."
UMAP_BUSY = "Making the map. The first one takes longer."
UMAP_SOURCE = "Made from {source}."
UMAP_OUT = "The map is in a dock of its own."
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
