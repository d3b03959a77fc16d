"""The files that a run read, by their bytes."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from napari_semst.core.progress import Progress
from napari_semst.errors import InputError
from napari_semst.pipeline.files_read import files_inside, files_read, named_files
from napari_semst.pipeline.provenance import INPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from napari_semst.config import Config
    from napari_semst.core.progress import RunControl
    from napari_semst.pipeline.result import DomainResult

INPUT, MODEL = "input", "model"
_BLOCK = 2**22
_SECONDS_BETWEEN_EVENTS = 0.25


def with_inputs(
    steps: Generator[Progress, None, DomainResult],
    sources: Sequence[Path],
    config: Config,
    control: RunControl,
    *,
    spots: str = "all",
    model: Path | None = None,
    known: Mapping[str, Any] | None = None,
    tell: Callable[[Mapping[str, Any]], None] | None = None,
) -> Generator[Progress, None, DomainResult]:
    """Hash the files that a run reads, go on with it, and note them in its provenance.

    Parameters
    ----------
    steps
        The run, not begun yet.
    sources, config, model
        As for `input_record`; settings as they were asked for.
    spots
        Which spots of them are used, in words.
    known
        The record, where it was made before.
    tell
        Called with the record before the run begins.
    """
    found = known
    if found is None:
        found = yield from input_record(sources, config, control, model)
    if tell is not None:
        tell(found)
    result = yield from steps
    more = {"spots": spots}
    if len(sources) > 1:
        # Joined, these have their usual places.
        wanted = config.prepare
        more |= {"layer": wanted.counts_layer, "places": wanted.coordinates}
    result.provenance[INPUTS] = {**found, **more}
    return result


def input_record(
    sources: Sequence[Path],
    config: Config | None,
    control: RunControl,
    model: Path | None = None,
) -> Generator[Progress, None, dict[str, Any]]:
    """Return what tells the files of a run apart: columns with a row for each.

    Parameters
    ----------
    sources
        Files and folders, each a section.
    config
        Its settings may name more.
    model
        The file of a saved model that labels them.

    Returns
    -------
    record
        ``role`` (input, model, or the setting that names it), ``given`` (the path as it
        was given), ``path`` (the whole one), ``files`` and ``bytes`` (how many), and
        ``sha256``: of a file that of its bytes, of several that of a list as
        ``sha256sum`` writes it.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    wanted = [(INPUT, source, source_files(source)) for source in sources]
    if model is not None:
        wanted.append((MODEL, model, [model]))
    wanted += [
        (setting, place, files_inside(place)) for setting, place in named_files(config)
    ]
    columns = ("role", "given", "path", "files", "bytes", "sha256")
    record: dict[str, Any] = {name: [] for name in columns}
    for role, place, files in wanted:
        digest, size = yield from hash_files(place, files, control)
        whole = str(place.expanduser().absolute())
        row = (role, str(place), whole, len(files), size, digest)
        for name, value in zip(columns, row, strict=True):
            record[name].append(value)
    return record


def source_files(source: Path) -> list[Path]:
    """Return the files that are read of an input."""
    return list(files_read(source.expanduser()))


def hash_files(
    place: Path, files: Sequence[Path], control: RunControl
) -> Generator[Progress, None, tuple[str, int]]:
    """Return the SHA-256 of what a path stands for, and how many bytes that is.

    Parameters
    ----------
    place
        A file, or a folder.
    files
        Those of it that are read.

    Raises
    ------
    InputError
        If one cannot be read.
    """
    from napari_semst.io.checks import translate_errors

    home = place.expanduser()
    home = home if home.is_dir() else home.parent
    size, listed = 0, []
    for file in files:
        with translate_errors(file, "a readable file"):
            digest, length = yield from _hash_file(file, control)
        inside = file.is_relative_to(home)
        name = file.relative_to(home).as_posix() if inside else file.name
        listed.append((digest, name))
        size += length
    if len(listed) == 1 and not place.expanduser().is_dir():
        return listed[0][0], size
    lines = "".join(f"{digest}  {name}\n" for digest, name in listed)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest(), size


def _hash_file(
    file: Path, control: RunControl
) -> Generator[Progress, None, tuple[str, int]]:
    if file.exists() and not file.is_file():
        # A device or a pipe, which results of others may name, has no end.
        raise InputError(f"Expected a file at {file}; found something else.")
    digest, done = hashlib.sha256(), 0
    whole, told = file.stat().st_size, time.monotonic()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            control.check()
            digest.update(block)
            done += len(block)
            if time.monotonic() - told > _SECONDS_BETWEEN_EVENTS:
                told = time.monotonic()
                message = f"Hashing {file.name}"
                # In MB: more bytes than a progress bar of some windows counts.
                yield Progress("read", done >> 20, max(whole >> 20, 1), message)
    return digest.hexdigest(), done
