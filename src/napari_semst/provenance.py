"""What was run, with what, on what."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_semst.prepare.section import Section

_PACKAGES = ("napari-semst", "numpy", "scipy", "scikit-learn", "scanpy", "torch")


def versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    import platform

    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def section_hash(section: Section) -> str:
    """Return a SHA-256 of the counts, genes and coordinates that were used."""
    digest = hashlib.sha256()
    counts = section.counts
    for part in (counts.indptr, counts.indices):
        digest.update(np.ascontiguousarray(part, dtype=np.int64).view(np.uint8).data)
    for part in (counts.data, section.coordinates):
        digest.update(np.ascontiguousarray(part, dtype=np.float64).view(np.uint8).data)
    digest.update("\n".join(section.genes.tolist()).encode())
    return digest.hexdigest()
