"""Landmarks kept with a section, and read from and written to tables.

They stand in ``uns["semst_landmarks"][library]`` as ``kind``, ``image`` and ``spots``,
places ``(n, 2)`` as (x, y) in the unit of the coordinates: what the map is made of, not
the map, so that anybody can judge it. Image, scale factors and coordinates stay as they
are. A table has the columns image_x, image_y, spots_x and spots_y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError, SaveError, one_of
from napari_semst.registration.landmarks import Landmarks, landmarks_from
from napari_semst.registration.maps import map_of

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

COLUMNS = ("image_x", "image_y", "spots_x", "spots_y")


def landmarks_of(adata: AnnData, library: str) -> Landmarks | None:
    """Return the landmarks that a library's image is registered by, None without.

    Parameters
    ----------
    adata
        The tissue.
    library
        Name in ``uns["spatial"]``.

    Raises
    ------
    InputError
        If what is kept are no landmarks.
    """
    every: Any = adata.uns.get(keys.LANDMARKS, {})
    kept = every.get(library) if hasattr(every, "get") else every
    if kept is None:
        return None
    try:
        given = kept["image"], kept["spots"], str(kept["kind"])
    except (TypeError, ValueError, KeyError, IndexError):
        raise InputError(_unusable(library, f"found {str(kept)[:200]}.")) from None
    try:
        return landmarks_from(*given)
    except InputError as error:
        raise InputError(_unusable(library, str(error))) from None


def register_image(adata: AnnData, library: str, landmarks: Landmarks | None) -> None:
    """Keep with a tissue the landmarks of a library's image, or none.

    The image is then drawn and read where they put it, here and wherever the section
    is opened; what was turned and shifted by hand before is forgotten.

    Parameters
    ----------
    adata
        The tissue; its ``uns["semst_landmarks"]`` is replaced.
    library
        Name in ``uns["spatial"]``.
    landmarks
        Places on the image as its file puts it, and where they belong; None: the image
        goes back to where its file says.

    Raises
    ------
    InputError
        If they cannot be used, or there is no such library; nothing is changed.
    """
    from napari_semst.io.manual_alignment import Adjustment, adjust
    from napari_semst.io.sections import libraries

    if landmarks is not None:
        if library not in libraries(adata):
            raise InputError(one_of("library", library, libraries(adata)))
        checked = landmarks_from(landmarks.image, landmarks.spots, landmarks.kind)
        map_of(checked)
    keep_landmarks(adata, library, landmarks)
    adjust(adata, library, Adjustment())


def keep_landmarks(adata: AnnData, library: str, landmarks: Landmarks | None) -> None:
    """Keep landmarks that were checked; None takes them away."""
    every: Any = adata.uns.get(keys.LANDMARKS, {})
    kept = dict(every) if hasattr(every, "items") else {}
    kept.pop(library, None)
    if landmarks is not None:
        kept[library] = {
            "kind": landmarks.kind,
            "image": landmarks.image.copy(),
            "spots": landmarks.spots.copy(),
        }
    if kept:
        adata.uns[keys.LANDMARKS] = kept
    else:
        adata.uns.pop(keys.LANDMARKS, None)


def read_landmarks(path: str | Path, kind: str = "similarity") -> Landmarks:
    """Return the landmarks in a table (CSV), as `write_landmarks` writes it.

    Parameters
    ----------
    path
        A table with the columns image_x, image_y, spots_x and spots_y.
    kind
        Which map is made of them, where the table has no column ``kind``.

    Raises
    ------
    InputError
        If a column is missing, or they cannot be used.
    """
    from pathlib import Path

    import pandas as pd

    from napari_semst.io.checks import MEGABYTE, check_file, translate_errors

    path = Path(path).expanduser()
    check_file(path, "the landmarks", at_most=MEGABYTE)
    with translate_errors(path, "the landmarks"):
        table = pd.read_csv(path, dtype=str)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(
            f"Expected the columns {', '.join(COLUMNS)} in {path}; found "
            f"{', '.join(map(str, table.columns))[:200]}."
        )
    if "kind" in table and len(table):
        kind = str(table["kind"].iloc[0])
    with translate_errors(path, "the landmarks"):
        # From text, to the last digit: what was written is what is read.
        places = table[list(COLUMNS)].astype(float).to_numpy()
    return landmarks_from(places[:, :2], places[:, 2:], kind)


def write_landmarks(
    landmarks: Landmarks, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write landmarks as a table (CSV), whole or not at all, and return its path.

    Parameters
    ----------
    landmarks
        The pairs.
    path
        The file, its name ending in .csv.
    overwrite
        Whether a file that stands there may be replaced.

    Raises
    ------
    SaveError
        If it cannot be written, or did not read back the same.
    """
    import pandas as pd

    from napari_semst.io.export.atomic import write_atomically

    values = np.hstack([landmarks.image, landmarks.spots])
    table = pd.DataFrame(values, columns=list(COLUMNS)).assign(kind=landmarks.kind)

    def check(written: Path) -> None:
        if read_landmarks(written) != landmarks:
            raise SaveError(f"Expected to read back the landmarks of {path} the same.")

    return write_atomically(
        path,
        lambda temporary: table.to_csv(temporary, index=False),
        check,
        overwrite=overwrite,
        suffix=".csv",
    )


def _unusable(library: str, found: str) -> str:
    return (
        f"Expected uns[{keys.LANDMARKS!r}][{library!r}] to hold landmarks: kind, image "
        f"and spots; {found} Remove it from the file to have the image where its scale "
        "factors put it."
    )
