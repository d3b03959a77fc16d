"""The record of a section's session, in the section: it is saved and restored with it.

It stands as text in ``uns["semst_session"]``, lines of JSON: first its version and by
what to tell whether something was done since that it does not know of, then each
action in their order. Nothing of these is read to add one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.core.json_text import parse_json
from napari_semst.errors import InputError
from napari_semst.session.actions import Action, actions_from
from napari_semst.session.standing import TOUCHED, standing_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

_VERSION = 2
UNKNOWN_CHANGE = (
    "runs or edits of a program that does not keep this record, such as a script; "
    "what follows does without them"
)
# Places of an image that is being moved come many a second: the last one counts.
_LAST_COUNTS = {"align": ("library",), "transcripts": ()}
_CHOICES = ("counts", "positions", "part", "features")


def begin_session(tissue: AnnData, origin: Action) -> None:
    """Begin the record of a section that was just opened.

    Where the section's file holds a record that can be repeated, and nothing was done
    since that it does not know of, that goes on: the whole way from the instrument's
    files is kept. What is read from a file with other choices begins with these.

    Parameters
    ----------
    tissue
        The section; `uns` gets the record.
    origin
        Where it is from: an action of `ORIGINS`.
    """
    chosen = _choices(origin)
    with suppress(InputError):  # of a damaged record nothing goes on
        done = session_actions(tissue)
        as_before = not chosen or (bool(done) and chosen == _choices(done[0]))
        if as_before and has_beginning(done) and is_complete(tissue):
            return
    _keep(tissue, (origin,))


def _choices(origin: Action) -> dict[str, Any]:
    """Return the choices made while reading, with the file that they are of."""
    made = {name: origin.given[name] for name in _CHOICES if origin.given.get(name)}
    return {"path": origin.given.get("path"), **made} if made else {}


def has_beginning(actions: Sequence[Action]) -> bool:
    """Return whether actions begin with what can be had again, as all they join do."""
    if not actions or actions[0].name == "unknown":
        return False
    if actions[0].name != "join":
        return True
    try:
        parts = [listed for _, listed in actions[0].given["sections"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"Expected the sections that were joined; found {error!r}. The record is "
            "damaged."
        ) from error
    return all(has_beginning(actions_from(listed)) for listed in parts)


def record_action(tissue: AnnData, action: Action) -> None:
    """Add an action to a section's record, after it was done.

    What changed since the action before and is nothing that this one changes was done
    by others: that is recorded too.
    """
    head, lines = _split(tissue)
    if not lines:
        lines = _line(Action("unknown"))
    now = standing_of(tissue)
    before = head.get("state")
    if isinstance(before, dict):
        # Of what is not known to leave something alone all may come.
        touched = TOUCHED.get(action.name, tuple(now))
        if any(before.get(part) != now[part] for part in now if part not in touched):
            lines += "\n" + _line(Action("other", {"what": UNKNOWN_CHANGE}))
    earlier, _, last = lines.rpartition("\n")
    if _replaces(action, last):
        lines = earlier
    _write(tissue, now, f"{lines}\n{_line(action)}" if lines else _line(action))


def _replaces(action: Action, last: str) -> bool:
    """Return whether an action is put in the place of the last one, of its line."""
    alike = _LAST_COUNTS.get(action.name)
    if alike is None or not last.startswith(f'["{action.name}",'):
        return False
    given = parse_json(last)[1]
    return all(given.get(key) == action.given.get(key) for key in alike)


def forget_action(tissue: AnnData, action: Action) -> None:
    """Take the last action equal to one out of a record: it failed after all."""
    done = list(session_actions(tissue))
    for place in reversed(range(len(done))):
        if done[place] == action:
            del done[place]
            _keep(tissue, done, anew=False)
            return


def settle_origin(tissue: AnnData, saved: Action) -> None:
    """Let a section of unknown origin come from the file that it was saved as.

    Parameters
    ----------
    saved
        The action that wrote it, which is in the record.
    """
    done = list(session_actions(tissue))
    if saved in done and not has_beginning(done):
        since = done[done.index(saved) + 1 :]
        read = Action("read", {"path": saved.given["path"]})
        _keep(tissue, (read, *since), anew=False)


def session_actions(tissue: AnnData) -> tuple[Action, ...]:
    """Return what a section's record holds, nothing where it has none.

    Raises
    ------
    InputError
        If the record is damaged.
    """
    _, lines = _split(tissue)
    try:
        listed = [parse_json(line) for line in lines.split("\n")] if lines else []
    except ValueError as error:
        raise InputError(
            f"Expected a line of JSON for each thing that was done; found {error}. The "
            "record is damaged."
        ) from error
    return actions_from(listed)


def is_complete(tissue: AnnData) -> bool:
    """Return whether the record knows of all runs and edits that a section holds."""
    head, _ = _split(tissue)
    return "state" in head and head["state"] == standing_of(tissue)


def _split(tissue: AnnData) -> tuple[dict[str, Any], str]:
    """Return the first line of a record, as values, and the others."""
    text = tissue.uns.get(keys.SESSION)
    if not isinstance(text, str):
        return {}, ""
    first, _, lines = text.partition("\n")
    try:
        head = parse_json(first)
    except ValueError:
        return {}, ""
    known = isinstance(head, dict) and head.get("version") == _VERSION
    return (head, lines) if known else ({}, "")


def _line(action: Action) -> str:
    return json.dumps([action.name, action.given])


def _keep(tissue: AnnData, actions: Sequence[Action], *, anew: bool = True) -> None:
    """Write a record; of one that goes on, what it knew of the section stays."""
    kept = None if anew else _split(tissue)[0].get("state")
    state = kept if isinstance(kept, dict) else standing_of(tissue)
    _write(tissue, state, "\n".join(map(_line, actions)))


def _write(tissue: AnnData, state: dict[str, Any], lines: str) -> None:
    head = json.dumps({"version": _VERSION, "state": state})
    tissue.uns[keys.SESSION] = f"{head}\n{lines}"
