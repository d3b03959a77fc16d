"""To which servers the user lets a key go: asked once for each, and remembered."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from napari_semst.core.json_text import parse_json
from napari_semst.core.settings_folder import settings_folder
from napari_semst.errors import SemanticsError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from pathlib import Path

    from napari_semst.semantics.server.credentials import ServerAddress

# Hosts (with their port, if the address has one), apart by commas or spaces.
HOSTS_VARIABLE = "SEMST_KEY_HOSTS"
_NAME = "key_hosts.json"


def consent_file() -> Path:
    """Return where consents are kept."""
    return settings_folder() / _NAME


def may_receive_key(address: ServerAddress, variable: str) -> bool:
    """Return whether the key of a variable may go to a server.

    Servers on this machine need no consent. A consent is for one scheme, host, port and
    variable: a settings file of somebody else cannot extend it.

    Parameters
    ----------
    address
        Where the key would go.
    variable
        The environment variable that holds it.
    """
    if address.is_local:
        return True
    named = os.environ.get(HOSTS_VARIABLE, "").replace(",", " ").lower().split()
    return address.host.lower() in named or variable in _consents().get(
        _origin(address), []
    )


def allow_key(address: ServerAddress, variable: str) -> None:
    """Remember that the key of a variable may go to a server.

    Raises
    ------
    SemanticsError
        If that cannot be written down.
    """
    from napari_semst.io.export.atomic import write_atomically

    consents = _consents()
    variables = consents.setdefault(_origin(address), [])
    if variable not in variables:
        variables.append(variable)
    text = json.dumps(consents, indent=2)

    def write(place: Path) -> None:
        place.write_text(text, encoding="utf-8")

    def check(place: Path) -> None:
        parse_json(place.read_text(encoding="utf-8"))

    path = consent_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write, check, overwrite=True, suffix=path.suffix)
    except OSError as error:
        raise SemanticsError(
            f"Expected to remember in {path} where the key may go; {error}. Set "
            f"{HOSTS_VARIABLE}={address.host} instead."
        ) from error


def consent_refusal(address: ServerAddress, variable: str) -> Worded:
    """Return why a key was not sent, and how to allow it."""
    environment = f"set {HOSTS_VARIABLE}={address.host}"
    return Worded(
        f"Expected your consent before the key of {variable} goes to {address.host} "
        "for the first time; found none. Nothing was sent. If you trust that server, ",
        Way(
            f"run 'semst server {address.url} --send-key' once, or {environment}",
            f"{environment} in the environment",
            "choose it as source in Find domains, and answer the question",
        ),
        "; if it wants no key, set SEMST_API_KEY to nothing.",
    )


def _origin(address: ServerAddress) -> str:
    scheme = "https" if address.is_encrypted else "http"
    return f"{scheme}://{address.host.lower()}"


def _consents() -> dict[str, list[str]]:
    """Return the variables allowed by origin; damaged files allow nothing."""
    try:
        kept: Any = parse_json(consent_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {
        str(origin): [str(name) for name in variables]
        for origin, variables in kept.items()
        if isinstance(variables, list)
    }
