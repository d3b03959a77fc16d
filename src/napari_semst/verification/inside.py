"""What a result holds against the hashes that were taken when it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst import keys
from napari_semst.pipeline.evidence import (
    FORMAT,
    arrays_evidence,
    entry_hash,
    labels_evidence,
)
from napari_semst.pipeline.provenance import EVIDENCE, spots_hash, versions
from napari_semst.verification.check import (
    DIFFERS,
    HOLDS,
    NOTE,
    UNKNOWN,
    Check,
    number_in_words,
)
from napari_semst.verification.saved import table_of

if TYPE_CHECKING:
    from napari_semst.verification.saved import SavedRun

_ALL = _LABELS, _VALUES, _SETTINGS, _RECORD = "labels", "values", "settings", "record"


def check_inside(saved: SavedRun) -> list[Check]:
    """Return checks of labels, other values, settings and the rest of the record."""
    evidence = saved.evidence
    if not evidence:
        by = _version_of(saved)
        text = (
            f"cannot be told: this run, made by version {by}, holds no hashes of what "
            "it wrote"
        )
        return [Check(name, UNKNOWN, text) for name in _ALL]
    if evidence.get("format") != FORMAT:
        text = (
            f"cannot be told: hashed by version {_version_of(saved)} in a way that "
            f"this version does not know ({evidence.get('format')!r})"
        )
        return [Check(name, UNKNOWN, text) for name in _ALL]
    return [
        _check_labels(saved),
        _check_values(saved),
        _check_settings(saved),
        _check_record(saved),
    ]


def _version_of(saved: SavedRun) -> str:
    told = saved.record.get("versions", {})
    return str(told.get("napari-semst", "unknown")) if isinstance(told, dict) else "?"


def _check_labels(saved: SavedRun) -> Check:
    """Compare the labels with their own hash, and the bare column with the run's."""
    tissue, then = saved.tissue, table_of(saved.evidence, "labels")
    column = saved.column
    now = labels_evidence(tissue.obs_names, tissue.obs[column])
    if now["sha256"] == then.get("sha256"):
        bare = _compare_bare(saved)
        if bare:
            return Check(_LABELS, DIFFERS, bare)
        text = f"{now['spots']:,} spots in {now['domains']} domains, as they were found"
        return Check(_LABELS, HOLDS, text)
    if now["spots"] != then.get("spots"):
        spots = number_in_words(then.get("spots"))
        text = f"{now['spots']:,} spots here, {spots} when they were found"
    elif spots_hash(tissue.obs_names) != saved.record.get("spots_hash"):
        text = "spots have other names, or stand in another order, than in the run"
    elif now["partition"] == then.get("partition"):
        text = (
            f"the domains of obs[{column!r}] have other names; their spots are the same"
        )
    else:
        text = f"obs[{column!r}] was changed after the run{_how_many(saved)}"
    return Check(_LABELS, DIFFERS, text)


def _compare_bare(saved: SavedRun) -> str:
    """Return how the latest run's other copy of the labels differs; empty if not."""
    tissue = saved.tissue
    if not saved.is_latest or keys.DOMAIN not in tissue.obs:
        return ""
    n_others = _n_others(saved)
    if not n_others:
        return ""
    return (
        f"obs[{saved.column!r}] is as it was found; in obs[{keys.DOMAIN!r}], its copy, "
        f"{n_others:,} of {tissue.n_obs:,} spots have other labels"
    )


def _how_many(saved: SavedRun) -> str:
    """Return in how many spots the two copies of the labels differ, where they do."""
    if not saved.is_latest or keys.DOMAIN not in saved.tissue.obs:
        return ""
    n_others = _n_others(saved)
    if not n_others:
        return ""
    return f"; {n_others:,} spots differ from obs[{keys.DOMAIN!r}], its copy"


def _n_others(saved: SavedRun) -> int:
    from napari_semst.io.text_columns import as_texts

    obs = saved.tissue.obs
    run, bare = (as_texts(obs[name]) for name in (saved.column, keys.DOMAIN))
    return int((run.to_numpy(str) != bare.to_numpy(str)).sum())


