"""Every sentence of the dock that is more than a word, in one place to proof-read."""

from __future__ import annotations

from napari_semst.figure.file import FIGURE_FORMATS
from napari_semst.session.script import SESSION_ENDINGS

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
    "against": (
        "What the chosen names are compared with: all other spots, or the domains that "
        "border on them; or the selected spots with the others of their domains."
    ),
    "find_markers": "Find the genes that set the names chosen in the legend apart.",
    "dot_plot": "Draw the genes chosen (else the first six) by domain.",
    "save_markers": "Write the whole table as CSV.",
    "search_marker": "Show only the genes whose name has these letters.",
    "markers": (
        "Click a gene, or press Enter on it, to colour the tissue by it; click a "
        "heading to sort."
    ),
    "dots": "Share of spots as size, mean as colour.",
    "violins": "How the expression is spread in each domain.",
    "save_plot": "Write the plot as PNG, SVG or PDF.",
    "explain": (
        "Find the genes and the meanings that set each domain on show apart, tested "
        "against random pieces of tissue. Takes seconds to a minute."
    ),
    "test": (
        "Explain, and find the domains again without semantics: how many spots of each "
        "domain change? A run with another seed is the yardstick, so it trains twice."
    ),
    "cancel_explain": "Give the explanation up.",
    "compare": "A run, a column made by hand, or an annotation.",
    "confusion": (
        "Spots that have both names. Bold: matched with each other, so that most spots "
        "agree."
    ),
    "differ": "Colour the spots whose two names are not matched with each other.",
    "opacity": "How much the spots cover the image below them.",
    "pin": (
        "Keep a copy with the colours of now to the right of the section, so that two "
        "colourings are seen at once."
    ),
    "unpin": "Take the copies away.",
    "save": "Write the section with all results and edits to an .h5ad file.",
    "table": "Write one row per spot with its results as a table (CSV).",
    "figure": "Save a figure: what is on show, with legend and scale bar.",
    "report": "Save a report: one HTML page on the latest run, to send or to print.",
    "regions_out": (
        "Save regions: the labels on show as GeoJSON, which QuPath opens "
        "(full-resolution pixels)."
    ),
    "borders": (
        "For the labels on show: which domains touch, how often, and how large and "
        "thick each is."
    ),
    "distance": (
        "Write each spot's distance to the border of its domain as a column, and "
        "colour by it."
    ),
    "border_genes": (
        "Find the genes by which the third of a domain's spots nearest to its border "
        "differ from its others. Choose its row in the table. Spots at a border may "
        "hold cells of both sides."
    ),
    "border_table": (
        "Share of the area; thickness in the unit of the coordinates; who touches it, "
        "the most first. A star: more often than in 99 of 100 shuffles of the borders."
    ),
    "refine": (
        "Spots of a domain that are like those corrected, by place and by the latent "
        "of the run, follow them. Offered for a copy of labels that was corrected."
    ),
    "show_changed": "Select the spots whose name is another now.",
    "keep_refined": (
        "Keep the new column, and beside it the probability of each spot's name."
    ),
    "discard_refined": "Remove the new column; the corrected one stays.",
    "session": (
        "Write what was done to this section as code: a Python script, a notebook, or "
        "commands for a shell, which do the same again without a window."
    ),
    "store": (
        "Write the results as a table into a SpatialData store that holds the section. "
        "Needs the extra napari-semst[spatialdata]."
    ),
    "regions_in": (
        "Read regions of QuPath (GeoJSON), or a table of spots and labels as Loupe "
        "writes it (CSV), as a new column."
    ),
    "dpi": "Sharpness of figures.",
    "outlines": (
        "Draw cells as their outlines are, each with a border, where the view is close "
        "enough for that. They are read when first looked at; discs are drawn until "
        "then, and farther away. A million cells take some 110 MB of memory."
    ),
    "no_outlines": (
        "The section's files hold no outlines of cells. Those of Xenium, MERSCOPE, "
        "CosMx and Visium HD are found when the instrument's folder is opened, "
        "polygons when a SpatialData store is."
    ),
    "size": "Size of the spots, as a share of their true diameter.",
    "naming_reference": (
        "Where the names are from: a signature that ships, another section that is "
        "open and has names, or a file."
    ),
    "naming_file": (
        "Take names from a file: an annotated section, or a signature (.npz)."
    ),
    "naming_labels": "The column of the other section that holds the names.",
    "naming_domains": (
        "The domains that get names; where the section has none they are found first, "
        "by the method quick."
    ),
    "naming_fdr": (
        "A name is given where at most this share of such names is expected to be "
        "chance; else none of these."
    ),
    "naming_run": (
        "Compare each domain with the names of the other section, by the genes in "
        "common and by what genes mean. They need no gene in common. Takes seconds."
    ),
    "naming_cancel": "Give the names up; nothing is changed.",
    "naming_rename": (
        "Put the domains under their names into a new column, to be edited; domains "
        "of one name become one. Undo takes it back."
    ),
    "naming_save": (
        "Write what sets the names of the other section apart to a file (.npz), "
        "without its counts: it can be shared, and used in place of the section."
    ),
    "named_domain": "The domain, as the section calls it.",
    "named_name": "The name that it got; none of these where no name is sure enough.",
    "named_score": "How like domain and name are: a correlation over genes, 1 at most.",
    "named_q": (
        "False discovery rate: the share of names to expect by chance among those as "
        "sure or surer. A name that is no chance can still be a neighbour's."
    ),
    "named_next": "The names that come next, with their likeness.",
}

