"""Where an embedding server is, checked before anything is sent there."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from napari_semst.errors import SemanticsError


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address: ``url`` without the endpoint, and its ``host`` with port."""

    url: str
    host: str
    is_local: bool
    is_encrypted: bool


def address(url: str) -> Address:
    """Return the parts of a server's address.

    Raises
    ------
    SemanticsError
        If it is no http or https address, or holds more than a place; it is not
        repeated, as it may hold a password.
    """
    example = "Give one such as http://localhost:8000/v1"
    url = url.strip().rstrip("/").removesuffix("/embeddings").rstrip("/")
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        parts, name, port = urlsplit(""), "", None
    if parts.scheme not in ("http", "https") or not name or not url.isprintable():
        raise SemanticsError(
            "Expected the address of a server that begins with http:// or https://; "
            f"got {'another' if url else 'none'}. {example}."
        )
    if "@" in parts.netloc or "?" in url or "#" in url or " " in url:
        raise SemanticsError(
            f"Expected an address of {name} without name, password or query; got one "
            f"with more. {example}, and a key in SEMST_API_KEY."
        )
    host = name if port is None else f"{name}:{port}"
    return Address(url, host, _is_local(name), parts.scheme == "https")


def _is_local(name: str) -> bool:
    """Return whether a host is this machine: by number, as 127.evil.org is none."""
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
