"""Every sentence of the dock that is more than a word, in one place to proof-read."""

from __future__ import annotations

DROP = "Drop a file or a folder here"
DROP_NOW = "Let go to look inside"
KINDS_READ = (
    "AnnData, Visium, Visium HD, Xenium, MERSCOPE, CosMx, seqFISH, Slide-seq, "
    "Stereo-seq, STARmap PLUS, SpatialData, or tables of counts and places"
)
CHOOSE_FILE = "Choose files of sections"
CHOOSE_FOLDER = "Choose a section's folder"
CHOOSE_POSITIONS = "Choose the file that says where the spots are"

TIPS = {
    "file": "Choose one file or several. Nothing is opened yet. (Alt+Shift+O)",
    "folder": (
        "Choose the output folder of an instrument, or a .zarr store. Nothing is "
        "opened yet. (Alt+Shift+D)"
    ),
    "sample": "Open a section to try things with. Simulated ones need no network.",
    "recent": "What was opened before. A click looks inside, a double click opens it.",
    "clear": "Forget what was opened before. The files stay.",
    "part": "Which part of the input to open.",
    "counts": "Which of the file's tables holds the raw counts.",
    "coordinates": "Which of the file's coordinates say where a spot stands.",
    "positions": "A table that says where the spots are, from another place.",
    "open": "Open it: image, spots and a first colouring. (Enter)",
    "cancel": "Do not open it. What is being read is dropped.",
    "section": "The section whose image is aligned: every one that is open.",
    "add_image": (
        "Add an image of the same section from a file: H&E taken after the run, say. "
        "It is then registered by landmarks."
    ),
    "remove_image": "Take the image that was added away again, with its landmarks.",
    "image": "Which of the section's images is aligned.",
    "flip_x": "Flip the image from left to right.",
    "flip_y": "Flip the image upside down.",
    "swap": "Exchange the image's x and y.",
    "rotate": "Turn the image clockwise by 90 degrees.",
    "shift_x": "How far the image is moved to the right, in the coordinates' unit.",
    "shift_y": "How far the image is moved down, in the coordinates' unit.",
    "step": "How far an arrow moves the image. It begins at a quarter of a spot.",
    "left": "Move the image to the left by one step.",
    "right": "Move the image to the right by one step.",
    "up": "Move the image up by one step.",
    "down": "Move the image down by one step.",
    "channels": (
        "Ticked channels are layers of their own: colour, contrast and opacity are "
        "changed in the viewer's layer controls."
    ),
    "set_pairs": (
        "Click in turn a place on the image, and where it belongs among the spots. "
        "Points can be moved and deleted with the viewer's own tools."
    ),
    "load_pairs": "Take pairs from a table: image_x, image_y, spots_x, spots_y.",
    "save_pairs": "Write the pairs as a table (CSV).",
    "map": (
        "What may be done to the image. A spline also bends it, and needs more pairs, "
        "all over the tissue."
    ),
    "pairs": (
        "How far each pair is apart once the image is registered, and how far if the "
        "map is made of all others: that is the error to believe."
    ),
    "remove_pair": "Remove the chosen pair.",
    "register": "Draw and read the image where the pairs put it.",
    "undo_register": "Put the image back to where it was before.",
    "take_back": "Put the image back to where its file says. The pairs stay.",
    "reset": "Put the image back to where its file says.",
    "layer": "Layers of another plugin that hold spots or cells with a table.",
    "use": "Open the table of this layer as a section. The layer stays as it is.",
}

SAMPLES = (
    ("simulated_cortex", "Simulated cortex"),
    ("simulated_cells", "Simulated cortex, single cells"),
    ("simulated_discordance", "Simulated cortex, planted discordance"),
    ("human_lymph_node", "Human lymph node (Visium, download)"),
    ("mouse_brain", "Mouse brain (Visium, download)"),
)

