"""The one way from a tissue to its domains, and what is written of it.

`find_domains` is the generator that dock, shell and scripts walk; `attach` writes the
`DomainResult` that it returns.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["DomainResult", "attach", "find_domains"]


def __getattr__(name: str) -> Any:
    """Import what scripts ask for when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.run"), name)
