"""Asks before a key goes to a server for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMessageBox, QWidget

from napari_semst.errors import SemanticsError
from napari_semst.widgets.shared.question import agrees
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from napari_semst.semantics.server.credentials import ServerAddress

KEY_TITLE = "Send the key?"
KEY_ASKED = "The key of {variable} has not gone to {host} before."
KEY_MEANS = (
    "Who runs that server can then use the key. Send it only if you know the server, "
    "not because a settings file names it. You are asked once for each server."
)
SEND_KEY = "Send the key"
KEY_KEPT_TITLE = "The choice was not kept"


def agrees_to_send_key(window: QWidget, url: str) -> bool:
    """Return whether the key may go to a server; ask where that is not known.

    Parameters
    ----------
    window
        The dock.
    url
        The server's address.

    Raises
    ------
    SemanticsError
        If it is no address, or the key cannot be sent.
    """
    from napari_semst.semantics.server.credentials import (
        key_from_environment,
        parse_address,
    )
    from napari_semst.semantics.server.key_consent import may_receive_key

    address = parse_address(url)
    key = key_from_environment(encrypted=address.is_encrypted)
    if not key or may_receive_key(address, key.variable):
        return True
    return _ask(window, address, key.variable) and _keep(window, address, key.variable)


def _ask(window: QWidget, address: ServerAddress, variable: str) -> bool:
    asked = KEY_ASKED.format(variable=variable, host=address.host)
    return agrees(window, KEY_TITLE, asked, KEY_MEANS, SEND_KEY)


def _keep(window: QWidget, address: ServerAddress, variable: str) -> bool:
    from napari_semst.semantics.server.key_consent import allow_key

    try:
        allow_key(address, variable)
    except SemanticsError as error:
        QMessageBox.warning(window, KEY_KEPT_TITLE, for_window(error))
        return False
    return True
