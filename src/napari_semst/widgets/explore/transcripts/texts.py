"""What the part for transcripts says."""

from __future__ import annotations

BOX = "Transcripts"
BOX_TIP = (
    "Show single molecules of chosen genes as points over the section, from the "
    "instrument's table of transcripts."
)
NO_TABLE_TIP = (
    "There is no table of single molecules with this section: open the folder of "
    "Xenium, MERSCOPE or CosMx, or a SpatialData store with points."
)
GENES_TIP = (
    "Genes whose molecules are shown: up to {most}, with commas between. Press Enter "
    "to read them."
)
GENES_HINT = "for instance {genes}"
CANCEL_TIP = "Give up reading. What was read so far goes."
TOO_MANY = "Name {most} genes at most; these are {n}."
UNKNOWN = "Not among the section's genes: {genes}."
NAME_SOME = "Name genes and press Enter."
BEGUN = "Reading molecules"
OF_NONE = "No molecule of {genes} in the table."
IN_VIEW = "{drawn} of {about}{there} molecules in view."
NONE_IN_VIEW = "No molecules in view."
LOW = "Left out: {n} of low quality (below Q{least:.0f})."
KEPT = "Of {n} molecules a sample is kept: {share} of them."
ELSEWHERE = (
    "Molecules lie at the usual coordinates: choose these in Open data or Find domains "
    "to see them."
)
NO_SECTION = (
    "It is not known in which of these sections a molecule lies: show the section as "
    "one."
)
COLUMNS = ("Found", "Low quality")
LEGEND_TIP = "The colour of each gene, its molecules, and those left out."
