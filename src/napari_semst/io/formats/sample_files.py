"""Files of samples told by name, with the sample's name before or behind theirs.

Repositories name the files of several samples in one folder
``GSM1_S1_tissue_positions_list.csv.gz``, downloads of 10x Genomics
``V1_Human_Lymph_Node_filtered_feature_bc_matrix.h5``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats.gzipped import PACKED
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_JOINTS = "_-. "
# Words between a sample's name and that of a file: folders that were flattened.
_BETWEEN = (
    "filtered_feature_bc_matrix",
    "raw_feature_bc_matrix",
    "filtered_feature_cell_matrix",
    "raw_feature_cell_matrix",
    "filtered",
    "raw",
    "spatial",
    "outs",
    "list",
)
_ACCESSION = re.compile(r"GSM\d+", re.IGNORECASE)
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.bz2", ".tar.xz", ".7z", ".rar")

T = TypeVar("T")


def sample_in(name: str, stem: str) -> str | None:
    """Return the sample that a file's name tells beside its own, None without that.

    Parameters
    ----------
    name
        Of the file or folder, without endings.
    stem
        What every file of this kind is named.
    """
    joints = re.escape(_JOINTS)
    found = re.fullmatch(f"(.*){re.escape(stem)}((?:[{joints}].*)?)", name)
    if found is None:
        return None
    parts = [_bare(part) for part in found.groups()]
    return "_".join(part for part in parts if part)


def files_of_samples(
    folder: Path, stems: Sequence[str], endings: Sequence[str]
) -> dict[str, Path]:
    """Return the files of one kind in a folder by sample, ``""`` without a name.

    Parameters
    ----------
    folder
        It may be missing.
    stems, endings
        What such a file may be named and how the name may end, the best first; each
        also packed, ``.gz``.

    Returns
    -------
    dict
        Of each sample the best file, sorted by sample.
    """
    ranked: dict[str, tuple[int, int, bool, str, Path]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        plain = path.name.removesuffix(PACKED)
        end = next((i for i, e in enumerate(endings) if plain.endswith(e)), None)
        if end is None:
            continue
        name = plain.removesuffix(endings[end])
        for rank, stem in enumerate(stems):
            sample = sample_in(name, stem)
            if sample is None or not path.is_file():
                continue
            mine = (rank, end, plain != path.name, path.name, path)
            if mine < ranked.get(sample, (len(stems), 0, False, "", path)):
                ranked[sample] = mine
            break
    return {sample: ranked[sample][-1] for sample in sorted(ranked)}


def of_sample(files: Mapping[str, T], sample: str, *, alone: bool) -> T | None:
    """Return which of the files by sample goes with a sample, None where unclear.

    Parameters
    ----------
    files
        By sample.
    sample
        Whose is sought; empty where its name is unknown.
    alone
        Whether it is the only sample, so that a file without a name is its own.
    """
    if sample in files:
        return files[sample]
    akin = [name for name in files if name and sample and _akin(name, sample)]
    if len(akin) == 1:
        return files[akin[0]]
    if alone and "" in files:
        return files[""]
    if not sample and len(files) == 1:
        return next(iter(files.values()))
    return None


def choose_sample(samples: Iterable[str], wanted: str) -> str | None:
    """Return the sample that is meant by a name or a part of one, None where unclear.

    Parameters
    ----------
    samples
        Their names.
    wanted
        A name, or its first or last part: ``GSM1`` and ``S1`` for ``GSM1_S1``; of
        names that end in different numbers, the number.
    """
    names = list(samples)
    if wanted in names:
        return wanted
    told = wanted.strip(_JOINTS).lower()
    meant = [name for name in names if told and _is_end(name.lower(), told)]
    if not meant and told.isdecimal():
        meant = [name for name in names if re.search(rf"\D{told}$", name)]
    return meant[0] if len(meant) == 1 else None


def sample_to_read(path: Path, samples: Sequence[str], part: str | None) -> str:
    """Return the sample to read of those whose files are in a folder.

    Parameters
    ----------
    path
        The folder, or a file of a sample.
    samples
        Their names, at least one.
    part
        The name of the sample asked for, or a part of it; None where none is.

    Raises
    ------
    InputError
        If there are several and none is named, or another one is.
    """
    if part is not None and list(samples) == [""]:
        raise InputError(has_no_parts(path, part))
    if part is None:
        if len(samples) == 1:
            return samples[0]
        raise InputError(holds_several(path, samples))
    chosen = choose_sample(samples, str(part))
    if chosen is None:
        raise InputError(
            f"Expected the sample {part!r} in {path}; found {abbreviate(samples)}. "
            "Name one of them whole."
        )
    return chosen


def holds_several(path: Path, samples: Sequence[str]) -> Worded:
    """Return that files are of several samples, and how one is named."""
    first = samples[0]
    return Worded(
        f"Expected the files of one sample in {path}; found those of "
        f"{len(samples)}: {abbreviate(samples)}. ",
        Way(
            f"Name one: --part {first}.",
            f"Name one: part={first!r}.",
            "Choose one under Part.",
        ),
    )


def has_no_parts(path: Path, part: str) -> str:
    """Return why a part cannot be asked of a folder whose files name no sample."""
    return (
        f"Expected no choice of part for {path}: it holds one section; got {part!r}. "
        "Leave it out."
    )


def are_different(one: str, other: str) -> bool:
    """Return whether two names tell of different samples of a repository."""
    first, second = _ACCESSION.match(one), _ACCESSION.match(other)
    return bool(first and second) and first[0].lower() != second[0].lower()  # type: ignore[index]


def archives_in(folder: Path) -> list[str]:
    """Return the names of packed folders in a folder."""
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if is_archive(p))


def is_archive(path: Path) -> bool:
    """Return whether a path is a packed folder, judged by its name."""
    return path.name.lower().endswith(_ARCHIVES) and path.is_file()


def _akin(one: str, other: str) -> bool:
    """Return whether one name is the other with something before or behind it."""
    short, long = sorted((one.lower(), other.lower()), key=len)
    return _is_end(long, short)


def _is_end(name: str, end: str) -> bool:
    return name == end or any(
        name.startswith(end + joint) or name.endswith(joint + end) for joint in _JOINTS
    )


def _bare(part: str) -> str:
    """Return a part of a name without joints and words that name no sample."""
    bare, before = part.strip(_JOINTS), ""
    while bare != before:
        before = bare
        for word in _BETWEEN:
            told = bare.lower()
            if told == word or told.endswith(tuple(j + word for j in _JOINTS)):
                bare = bare[: len(bare) - len(word)].strip(_JOINTS)
            elif told.startswith(tuple(word + j for j in _JOINTS)):
                bare = bare[len(word) :].strip(_JOINTS)
    return bare
