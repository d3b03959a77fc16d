"""The files that a run read, where they are now, against their hashes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import Cancelled, ConfigError, SemstError
from napari_semst.pipeline.input_files import INPUT, MODEL, hash_files, source_files
from napari_semst.verification.check import DIFFERS, HOLDS, NOTE, UNKNOWN, Check
from napari_semst.wording import Way, Worded, message

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from anndata import AnnData

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.verification.saved import SavedRun

_SHOWN = 12
# Said of a file that is not where it was.
NAME_IT = Way(" Say where it is with --input.", " Say where it is (inputs=[...]).", "")


@dataclass(frozen=True, slots=True)
class FilesFound:
    """The files of a run as they are now.

    Parameters
    ----------
    checks
        One of each.
    places
        Where each recorded file is now; `None` where it is not found.
    roles
        What each is, likewise.
    tissue
        The input as it was read again; `None` where it was not.
    """

    checks: tuple[Check, ...]
    places: tuple[Path | None, ...]
    roles: tuple[str, ...]
    tissue: AnnData | None

    def of_role(self, role: str) -> list[Path | None]:
        """Return where the files of one role are."""
        found = zip(self.roles, self.places, strict=True)
        return [place for name, place in found if name == role]


def check_files(
    saved: SavedRun,
    given: Sequence[Path],
    control: RunControl,
    *,
    read_anyway: bool,
) -> Generator[Progress, None, FilesFound]:
    """Hash the files that a run read; read those again whose bytes are others.

    Parameters
    ----------
    given
        Where some of them are now.
    read_anyway
        Whether the input is read whatever its bytes are.

    Raises
    ------
    ConfigError
        If more are given than the run read, or one is not there.
    """
    from napari_semst.verification.language_models import check_language_model

    rows = saved.files
    if not rows:
        rows = [{"role": INPUT, "path": str(place), "sha256": ""} for place in given]
        if not rows:
            return FilesFound((_unrecorded(saved),), (), (), None)
    places = find_places(rows, given, saved)
    roles = tuple(row["role"] for row in rows)
    checks = []
    for row, place in zip(rows, places, strict=True):
        checks.append((yield from _check_bytes(row, place, control)))
    inputs = [role == INPUT for role in roles]
    others = [
        number
        for number, (check, is_input) in enumerate(zip(checks, inputs, strict=True))
        if is_input and check.state == DIFFERS
    ]
    tissue = None
    readable = all(place for place, of in zip(places, inputs, strict=True) if of)
    if readable and (others or read_anyway):
        sources = [p for p, of in zip(places, inputs, strict=True) if of and p]
        tissue, told = yield from _read_again(saved, sources, control)
        for number in others:
            checks[number] = _by_contents(saved, checks[number], told)
    more = yield from check_language_model(saved, control)
    return FilesFound((*checks, *more), tuple(places), roles, tissue)


def _unrecorded(saved: SavedRun) -> Check:
    if saved.content:
        text = Worded(
            "the run was made of a tissue in memory, whose file it does not know.",
            Way(" Compare one with --input.", " Compare one (inputs=[...]).", ""),
        )
        return Check(INPUT, NOTE, text)
    return Check(INPUT, UNKNOWN, "cannot be told: the run recorded no file it read")


def find_places(
    rows: Sequence[dict[str, str]], given: Sequence[Path], saved: SavedRun
) -> list[Path | None]:
    """Return where each file is: as given by name, where it was, beside the result.

    Raises
    ------
    ConfigError
        If a given one is not there, or there are more than files that the run read.
    """
    for place in given:
        if not place.exists():
            raise ConfigError(
                f"Expected a file or folder at {place}; there is none. Check the path."
            )
    left = list(given)
    found: list[Path | None] = [None] * len(rows)
    for number, row in enumerate(rows):
        same = [place for place in left if place.name == Path(row["path"]).name]
        if same:
            found[number] = same[0]
            left.remove(same[0])
    for number, row in enumerate(rows):
        if found[number] is None and left:
            found[number] = left.pop(0)
        if found[number] is None:
            found[number] = _where_it_was(row, saved)
    if left:
        raise ConfigError(
            f"Expected at most {len(rows)} files that the run read; got {len(given)}. "
            "Leave the others out."
        )
    return found


def _where_it_was(row: dict[str, str], saved: SavedRun) -> Path | None:
    recorded = Path(row["path"])
    candidates = [recorded]
    if saved.path:
        candidates.append(Path(saved.path).absolute().parent / recorded.name)
    return next((place for place in candidates if place.exists()), None)


def _check_bytes(
    row: dict[str, str], place: Path | None, control: RunControl
) -> Generator[Progress, None, Check]:
    """Compare the bytes of a file, or of the files of a folder, with their hash."""
    role, name = row["role"], Path(row["path"]).name
    if place is None:
        gone = Worded(f"{name} is not at {row['path']} any more.", NAME_IT)
        return Check(role, UNKNOWN, gone)
    folder = role not in (INPUT, MODEL) and place.is_dir()
    try:
        from napari_semst.pipeline.files_read import files_inside

        files = files_inside(place) if folder or role == MODEL else source_files(place)
        digest, _ = yield from hash_files(place, files, control)
    except Cancelled:
        raise
    except SemstError as error:
        return Check(role, UNKNOWN, message(error))
    where = name if place.name == name else f"{place.name} (then {name})"
    if digest == row["sha256"]:
        return Check(role, HOLDS, f"{where}: the same bytes, SHA-256 {digest[:_SHOWN]}")
    then = row["sha256"][:_SHOWN]
    text = f"{where}: SHA-256 {digest[:_SHOWN]}, not {then}" if then else where
    return Check(role, DIFFERS, text)


def _read_again(
    saved: SavedRun, sources: Sequence[Path], control: RunControl
) -> Generator[Progress, None, tuple[AnnData | None, str | SemstError]]:
    """Return the input, and how what it holds differs from what the run read."""
    from napari_semst.core.progress import Progress
    from napari_semst.verification.contents import other_contents
    from napari_semst.verification.read_again import read_again

    yield Progress("read", 0, 0, "Reading the input")
    try:
        tissue = read_again(saved, sources)
        control.check()
        return tissue, (yield from other_contents(saved, tissue, control))
    except Cancelled:
        raise
    except SemstError as error:
        return None, error


def _by_contents(saved: SavedRun, check: Check, told: str | SemstError) -> Check:
    """Return the check of an input of other bytes by what stands in it."""
    from napari_semst.verification.contents import contents_in_words

    if isinstance(told, SemstError):
        text = f"{check.text}, and cannot be read as the run read it: {message(told)}"
        return Check(check.name, DIFFERS, text)
    if not saved.content:
        text = f"{check.text}; whether its counts are those of the run cannot be told"
        return Check(check.name, UNKNOWN, text)
    if told:
        return Check(check.name, DIFFERS, f"{check.text}: {told}")
    same = contents_in_words(saved)
    text = f"{check.text}: saved again, with the same {same}"
    return Check(check.name, HOLDS, text)
