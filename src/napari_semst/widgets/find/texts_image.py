"""What the dock says of methods, and of the image around the spots."""

from __future__ import annotations

IMAGE_LABELS = {
    "image": "Image",
    "missing": None,
    "scale": "Pixels per unit",
    "encoder": "Image encoder",
    "diameter": "Spot diameter",
    "context": "Context",
}
AUTOMATIC = "Automatic"
SPOT_DIAMETERS = " spot diameters"
PIXELS_ONE = "1, as in the file"
OWN_IMAGE = "The section's own"
LAYER_IMAGE = "Layer {name}"
PICK_IMAGE = "Choose an image of the section"
PICK_ENCODER = "Choose the folder of an image encoder"
NO_IMAGE = (
    "Expected an image of the section; it has none. Choose a file or an image layer "
    "under Image."
)
IMAGE_GONE = "Expected an image at {path}; there is none. Choose it again under Image."
NO_FEATURES = (
    "Expected image features in obsm[{key!r}] of the section; there are none. Choose "
    "another image encoder."
)
LAYER_NO_FILE = (
    "Expected an image layer that shows a file; this one is in memory only. Save it as "
    "TIFF (File > Save Selected Layers...), and choose the file under Image."
)
LAYER_MOVED = (
    "Expected an image layer that lies on the spots with its own pixels; this one was "
    "turned, moved or stretched. Align the section's own image in Open data, or save "
    "the layer as it should lie, and choose the file under Image."
)
NO_TIMM = (
    "Expected the package timm for this image encoder; it is not installed. Run "
    'pip install "napari-semst[histology]", or choose builtin or hf:ID.'
)
NO_ENCODER = (
    "Expected an image encoder: builtin, timm:ID, hf:ID or obsm:KEY; got {name!r}. "
    "Choose one under Image encoder."
)
ENCODER_BUILTIN = (
    "Stains, intensity, texture and nuclei of each patch. Needs no download."
)
ENCODER_OBSM = "Features that the section already holds, in obsm[{key!r}]."
ENCODER_LEARNT = "A network that learnt from {trained_on}. Licence: {licence}."
ENCODER_GATED = (
    "Accept the terms at huggingface.co first; the token comes from the environment "
    "(HF_TOKEN)."
)
ENCODER_FOLDER = "A folder of this machine. No download."
ENCODER_OTHER = (
    "A network of Hugging Face; a run downloads it where it is not on this machine. "
    "Licence: see its page."
)
ENCODER_UNKNOWN = "Type builtin, timm:ID, hf:ID or obsm:KEY, or choose a folder."
USE_IMAGE = "Read the image, too"
REFERENCE = "Reference sections"
REFERENCE_NONE = "None: all sections teach what images lead to expect, and are asked."
REFERENCE_ONE = (
    "One teaches, the others are asked. From a single section little can be told: tick "
    "two or more where you have them."
)
REFERENCE_SOME = "Those ticked teach, the others are asked."
REFERENCE_ALL = (
    "Expected a section that is asked; all are ticked as reference. Untick those that "
    "are to be asked, or all."
)
REFERENCE_MISSING = (
    "Settings name reference sections that are not here: {names}. Tick those that are "
    "to teach, or open them."
)
GUIDED_LABELS = {
    "latent_dim": "Latent",
    "hidden_dim": "Hidden layers",
    "graph_type": "Spatial graph",
    "k_neighbors": "Nearest spots",
    "radius": "Radius",
    "kl_weight_max": "KL weight",
    "free_bits": "Free bits",
    "folds": "Folds",
    "permutations": "Permutations",
    "discordance_fdr": "Discordance FDR",
}
GRAPHS = {
    "knn": "Nearest spots",
    "radius": "All within a radius",
    "delaunay": "Delaunay triangulation",
}

TIPS = {
    "method": "How domains are found.",
    "use_image": (
        "Let SemST read the histology around each spot, besides expression and meaning."
    ),
    "image": (
        "The section's own image, an image layer that shows a file, or a file, in "
        "whose pixels the coordinates are. Large ones are read by tile."
    ),
    "image_scale": "Pixels of the image file along one unit of the coordinates.",
    "image_encoder": (
        "What describes the image around each spot: builtin, or a network by its name "
        "(timm:ID, hf:ID) or folder; or features that the section holds (obsm:KEY)."
    ),
    "image_diameter": (
        "Diameter of a spot in units of the coordinates. Automatic: from the file, "
        "else the distance to the nearest spot."
    ),
    "reference": (
        "Normal sections, which teach what images lead to expect. They are not asked "
        "themselves. Where none is ticked, all teach, and all are asked."
    ),
    "image_context": "Side of the wider patch around a spot.",
}