START = "Nothing open yet"
START_HELP = (
    "Drop a file on this dock, press Open file... or Open folder..., or take a sample. "
    "You then see what is inside before it is opened."
)
LOOKING = "Looking inside"
SEEN = "Ready to open"
SEEN_HELP = "Press Open."
SOME_SEEN_HELP = "Press Open to open {count} of them; the others cannot be opened."
LACKING = "Something is missing"
LACKING_HELP = (
    "Domains cannot be found without {missing}. It can be opened all the same."
)
NOT_SEEN = "This cannot be opened"
OPENING = "Opening"
WAITED = "{name}: {seconds} s"
SEVERAL_WAITED = "{name} ({number} of {count}): {seconds} s"
OPENED = "Opened"
OPENED_HELP = "{facts}. Next: Plugins > Find domains."
ALL_OPENED = "{count} sections opened"
ALL_OPENED_HELP = "Each is a section of its own. Next: Plugins > Find domains."
CANCELLED = "Cancelled"
CANCELLED_HELP = "Nothing was opened."
SOME_HELP = "What was open before that stays: {count} of them."
NOT_REMEMBERED = "The list of what was opened before could not be kept. {reason}"
GONE = "It is no longer there."

NOT_INSIDE = "missing"
UNKNOWN = "known once it is opened"
NOT_LOOKED = "looked at when it is opened"
NOTHING_INSIDE = "none"
SEVERAL = "{count} inputs"
AS_FOUND = "As found"
USUAL_POSITIONS = "Choose a file..."

NO_IMAGE = "This section has no image to align."
ADD_IMAGE = "Add an image to the section"
ADDING_IMAGE = "Reading {name} for {section}..."
IMAGE_ADDED = (
    "{name} was added to {section}, its corner at the origin of the coordinates. Set "
    "pairs under Register by landmarks."
)
SEVERAL_SECTIONS = (
    "Expected a section of one piece; several are shown side by side. Add the image to "
    "its section before they are joined."
)
ALL_INSIDE = "All {count:,} spots lie on the image."
INSIDE = "{share} % of {count:,} spots lie on the image."
HINT = (
    " Coordinates and image may not belong together, or one of them is turned: try the "
    "buttons below."
)
ADDED_HINT = " It is not registered yet: landmarks bring it to the spots."
ALIGNMENT_KEPT = (
    "Moves the image, never the coordinates. It stays with the section: save it as "
    ".h5ad to have it again."
)
ALIGNED = "Aligned by hand: {what}."
REGISTERED = "Registered by {count} pairs of landmarks ({kind})."
CHANNELS_HELP = (
    "Tick channels to add their light to one another; the image below them is hidden."
)
OPENING_CHANNEL = "Opening {name}"
LANDMARKS_HELP = (
    "Set pairs: click a place on the image, then the same place among the spots. "
    "Three or more, far from one another; the image is turned, mirrored and scaled to "
    "fit, or bent."
)
SPOT_MISSING = "now among the spots"
IMAGE_MISSING = "now on the image"
MORE_PAIRS = "{count} more pairs are needed for this map."
ONE_MORE_PAIR = "One more pair is needed for this map."
JUDGING = "Comparing the pairs"
REGISTERING = "Drawing the image in its place"
ERRORS = (
    "Error {error}; of pairs left out {left_out} (root mean square): the second is "
    "what to expect elsewhere on the tissue."
)
ERROR_UNKNOWN = (
    "The error is not known: so few pairs always fit. Set one more to learn it."
)
FAR_OFF = "Pair {pair} contradicts the others: look at it, or remove it."
FOLDED = (
    "A spline of these pairs folds the image over itself: a pair is wrong, or two are "
    "exchanged."
)
NO_IMAGE_ON_CANVAS = "The image's layer is no longer in the viewer: open it again."
LOAD_PAIRS = "Choose a table of landmarks"
SAVE_PAIRS = "Save the landmarks"
SHOWN_FROM = "From layers of other plugins"
