"""What reading an array file may raise."""

from __future__ import annotations

import zipfile
import zlib

# A damaged .npz fails in the zip archive, in its compression, or in the array within;
# RuntimeError stands for encrypted members and for unknown compression, MemoryError
# for a damaged shape, TypeError for a single array where an archive was expected.
UNREADABLE: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)
