"""Every sentence of the dock that is more than a word, in one place to proof-read."""

from __future__ import annotations

NO_SECTION_HELP = (
    "Open a file or a folder above, drop one on the window, or try "
    "File > Open Sample > SemST > Simulated cortex. "
    "This dock is also under Plugins > Find domains (SemST)."
)
OPENED = "{count} sections opened"
OPENED_HELP = (
    "Each is worked on by itself. To find domains that are common to them, press Join "
    "sections..."
)
JOIN_TITLE = "Join sections"
JOIN_HELP = (
    "The sections ticked become one, with the genes that all of them have. Results of "
    "single sections are not taken over."
)
JOINING = "Joining"
JOINED = "{count} sections joined"
JOINED_HELP = (
    "{genes:,} genes are common to them. The single sections are hidden, not closed."
)
ONE_SECTION = "One section"
AS_JOINED = "As joined"
SIDE_BY_SIDE = "All side by side"
READY = "Ready"
READY_HELP = "Choose the number of domains, or Automatic, and press Run."
MOVING = "Moving the spots"
OPENING = "Opening"
RUNNING = "Finding domains"
RUNNING_HELP = "Stop early keeps what was learnt so far; Cancel discards it."
STOPPING_HELP = "Stopping after this epoch; the domains follow from what was learnt."
CANCELLED = "Cancelled"
CANCELLED_HELP = "Nothing was changed."
LAYER_GONE_HELP = "The section was closed during the run; nothing was changed."

AS_RECIPE = "As the recipe says"
FORECAST = "Forecast: {forecast}."
FORECAST_OF_CPU = "Forecast for the CPU: {forecast}. The GPU trains quicker."
FORECAST_OF_REST = "Besides that: {forecast}."
READING = "Forecast of reading the genes: {amount} {time}"
MAY_NOT_FIT = (
    "May not fit in memory: {forecast}. Close other programs, or choose the recipe "
    "'quick'."
)
LOSS_TITLE = "Loss"
SHOW_DOMAINS = "Show domains while training"
PROVISIONAL = (
    "On the tissue: provisional domains, of averaged expression at first and then of "
    "the training so far. The final ones are read with more care."
)
NOT_DOWNLOADED = "Not started"
NOT_DOWNLOADED_HELP = (
    "Nothing was downloaded. Choose another model; the built-in gene table and image "
    "encoder need no download."
)
KEY_KEPT = "The key was not sent"
KEY_KEPT_HELP = (
    "Nothing was asked of the server. Choose another one, or another source of "
    "semantics."
)
CHECKING_MODEL = "Looking for the model"
LOAD = "Load..."
SAVE = "Save..."
LOADED = "Configuration loaded"
LOADED_HELP = "The fields show {name}. Press Run to use it."
KEPT_CONFIGURATION = "Configuration saved"
EXTRA = "From the file, without a field here:"
FORGET = "Forget them"
NO_COUNTS = "No raw counts"
NO_COUNTS_HELP = (
    "{where} holds {found}. A run needs raw counts: {advice} Run checks every value."
)
COUNTS_ELSEWHERE = "choose {places} under Counts."
COUNTS_NOWHERE = "open the file from before normalisation."

READING_LABELS = {
    "n_genes": "Genes per spot",
    "ranking": "Ranked by",
    "pooling": "Pooling",
    "template": "Prompt",
    "tissue": "Tissue",
    "gene_text": "Text of a gene",
    "revision": "Revision",
}
READING_CHOICES = {
    "scaled": "Scaled expression",
    "expression": "Plain expression",
    "specificity": "Expression times rarity",
    "mean": "Mean of all tokens",
    "genes": "Mean of the genes' tokens",
    "last": "Last token",
    "paper": "The paper's words",
    "tissue": "With species and tissue",
    "knowledge": "Name, groups and functions",
    "symbol": "Symbol alone",
}
READING_TIPS = {
    "paper": "Character for character as published.",
    "tissue": "Words of our own, with species and tissue.",
    "knowledge": "Symbol, name, HGNC groups and the rarest GO terms of each gene.",
    "specificity": "High in this spot and in few others.",
}
TISSUE_EXAMPLE = "such as mouse hippocampus"
REVISION_HERE = "The one that is here, or main"

