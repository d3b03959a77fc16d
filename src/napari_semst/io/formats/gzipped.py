"""Files packed by gzip, as repositories keep them: unpacked up to a limit."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKED = ".gz"
_MAGIC = b"\x1f\x8b"
_BLOCK = 4 * MEGABYTE
_READ_AT_ONCE = MEGABYTE
# A header that names a million spots has this size.
LONGEST_LINE = 64 * MEGABYTE
# Tables of zeros are packed to a hundredth.
_MOST_UNPACKED, _HARMLESS_TEXT = 400, 256 * MEGABYTE


def is_packed(path: Path) -> bool:
    """Return whether a file is packed by gzip, judged by what is inside."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def unpacked_name(path: Path) -> str:
    """Return a file's name without the ending of packed files."""
    return path.name.removesuffix(PACKED)


def open_unpacked(path: Path, what: str = "the table") -> IO[bytes]:
    """Return an open file of text, unpacked where it is packed, up to a limit.

    Parameters
    ----------
    path, what
        The file, and what it should be, as a user says it.

    Raises
    ------
    InputError
        While it is read: once it holds far more than text that is packed so well, or
        a line longer than any header.
    """
    packed = is_packed(path)
    opened: Any = gzip.open(path, "rb") if packed else path.open("rb")  # noqa: SIM115
    size = path.stat().st_size
    most = _MOST_UNPACKED * size + _HARMLESS_TEXT if packed else size + MEGABYTE
    return io.BufferedReader(
        _Bounded(opened, path, what, most, LONGEST_LINE), _READ_AT_ONCE
    )


@contextmanager
def open_bytes(path: Path, what: str, at_most: int) -> Iterator[IO[bytes]]:
    """Open a file, unpacked where it is packed.

    Parameters
    ----------
    path, what
        The file, and what it should be, as a user says it.
    at_most
        Bytes that it may hold. A small packed file can hold any number.

    Raises
    ------
    InputError
        While it is read, once it holds more.
    """
    if not is_packed(path):
        with path.open("rb") as plain:
            yield plain
        return
    with gzip.open(path, "rb") as packed:
        yield io.BufferedReader(_Bounded(packed, path, what, at_most), _BLOCK)


def read_bytes(path: Path, what: str, at_most: int) -> bytes:
    """Return what a file holds, unpacked where it is packed.

    Raises
    ------
    InputError
        If it holds more bytes than ``at_most``.
    """
    with open_bytes(path, what, at_most) as file:
        return file.read()


@contextmanager
def unpacked_file(path: Path, what: str, at_most: int) -> Iterator[IO[bytes] | Path]:
    """Give a file that libraries can search in: the file, or an unpacked copy of it.

    The copy is a file without a name, which is gone after the block.

    Raises
    ------
    InputError
        If it holds more bytes than ``at_most``.
    """
    if not is_packed(path):
        yield path
        return
    with tempfile.TemporaryFile() as copy, open_bytes(path, what, at_most) as file:
        shutil.copyfileobj(file, copy, _BLOCK)
        copy.seek(0)
        yield copy


class _Bounded(io.RawIOBase):
    """What is unpacked, up to a number of bytes; lines of text up to another."""

    def __init__(
        self,
        file: IO[bytes] | gzip.GzipFile,
        path: Path,
        what: str,
        at_most: int,
        longest_line: int = 0,
    ) -> None:
        super().__init__()
        self._file, self._left = file, at_most
        self._longest, self._in_line = longest_line, 0
        self._words = (
            f"Expected {what} {path} to hold at most {at_most // MEGABYTE:,} MB once "
            "it is unpacked; it holds more. It is probably another file."
        )
        self._no_lines = (
            f"Expected {what} {path} to be lines of text; one of them holds more than "
            f"{longest_line // MEGABYTE:,} MB. It is probably another file."
        )

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        block = self._file.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise InputError(self._words)
        if self._longest:
            self._follow_line(block)
        buffer[: len(block)] = block
        return len(block)

    def _follow_line(self, block: bytes) -> None:
        """Refuse a line that does not end, once it is longer than any header."""
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._in_line = len(block) - end - 1 + (self._in_line if end < 0 else 0)
        if self._in_line > self._longest:
            raise InputError(self._no_lines)
