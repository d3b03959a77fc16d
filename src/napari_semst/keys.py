"""Every key under which results are written into a tissue, named once."""

from __future__ import annotations

import re

from napari_semst.errors import ConfigError

DOMAIN = "semst_domain"
# Not "semst_domain_fine": that is where a run named "fine" has its domains.
FINE = "semst_fine_domain"
CONFIDENCE = "semst_confidence"
MODULATION = "semst_modulation"
MODULATION_SCALE = "semst_modulation_scale"
MODULATION_SHIFT = "semst_modulation_shift"
COVERAGE = "semst_semantic_coverage"
LATENT = "X_semst"
SCALE = "semst_scale"
SHIFT = "semst_shift"
# The image-guided method: how far the image misleads about expression, how unusual
# expression is among spots that look alike, p-values of both, the false discovery rate
# over both, whether the spot is called discordant and of which kind, and how far
# expression is from what the image predicts.
DISCORDANCE = "ig_discordance"
DISCORDANCE_P = "ig_discordance_p"
DISCORDANCE_FDR = "ig_discordance_fdr"
DISCORDANT = "ig_discordant"
DISCORDANCE_KIND = "ig_discordance_kind"
DISCORDANT_REGION = "ig_discordant_region"
UNEXPLAINED = "ig_unexplained"
UNEXPLAINED_P = "ig_unexplained_p"
SURPRISE = "ig_surprise"
# Of several sections, whether a spot was compared, and if not, why.
COMPARED = "ig_compared"
# The network's own divergence by dimension of the latent; the map is not made of it.
DIVERGENCE = "ig_kl"
# What spots express and what their image predicts, in the directions that it predicts.
EXPRESSED = "ig_expressed"
EXPECTED = "ig_expected"
IMAGE_FEATURES = "ig_image_features"
IMAGE_FLAG = "ig_image_flag"
# Names taken from another section: of spots, of their domains, how like and how sure;
# in uns the table of domains.
TRANSFER = "semst_transfer"
TRANSFER_DOMAIN = "semst_transfer_domain"
TRANSFER_SCORE = "semst_transfer_score"
TRANSFER_Q = "semst_transfer_q"
RUNS = "semst"
LATEST = "semst_latest"
SPATIAL = "spatial"
# Where a converted file comes from.
CONVERSION = "semst_conversion"
# How images were turned and shifted by hand, by library.
ALIGNMENT = "semst_alignment"
# Pairs of places on images and among spots that images are registered by, by library.
LANDMARKS = "semst_landmarks"
# What was done to a section in the window, to be done again.
SESSION = "semst_session"
# Which section a spot is of, where several were joined.
SECTION = "semst_section"
# Counts of all genes of every section, where joined sections have few in common, and
# the names of these genes; in X where none is common, the sections that count a gene.
OWN_COUNTS = "semst_own_counts"
OWN_GENES = "semst_own_genes"
COUNTED_IN = "semst_counted_in"
DEFAULT_RUN = "default"

# What the names of results begin with; no column of a user's own does.
RESULTS = ("semst_", "ig_")

# scanpy's convention for the colours of a categorical column.
COLORS_SUFFIX = "_colors"

_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_run_name(run: str) -> str:
    """Return the run name if it can be part of a column name.

    Raises
    ------
    ConfigError
        If it has other characters than letters, digits, ``_``, ``.`` and ``-``, or
        is longer than 64.
    """
    if not _RUN_NAME.fullmatch(run):
        raise ConfigError(
            "Expected a run name of 1 to 64 letters, digits, '_', '.' or '-', "
            f"starting with a letter or digit; got {run!r}. Rename the run."
        )
    return run


def of_run(key: str, run: str) -> str:
    """Return the key under which a named run's own copy of a result stands."""
    return f"{key}_{check_run_name(run)}"
