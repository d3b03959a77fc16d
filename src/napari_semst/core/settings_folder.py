"""Where what the user chose is kept from one use to the next."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS_VARIABLE = "SEMST_SETTINGS"


def settings_folder() -> Path:
    """Return the folder that ``SEMST_SETTINGS`` names, else the user's own."""
    if chosen := os.environ.get(SETTINGS_VARIABLE):
        return Path(chosen).expanduser()
    from platformdirs import user_config_path

    return user_config_path("napari-semst", appauthor=False)
