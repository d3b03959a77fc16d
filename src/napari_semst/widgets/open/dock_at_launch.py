"""Which dock napari's command line means where it names the plugin and no dock.

``napari FILE -w napari-semst`` opens the first dock of the manifest, after the file.
The manifest has the docks in the order of use, as menus show them; who gave a file is
past the first one.
"""

from __future__ import annotations

import sys
from itertools import takewhile
from typing import TYPE_CHECKING

from napari_semst.viewer.spots import tissue_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

PLUGIN = "napari-semst"
FITS_A_SECTION = "Find domains"
_OPTIONS = ("-w", "--with")


def names_no_dock(arguments: Sequence[str] | None = None) -> bool:
    """Return whether a command line of napari asks for the plugin, but for no dock.

    Parameters
    ----------
    arguments
        What follows the program's name; those of this process unless given.
    """
    given = sys.argv[1:] if arguments is None else arguments
    for place, argument in enumerate(given):
        option, _, joined = argument.partition("=")
        if option not in _OPTIONS:
            continue
        after = given[place + 1 :]
        # As argparse has it: what is joined to an option is all that it takes.
        names = [joined] if joined else takewhile(lambda x: x[:1] != "-", after)
        if list(names) == [PLUGIN]:
            return True
    return False


def open_fitting_dock(dock: QWidget, viewer: Viewer) -> None:
    """Put the dock that finds domains in the place of this one, if there is a section.

    Parameters
    ----------
    dock
        The dock that napari opened; it is in the window.
    viewer
        Its viewer; without a section in it nothing is done.
    """
    if not any(tissue_of(layer) is not None for layer in viewer.layers):
        return
    viewer.window.add_plugin_dock_widget(PLUGIN, FITS_A_SECTION, tabify=True)
    # Not hidden: the menu would make another one, it knows this one by another name.
    viewer.window.remove_dock_widget(dock)