TIPS = {
    "show_domains": (
        "Paint the tissue every few seconds with rough domains of what was learnt so "
        "far. The result stays the same to the last bit."
    ),
    "loss": "How far the network is from the counts; lower is better.",
    "configuration": (
        "All settings as a TOML file; the command line and Python read the same one."
    ),
    "load_configuration": "Show the settings of a TOML file in the fields.",
    "save_configuration": "Write the settings as they stand to a TOML file.",
    "n_genes": "How many of its top genes speak for a spot (k_g).",
    "ranking": "What makes a gene one of a spot's top genes.",
    "pooling": "Which of the model's token states are averaged to one vector.",
    "template": "The words around a spot's genes.",
    "tissue": "What the section is of, in a few words; it becomes part of the prompt.",
    "gene_text": "What is read of a gene.",
    "revision": "Commit, tag or branch of the model at Hugging Face.",
    "section": "The section to work on: every tissue section that is open.",
    "open_file": "Open files of sections or tables of counts, one or several.",
    "open_folder": "Open the output folder of an instrument, or a .zarr store.",
    "join": (
        "Join open sections into one, to find domains that are common to them. They "
        "then stand side by side."
    ),
    "shown": "Show all sections side by side, or one of them alone.",
    "coordinates": "Which of the section's coordinates say where a spot stands.",
    "counts": "Which of the section's tables holds the raw counts.",
    "n_domains": "How many spatial domains to look for (k).",
    "automatic": (
        "Let the run choose the number, without any annotation. It is a suggestion: "
        "look at the next best too. Choosing takes some seconds to a minute more."
    ),
    "semantics": (
        "Where the meaning of genes comes from. The built-in table holds curated "
        "knowledge of gene function and needs no download."
    ),
    "embedding": (
        "An embedding made elsewhere, one row per spot: a table of the section (obsm), "
        "or a file (.npy, .npz, .safetensors, .csv, .tsv)."
    ),
    "table": (
        "A file of gene vectors: .npz with symbols and vectors, or .csv or .tsv with "
        "a column of symbols and numbers in all others."
    ),
    "model": (
        "The language model: a Hugging Face id (owner/name), or a folder that holds "
        "its files (config.json, tokenizer, .safetensors)."
    ),
    "server_url": (
        "The server's address, up to /v1. Never put a key into it: keys are read from "
        "the environment."
    ),
    "server_model": "The model to ask for; empty where the server has one only.",
    "server_per": (
        "The whole list of each spot's genes, or each gene once; genes are then "
        "averaged over the lists, which needs far fewer texts."
    ),
    "server_test_button": (
        "Ask for a few vectors of texts that tell nothing; nothing of the section is "
        "sent."
    ),
    "control": (
        "Spoil the semantics on purpose, to learn what it is worth: if the domains are "
        "as good as without a control, what genes mean did not matter. Never report "
        "the domains of a control."
    ),
    "recipe": "A set of settings that go together.",
    "auto_recipe": (
        "The default recipe, which adapts to the section's lattice, size and gene "
        "panel."
    ),
    "device": "What computes. Automatic takes a CUDA GPU where there is one.",
    "epochs": "Passes over the section in training. Fewer is quicker and coarser.",
    "seed": "The same seed, settings and machine give the same domains.",
    "ensemble": (
        "Networks trained, each from a seed of its own. More take as many times as "
        "long; the domains are hardly more accurate."
    ),
    "sections": (
        "What tells sections apart that are in one table. Neighbours are then sought "
        "inside each, the domains are common to all, and the sections stand side by "
        "side."
    ),
    "run": (
        "Name under which the result is kept, so that runs can be compared. "
        "A run of the same name is replaced."
    ),
    "run_button": "Find the domains of this section.",
    "stop_button": "End training now and keep what was learnt so far.",
    "cancel_button": "Discard this run; the section stays as it was.",
    "results_of": "Which run's result is on show.",
    "colour_by": "What the colour of the spots shows.",
    "opacity": "How much the spots cover the image below them.",
    "level": (
        "Number of domains shown: walk through the run's hierarchy. Neighbouring "
        "domains merge, or split, one at a time; the larger part keeps its name and "
        "colour. The mark is the run's own number; a double click goes back to it."
    ),
    "level_home": "Show the domains as the run found them.",
    "level_keep": (
        "Write the {number} domains on show into the section, as the column "
        "semst_domain_at_{number}: they can then be saved and coloured by."
    ),
    "level_kept": "The run's own domains are in the section already.",
    "select_discordant": (
        "Let the discordant spots stand out. Explore domains works on them, too: "
        "Markers > Selection in its domains tells their genes."
    ),
    "fade": (
        "Make spots the fainter, the less sure their domain is, so that ambiguous "
        "borders show."
    ),
    "curve": (
        "The criterion alone chose; differences below 10 are a close call. Stability: "
        "how well clusterings from several views agree with each other. Coherence: "
        "how often neighbours share a domain, beyond chance. Rest the mouse on the "
        "curve for its values."
    ),
    "save": "Write the section with its results to a new .h5ad file.",
    "save_table": "Write one row per spot with its results as a table (CSV).",
}

