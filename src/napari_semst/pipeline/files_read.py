"""Which files a command reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_semst.config import Config

# Settings that name a file or a folder of files.
_NAMING = (
    "model.weights",
    "semantics.embedding",
    "semantics.table",
    "semantics.summaries",
    "morphology.image",
)


def inputs_of(source: Path, config: Config | None = None) -> list[Path]:
    """Return what is read of an input and of the files that settings name.

    Parameters
    ----------
    source
        A file or a folder; a folder stands for all that it holds.
    config
        The settings of the run, if there is one.
    """
    source = source.expanduser()
    if source.is_dir() or not source.exists():
        return [source, *(place for _, place in named_files(config))]
    return list(files_read(source, config))


def files_read(source: Path, config: Config | None = None) -> Iterator[Path]:
    """Yield every file that a run reads, in an order that stays.

    Parameters
    ----------
    source, config
        As for `inputs_of`.
    """
    if source.is_dir():
        yield from _files_of_folder(source)
    else:
        yield from _tables(source) or [source]
    for _, place in named_files(config):
        yield from files_inside(place)


def named_files(config: Config | None) -> Iterator[tuple[str, Path]]:
    """Yield every setting that names a file or folder, and that one where it is."""
    if config is None:
        return
    for setting in _NAMING:
        stage, _, name = setting.partition(".")
        given = getattr(getattr(config, stage), name)
        # Of an embedding it may also be a key of the tissue.
        if given and (place := Path(given).expanduser()).exists():
            yield setting, place


def files_inside(place: Path) -> list[Path]:
    """Return a file, or all files of a folder, in an order that stays."""
    if not place.is_dir():
        return [place]
    return sorted(file for file in place.rglob("*") if file.is_file())


def _files_of_folder(source: Path) -> Iterator[Path]:
    from napari_semst.io.readers.registry import detect_format

    if detect_format(source) is None:  # reading it says what is wrong
        return
    yield from _tables(source) or files_inside(source)  # a store is read whole


def _tables(source: Path) -> list[Path]:
    """Return the files of an instrument's folder, empty for other inputs."""
    from napari_semst.io.readers.registry import detect_format

    kind = detect_format(source)
    found = [] if kind is None or kind.tables is None else kind.tables(source)
    return [file for table in found for file in _whole(table)]


def _whole(path: Path) -> list[Path]:
    """Return a file, or the files of a folder that is a matrix."""
    return sorted(path.iterdir()) if path.is_dir() else [path]
