from __future__ import annotations

from napari_semst.config import Request
from napari_semst.methods.resolve import resolve


def test_an_address_that_no_server_is_asked_at_is_not_kept():
    url = "https://me:password@host/v1"
    request = Request().with_settings("semantics", url=url)
    for source in ("builtin", "none"):
        asked = request.with_settings("semantics", source=source)
        assert "password" not in str(resolve(asked).to_dict())
    asked = request.with_settings("semantics", source="server", url="http://a/v1")
    assert resolve(asked).semantics.url == "http://a/v1"