FADED = (
    "Faint: unsure. Full colour from a confidence of {sure:g}, faintest from "
    "{unsure:g} down."
)
FADED_OWN = "The confidence is that of the run's own {own} domains."
LEVEL_KEPT = "Kept"
KEPT_HELP = (
    "{number} domains are now in the column {key}: under Colour by, and in the file "
    "once it is saved.{replaced}"
)
KEPT_REPLACED = " They took the place of others kept under that number before."
DISCORDANT_LINE = (
    "{called:,} of {usable:,} spots are discordant, at a false discovery rate of "
    "{fdr:.3g}."
)
# A region can be found without any spot of it being called.
IN_REGIONS = (
    "{n:,} region{s} found: Explore domains lists {them} under Discordant regions."
)
NOT_COMPARED = "The image predicts no expression reliably: nothing was compared."
NO_IMAGE_OF = "{missing:,} spots have no usable image."
NOT_ASKED_OF = (
    "{missing:,} spots were not compared: colour by Compared or not to see why."
)
SELECT_DISCORDANT = "Select discordant spots"
SELECT_NOTHING = "Select nothing"
CURVE_TITLE = "How the number was chosen"
# What users call the sources; one that is not named here goes by its own name.
SEMANTICS = {
    "builtin": "Built-in gene table",
    "none": "None",
    "precomputed": "Precomputed embedding",
    "table": "Gene table of your own",
    "server": "Embedding server",
    "prompts": "Language model, per spot",
    "genes": "Language model, per gene",
}
NEEDS = {
    "builtin": "Curated knowledge of genes. Needs nothing; takes seconds.",
    "none": "Nothing is said of genes: no modulation map.",
    "precomputed": "Needs one vector per spot, made elsewhere.",
    "table": "Averages the vectors of each spot's genes. Needs a file of them.",
    "server": (
        "A server with OpenAI's embedding interface reads the genes. Needs its address."
    ),
    "prompts": (
        "Reads each spot's list of genes, the paper's way. Without a GPU a large model "
        "may take hours: the line below Run forecasts it. What was read is kept, also "
        "after Cancel."
    ),
    "genes": (
        "Reads every gene once, a few thousand short texts at most, and keeps them in "
        "a cache for later runs. A small model does without a GPU."
    ),
}
NOT_HEARD = "This method does not listen to gene semantics."
PICK_EMBEDDING = "Choose an embedding, one row per spot"
NO_EMBEDDING = (
    "Expected an embedding; none is chosen. Pick one under Embedding, or set Gene "
    "semantics to the built-in gene table."
)
PICK_TABLE = "Choose a table of gene vectors"
NO_TABLE = (
    "Expected a table of gene vectors; none is chosen. Pick a file under Gene table, "
    "or set Gene semantics to the built-in gene table."
)