NAMING = {
    "title": "Name from another section",
    "ask": "Domains get the names of another section, on any panel, human or mouse.",
    "builtin:cortex": "Cortex layers, by species",
    "builtin:cortex-human": "Cortex layers, human",
    "builtin:cortex-mouse": "Cortex layers, mouse",
    "own_names": "Its own names",
    "latest": "Domains of the latest run",
    "find": "None yet: find them first",
    "none": "none",
    "nearest": "Nearest: {name}, which is not sure enough.",
    "busy": "Comparing genes...",
    "reading": "Reading {name}...",
    "cancelled": "Given up; nothing was changed.",
    "named": "{named} of {total} domains named",
    "named_help": (
        "The names are on the tissue now, and in the table below. Choose rows to read "
        "what carried them."
    ),
    "column": "named",
    "renamed": "Domains are named in the column {column}",
    "renamed_help": (
        "Domains of one name are one; those without keep their own. Undo takes it back."
    ),
    "file_title": "Take names from",
    "save_title": "Save the signature",
    "saving": "Making the signature...",
    "saved": "Signature saved",
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
NOT_WHOLE = "The points are not the section's spots"
NOT_WHOLE_HELP = (
    "Expected a point in the layer for each spot of the section; some were deleted or "
    "added. Press *Restore from the data* at the top."
)
BORDERS = "Borders"
BORDERS_ASK = "Which domains touch, and how large and thick is each?"
BORDERS_BUSY = "Looking at the borders..."
BORDERS_CHANGED = "The labels in {column} have changed since. Look at borders again."
BORDER_CHOOSE = "Choose a row of the table first."
BORDER_GENES = "The genes at the border of {name} come under Markers, below."
AT_THE_BORDER = "{name}, at its border"
BORDERS_OF = "Of {column}. Touching spots are alike: the stars rank pairs."
BORDER_COLUMNS = ("Name", "Area", "Thickness", "Touches")
RARE = 0.01
TOUCHES = "{other}: {count:,} contacts, {expected:,.0f} by chance, p = {p:.3f}"
REFINING = "Following the corrections"
REFINED = "Corrections followed"
REFINED_HELP = (
    "{n:,} of {total:,} spots follow the corrections, with a mean probability of "
    "{sure:.2f}, in the column {column}."
)
CHANGED_MEANWHILE = "The labels have changed meanwhile"
CHANGED_MEANWHILE_HELP = (
    "{column} was edited or found anew while this was worked out: it belongs to the "
    "labels as they were, and nothing was kept. Ask again."
)
NOTHING_REFINED = "No other spot follows"
NOTHING_REFINED_HELP = (
    "No spot is likelier to be like those corrected than like the rest of its domain. "
    "Correct some more."
)
REFINED_KEPT = "Kept"
REFINED_KEPT_HELP = (
    "The column {column} can be corrected and refined further; {column}_probability "
    "says how sure each name is."
)
EDITED_SINCE = "Labels were edited since"
EDITED_SINCE_HELP = "Take the edits back with Undo, one by one."
RESTORED = "Restored"
RESTORED_HELP = "Spots and images are as the data say."
HIDDEN = "The section is hidden"
HIDDEN_HELP = "Only what can be seen is selected: show its layer first."
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
UNDONE = "Taken back"
REDONE = "Done again"
DRAWING = "Drawing genes"
DRAWN = "Genes drawn"
SPLITTING = "Splitting"
SPLIT = "Split"
SPLIT_STALE = "Not split"
SPLIT_STALE_HELP = "The names changed while the spots were told apart. Split again."
GENE_UNKNOWN = "No gene of this name"
GENE_UNKNOWN_HELP = "Expected a gene of the section; none is called {gene!r}."
A_GENE = "A gene, below"
GENE_HINT = "Gene, for instance {gene}"
AGAINST = {
    "rest": "Against all others",
    "neighbours": "Against neighbours",
    "domain": "Selection in its domains",
}
COMPARED = {**AGAINST, "border": "against the rest of it"}
NO_MARKERS = "Choose one or several names in the legend, then press Find markers."
SELECTED_SPOTS = "Selected spots"
SELECT_FIRST = "Select spots first"
SELECT_FIRST_HELP = (
    "Expected selected spots, and domains; found none. Find domains, select spots with "
    "Lasso, Brush or Select discordant spots, and press Find markers again."
)
MARKERS_BUSY = "Looking for markers of {about}..."
MARKERS_OF = "{about}: {inside:,} spots, {against} ({outside:,} spots)."
MARKER_COLUMNS = {
    "gene": "The gene's name.",
    "log2_fold_change": "Mean inside against mean outside, as scanpy has it.",
    "share_in": "Share of the spots inside that have the gene.",
    "share_out": "Share of the spots outside that have the gene.",
    "auc": "Chance that a spot inside has more of it than one outside.",
    "p_adjusted": (
        "Wilcoxon's rank sum test, Benjamini-Hochberg over genes. The domains were "
        "found from these genes, and neighbouring spots are alike: it ranks genes, it "
        "proves nothing."
    ),
}
CHOOSE_DOMAINS = "Choose domains first"
CHOOSE_DOMAINS_HELP = (
    "Markers are of the names chosen in the legend. Colour by domains or another "
    "column of labels, choose rows, and press Find markers again."
)
PATCHES = "Patches"
PATCHES_ASK = (
    "Click a spot on the tissue: its image beside images of spots with such "
    "expression, and of spots that look so."
)
PATCHES_BUSY = "Reading the image..."
PATCH_ROWS = (
    "Other tissue of such expression{usual}",
    "Other tissue that looks like this{usual}",
)
THE_SPOT = "The spot alone"
PATCH_DOMAIN = "domain {name}"
PATCH_NUMBERS = {
    "ig_discordance": "{value:+.1f} nats",
    "ig_discordance_fdr": "FDR {value:.2g}",
}
NO_PATCH_NUMBER = "no usable image"
PATCH_TIP = "{name}: {caption}. Press to look at it on the tissue."
NOTHING_TO_COMPARE = "Choose two different columns of labels."
AGREEMENT = (
    "ARI {ari:.3f}, NMI {nmi:.3f}; {share:.0%} of {spots:,} spots have names that are "
    "matched with each other."
)
SAVED = "Saved"
ALL_SECTIONS = "Show one section alone first"
ALL_SECTIONS_HELP = (
    "This tissue holds several sections, and regions belong to the image of one. "
    "Choose it in the dock Find domains, under Section."
)
WRITING = "Writing"
READING = "Reading"
SAVED_KINDS = {
    "figure": (FIGURE_FORMATS, "Figures (*.png *.svg *.pdf)"),
    "report": ((".html",), "Web page (*.html)"),
    "regions_out": ((".geojson",), "GeoJSON (*.geojson)"),
    "session": (SESSION_ENDINGS, "Script, notebook or commands (*.py *.ipynb *.sh)"),
}
SESSION_MISSING = "Not all of the session is done again by it:"
STORE_TOLD = "the table written into the SpatialData store {store}"
STORE_TITLE = "SpatialData store that the section is of"
STORE_WRITTEN = "The results are in the table {table!r}; the rest is as it was."
REPLACE_TABLE = "Replace the table?"
REPLACE_TABLE_ASKED = "{store} has a table {table!r} already. Replace it?"
REPLACE_TABLE_MEANING = "Nothing else in the store is touched."
REGIONS_TITLE = "Read regions"
REGIONS_KINDS = "Regions and labels (*.geojson *.json *.csv)"
REGIONS_READ = "Regions are in the column {column}"
WHY_ASK = "Why is a domain a domain? Genes and meanings, in a sentence for each."
WHY_BUSY = "Reading the genes..."
TEST = "Test without semantics"
TEST_TIME = "Forecast: {forecast}."
TEST_TIME_OF_CPU = "Forecast for the CPU: {forecast}. The GPU trains quicker."
TEST_READS = "Reading genes that are not in the cache takes longer."
TEST_SERVER = "Genes whose vectors are not in the cache are sent to {host}."
TEST_NOT = "Not for these labels. {reason}"
NOT_A_RUN = "They are not the domains of a run."
TEST_CHECKS = "Looking for the model..."
WHY_CHOOSE = "Choose names in the legend to read theirs alone."
EXPLAINED = "Explained"
EXPLAINED_HELP = "The sentences are below, under Why, and in the file once it is saved."
CHOOSE_LABELS_HELP = (
    "Colour by domains or another column of labels, and press it again."
)
