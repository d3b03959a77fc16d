"""What names are taken from: annotated sections, signature files, those that ship."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.text_columns import as_texts
from napari_semst.transfer.builtin_signatures import check_builtin, is_builtin
from napari_semst.transfer.signature import Signature
from napari_semst.transfer.signature_file import is_signature_file
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from anndata import AnnData
    from numpy.typing import NDArray

    Source: TypeAlias = AnnData | Signature | str | Path

_MOST_NAMES = 200
_LABELS = Way(
    "Give one of them to --labels.",
    "Give one of them as labels.",
    "Choose one of them.",
)


@dataclass(frozen=True)
class Reference:
    """Where names are taken from.

    Parameters
    ----------
    source
        An annotated section, its path, a signature or its file, or the name of one
        that ships.
    labels
        The obs column of the names; empty where a signature is given.
    """

    source: Source
    labels: str = ""

    @property
    def is_section(self) -> bool:
        """Whether its signature has to be made."""
        if isinstance(self.source, Signature) or is_builtin(self.source):
            return False
        if isinstance(self.source, str | Path):
            return not is_signature_file(Path(self.source).expanduser())
        return True

    @property
    def path(self) -> Path | None:
        """The file or folder that is read, where there is one."""
        if isinstance(self.source, str | Path) and not is_builtin(self.source):
            return Path(self.source).expanduser()
        return None

    @property
    def name(self) -> str:
        """What it is called in sentences and in the provenance."""
        if self.path is not None:
            return self.path.name
        return str(self.source) if isinstance(self.source, str) else "the reference"


def references_from(
    given: Source | Sequence[Source], labels: str | Sequence[str] | None
) -> list[Reference]:
    """Return references with the column of names of each.

    Parameters
    ----------
    given
        One reference, or several.
    labels
        One column for all sections among them, or one for each of these.

    Raises
    ------
    InputError
        If there is none, a name of one that ships is unknown, or a section has no
        column.
    """
    sources = list(given) if isinstance(given, list | tuple) else [given]
    if not sources:
        raise InputError("Expected a reference to take names from; got none.")
    bare = [Reference(source) for source in sources]
    for one in bare:
        if is_builtin(one.source):
            check_builtin(str(one.source))
    columns = [labels] if isinstance(labels, str) else list(labels or ())
    columns = [column for column in columns if column]
    n_sections = sum(one.is_section for one in bare)
    if not n_sections:
        return bare
    if not columns:
        _ask_for_labels(next(one for one in bare if one.is_section))
    if len(columns) not in (1, n_sections):
        raise InputError(
            f"Expected one column of names, or one for each of the {n_sections} "
            f"annotated sections; got {len(columns)}: {', '.join(columns)}."
        )
    rest = iter(columns if len(columns) > 1 else columns * n_sections)
    return [
        Reference(one.source, next(rest)) if one.is_section else one for one in bare
    ]


def refuse_own_labels(references: Sequence[Reference], target: Any) -> None:
    """Raise `InputError` where a section is to be named by itself.

    Parameters
    ----------
    target
        The section to name, or its path.
    """
    for reference in references:
        same = reference.source is target
        path = reference.path
        if path is not None and isinstance(target, str | Path):
            place = Path(target).expanduser()
            both = path.exists() and place.exists()
            same = path.samefile(place) if both else path == place
        if same:
            raise InputError(
                f"Expected another section than the target to take names from; got "
                f"{reference.name} for both. A section named by its own labels says "
                "nothing: give another reference."
            )


def names_per_spot(
    tissue: AnnData, column: str, title: str = "the reference"
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the names of a reference, and which of them each spot has.

    Parameters
    ----------
    tissue
        The annotated section.
    column
        Of obs, with names; spots without one are left out of all.
    title
        What the section is called in sentences.

    Returns
    -------
    codes
        Shape ``(n_spots,)``; -1 where a spot has no name.
    names
        In the order of the categories.

    Raises
    ------
    InputError
        If there is no such column, it holds numbers, or fewer than two names.
    """
    if column not in tissue.obs:
        raise InputError(
            Worded(
                f"Expected names in obs[{column!r}] of {title}; its columns with "
                f"names are {_offered(tissue)}. ",
                _LABELS,
            )
        )
    values = tissue.obs[column]
    kind = getattr(values.dtype, "categories", values).dtype.kind
    if kind in "iufb" or kind in "mM":
        raise InputError(
            Worded(
                f"Expected names in obs[{column!r}] of {title}; found "
                f"{'true and false' if kind == 'b' else 'numbers'}. Numbers are taken "
                "for measurements: name the domains first, or choose a column of text "
                f"({_offered(tissue)}). ",
                _LABELS,
            )
        )
    # Spots without a name are none of a name called "nan".
    known = values.notna()
    levels = as_texts(values).where(known).astype("category").cat
    names = tuple(str(name) for name in levels.categories)
    codes = levels.codes.to_numpy().astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    kept = [code for code, count in enumerate(counts) if count]
    if not 2 <= len(kept) <= _MOST_NAMES:
        found = ", ".join(names[code] for code in kept[:5]) or "none"
        raise InputError(
            f"Expected 2 to {_MOST_NAMES} names in obs[{column!r}] of {title}; found "
            f"{len(kept)} ({found}). A signature is how names differ from each other: "
            "choose another column."
        )
    new = np.full(len(names) + 1, -1, np.int64)
    new[kept] = np.arange(len(kept))
    return new[codes], tuple(names[code] for code in kept)


def name_columns(tissue: AnnData) -> list[str]:
    """Return the obs columns that can hold the names of a reference."""
    found = []
    for column in tissue.obs.columns:
        values = tissue.obs[column]
        kind = getattr(values.dtype, "categories", values).dtype.kind
        if kind not in "iufbmM" and 2 <= values.nunique() <= _MOST_NAMES:
            found.append(str(column))
    return found


def _offered(tissue: AnnData) -> str:
    found = name_columns(tissue)
    return abbreviate(found) if found else "none"


def _ask_for_labels(reference: Reference) -> None:
    raise InputError(
        Worded(
            f"Expected the obs column of {reference.name} that holds the names; got "
            "none. ",
            Way(
                "Name it with --labels; `semst inspect` lists the columns.",
                "Give it as labels.",
                "Choose it in the list.",
            ),
        )
    )