def _check_values(saved: SavedRun) -> Check:
    """Compare confidence, latent and so on with their hashes."""
    if not saved.is_latest:
        latest = str(saved.tissue.uns.get(keys.LATEST, ""))
        text = f"confidence, latent and others are of the later run {latest!r}"
        return Check(_VALUES, NOTE, text)
    then = table_of(saved.evidence, "arrays")
    now = arrays_evidence(saved.tissue)
    gone, other, unhashed = [], [], []
    for where in ("obs", "obsm"):
        hashes = table_of(then, where)
        for name, digest in hashes.items():
            found = now[where].get(name)
            if found is None:
                gone.append(f"{where}[{name!r}]")
            elif found != digest:
                other.append(f"{where}[{name!r}]")
        unhashed += [f"{where}[{name!r}]" for name in now[where] if name not in hashes]
    if other:
        text = f"changed after the run: {', '.join(other)}"
        return Check(_VALUES, DIFFERS, text)
    if unhashed:
        text = f"cannot be told of {', '.join(unhashed)}: no hash of them is there"
        return Check(_VALUES, UNKNOWN, text)
    if gone:
        return Check(_VALUES, NOTE, f"no longer here: {', '.join(gone)}")
    return Check(_VALUES, HOLDS, "confidence, latent and others are as they were found")


def _check_settings(saved: SavedRun) -> Check:
    """Read the settings again and compare them with their hash."""
    if saved.config is None:
        return Check(_SETTINGS, DIFFERS, "they cannot be read as settings")
    if not _is_as_written(saved, "config"):
        return Check(_SETTINGS, DIFFERS, "they were changed after the run")
    seed = saved.config.training.seed
    if saved.record.get("seed") != seed:
        text = f"the seed is {seed} among them, and {saved.record.get('seed')!r} beside"
        return Check(_SETTINGS, DIFFERS, text)
    method = saved.config.model.method
    text = f"{method}, recipe {saved.config.preset}, seed {seed}, as they were"
    return Check(_SETTINGS, HOLDS, text)


def _check_record(saved: SavedRun) -> Check:
    """Compare the other entries of the provenance with their hashes."""
    then = table_of(saved.evidence, "record")
    others = [name for name in then if name != "config"]
    gone = [name for name in others if name not in saved.record]
    changed = [
        name for name in others if name not in gone and not _is_as_written(saved, name)
    ]
    more = [name for name in saved.record if name not in (*then, "config", EVIDENCE)]
    told = [f"changed: {', '.join(changed)}"] if changed else []
    told += [f"gone: {', '.join(gone)}"] if gone else []
    if told:
        return Check(_RECORD, DIFFERS, f"after the run, {'; '.join(told)}")
    if not others:
        text = "cannot be told: no hashes of its entries are there"
        return Check(_RECORD, UNKNOWN, text)
    text = f"{len(others)} entries are as the run wrote them"
    # As `explain` does; one whose hash was taken away is among them.
    if more:
        return Check(_RECORD, NOTE, f"{text}; without a hash: {', '.join(more)}")
    return Check(_RECORD, HOLDS, text)


def _is_as_written(saved: SavedRun, name: str) -> bool:
    then = table_of(saved.evidence, "record").get(name)
    return bool(entry_hash(saved.record.get(name)) == then)


def check_versions(saved: SavedRun) -> list[Check]:
    """Return what differs between the packages, and the device, of then and now."""
    then = saved.record.get("versions", {})
    if not isinstance(then, dict) or not then:
        return [Check("versions", UNKNOWN, "the run did not record any")]
    here = versions()
    others = [
        f"{name} {told}, here {here.get(name, 'none')}"
        for name, told in then.items()
        if str(told) != here.get(name)
    ]
    if not others:
        return [Check("versions", HOLDS, f"{len(then)} packages are the same here")]
    return [Check("versions", NOTE, f"made with {'; '.join(others)}")]
