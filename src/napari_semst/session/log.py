"""The record of a section's session, in the section: it is saved and restored with it.

It stands as JSON in ``uns["semst_session"]``: the actions in their order, and by what
to tell whether something was done since that it does not know of.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.core.json_text import parse_json
from napari_semst.explore.annotate import edited_columns
from napari_semst.session.actions import Action, actions_from

if TYPE_CHECKING:
    from anndata import AnnData

_VERSION = 1
# Places of an image that is being moved come many a second: the last one counts.
_LAST_COUNTS = {"align": ("library",)}


def begin_session(tissue: AnnData, origin: Action) -> None:
    """Begin the record of a section that was just opened.

    Where the section's file holds a record, and nothing was done since that it does not
    know of, that goes on: the whole way from the instrument's files is kept.

    Parameters
    ----------
    tissue
        The section; `uns` gets the record.
    origin
        Where it is from: an action of `ORIGINS`.
    """
    kept = _kept(tissue)
    if kept is None or kept.get("state") != _state(tissue):
        _keep(tissue, (origin,))


def record_action(tissue: AnnData, action: Action) -> None:
    """Add an action to a section's record, after it was done."""
    done = list(session_actions(tissue)) or [Action("unknown")]
    alike = _LAST_COUNTS.get(action.name)
    if alike is not None and done[-1].name == action.name:
        before, now = done[-1].given, action.given
        if all(before.get(key) == now.get(key) for key in alike):
            done.pop()
    _keep(tissue, (*done, action))


def forget_action(tissue: AnnData, action: Action) -> None:
    """Take the last action equal to one out of a record: it failed after all."""
    done = list(session_actions(tissue))
    for place in reversed(range(len(done))):
        if done[place] == action:
            del done[place]
            _keep(tissue, tuple(done))
            return


def settle_origin(tissue: AnnData, saved: Action) -> None:
    """Let a section of unknown origin come from the file that it was saved as.

    Parameters
    ----------
    saved
        The action that wrote it, which is in the record.
    """
    done = list(session_actions(tissue))
    if done and done[0].name == "unknown" and saved in done:
        since = done[done.index(saved) + 1 :]
        _keep(tissue, (Action("read", {"path": saved.given["path"]}), *since))


def session_actions(tissue: AnnData) -> tuple[Action, ...]:
    """Return what a section's record holds, nothing where it has none.

    Raises
    ------
    InputError
        If the record is damaged.
    """
    kept = _kept(tissue)
    return () if kept is None else actions_from(kept.get("actions", ()))


def is_complete(tissue: AnnData) -> bool:
    """Return whether the record knows of all runs and edits that a section holds."""
    kept = _kept(tissue)
    return kept is not None and kept.get("state") == _state(tissue)


def _kept(tissue: AnnData) -> dict[str, Any] | None:
    text = tissue.uns.get(keys.SESSION)
    if not isinstance(text, str):
        return None
    try:
        kept = parse_json(text)
    except ValueError:
        return None
    return kept if isinstance(kept, dict) and kept.get("version") == _VERSION else None


def _keep(tissue: AnnData, actions: tuple[Action, ...]) -> None:
    record = {
        "version": _VERSION,
        "actions": [[one.name, one.given] for one in actions],
        "state": _state(tissue),
    }
    tissue.uns[keys.SESSION] = json.dumps(record)


def _state(tissue: AnnData) -> dict[str, Any]:
    """Return what changes with every run, and with every edit by hand."""
    runs: Any = tissue.uns.get(keys.RUNS, {})
    seconds = {
        str(run): round(sum(float(x) for x in runs[run].get("seconds", {}).values()), 3)
        for run in runs
    }
    sums = {}
    for column in edited_columns(tissue):
        codes = tissue.obs[column].astype("category").cat
        names = "\0".join(map(str, codes.categories)).encode()
        sums[column] = zlib.crc32(
            codes.codes.to_numpy().astype("<i4").tobytes(), zlib.crc32(names)
        )
    return {"runs": seconds, "edited": sums}