PICK_MODEL = "Choose the folder of a language model"
NO_MODEL = (
    "Expected a language model; none is named. Pick one under Language model, type a "
    "Hugging Face id (owner/name), or choose a folder."
)
MODEL_OF_THE_PAPER = "The paper's model: 4 billion parameters. Needs a GPU."
MODEL_EMBEDS = "Made for embeddings: 0.6 billion parameters."
MODEL_SMALL = "Small and quick, also without a GPU: 23 million parameters."
MODEL_LOOKING = "Looking whether it is on this machine..."
MODEL_NONE = "Type a Hugging Face id (owner/name), or choose a folder."
MODEL_UNKNOWN = (
    "Neither a folder of this machine nor a Hugging Face id (owner/name). Check it."
)
MODEL_FOLDER = "A folder of this machine, {size}. No download."
MODEL_HERE = "On this machine already, {size}. No download."
MODEL_PARTLY = (
    "Only a part is on this machine: the run downloads the rest from huggingface.co."
)
MODEL_AWAY = "Not on this machine: a run downloads it from huggingface.co ({size})."
SIZE_UNKNOWN = "size not known"

SERVERS_OWN = "The server's own"
PER = {"spot": "The gene list of each spot", "gene": "Each gene once"}
SENT = {"spot": "Gene lists", "gene": "Gene names"}
LEAVES = "{what} leave this machine: they are sent to {host}."
STAYS = "{what} are sent to {host}: this machine, unless that is a tunnel."
KEY_NONE = "No key: neither SEMST_API_KEY nor OPENAI_API_KEY is set in the environment."
KEY_EMPTY = "No key: {variable} is set to nothing."
KEY_SET = "Key: {variable} is set; it is sent to {host}."
KEY_EXPOSED = "It travels unencrypted: use https."
THE_SERVER = "the server"
TEST = "Test connection"
STOP_TEST = "Stop the test"
TESTING = "Asking for a few vectors..."
SERVER_ANSWERS = (
    "{host} answers. Model {model}, {dimension:,} dimensions, norm {norm:.3f} "
    "({length}); first text {first:.2f} s, then {per_text:.3f} s per text."
)
UNIT_LENGTH = "unit length"
NOT_NORMALISED = "not normalised"

CONTROL_NAMES = {
    "none": "None",
    "random": "Random vectors",
    "shuffled": "Gene names shuffled",
    "unrelated": "Unrelated genes or texts",
}
CONTROL_TIPS = {
    "none": "A run like any other.",
    "random": "Random vectors, as large and as spread as the source's own.",
    "shuffled": "Every gene gets the meaning of another one.",
    "unrelated": "Genes that no spot lists, or sentences about something else.",
}
CONTROL_UNFIT = (
    "Expected a control that the source can have; {source!r} has none of the kind "
    "{control!r}. Choose another under Advanced > Control, or None."
)
CONTROL_AHEAD = (
    "CONTROL ({control}): the next run is spoilt on purpose. Its domains are no "
    "result. Advanced > Control turns it off."
)
CONTROL_BEGINS = "CONTROL RUN"
CONTROL_RUN = "CONTROL RUN ({control}): spoilt on purpose. Its domains are no result."
SEMANTICS_OF = "Gene semantics"
SEMANTICS_OF_RUN = "Gene semantics of this run"
WARNINGS = "Warnings of the run:"
COVERAGE_LINE = "{share:.0%} of the listed genes known"
TEXTS_READ = "{texts:,} distinct, {cached:,} of them from the cache"
# What a run's record says of its semantics, in the order of display.
FACTS = {
    "model": "Model",
    "revision": "Revision",
    "pooling": "Pooling",
    "coverage": "Coverage",
    "genes": "Gene names",
    "species": "Species",
    "host": "Server",
    "per": "It read",
    "dimension": "Dimensions",
    "template": "Template",
}

STAGE_NAMES = {
    "read": "Reading",
    "prepare": "Preparing",
    "morphology": "Reading the image",
    "describe": "Reading the genes",
    "train": "Training",
    "discordance": "Comparing with the image",
    "assign": "Assigning domains",
    "attach": "Storing",
}
