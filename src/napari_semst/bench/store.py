"""Finished cells in a folder, each a file that is there whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import SaveError
from napari_semst.io.export.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_semst.bench.cell import BenchCell

_RECORD = "record"
CELLS = "cells"
# To be raised whenever what is measured of a cell changes its meaning.
FORMAT = 1


class FinishedCell(NamedTuple):
    """What was measured of a cell.

    Parameters
    ----------
    record
        Plain values: scores, times, memory, losses.
    arrays
        ``codes_<readout>`` and what pictures are made of.
    """

    record: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


class CellStore:
    """The finished cells of a folder.

    Parameters
    ----------
    folder
        Of the comparison; cells stand in ``cells/`` in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().absolute()

    def make(self) -> None:
        """Make the folder.

        Raises
        ------
        SaveError
            If it cannot be made.
        """
        try:
            (self.folder / CELLS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SaveError(
                f"Expected a folder for the comparison at {self.folder}; it could not "
                f"be made: {error.strerror or error}. Choose another."
            ) from error

    def place(self, key: str) -> Path:
        """Return where a cell is kept."""
        return self.folder / CELLS / f"{key}.npz"

    def keep(
        self, key: str, record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> Path:
        """Write a cell, whole or not at all; what else is known of it stays.

        That is what another comparison had it read by, looked for or laid out.

        Raises
        ------
        SaveError
            If it cannot be written.
        """
        record, arrays = _with_known(self.find(key), record, arrays)
        text = json.dumps({**record, "format": FORMAT}, allow_nan=False)
        written = {**arrays, _RECORD: np.frombuffer(text.encode(), np.uint8)}

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **written)  # type: ignore[arg-type]

        def check(temporary: Path) -> None:
            if (read := _read(temporary)) is None or read.record["key"] != key:
                raise SaveError(
                    "Expected the cell to read back the same; it differs. Run the "
                    "same again, or choose another disk."
                )

        place = self.place(key)
        return write_atomically(place, write, check, overwrite=True, suffix=".npz")

    def find(self, key: str) -> FinishedCell | None:
        """Return a cell; `None` where there is none, or none that can be read."""
        found = _read(self.place(key))
        return found if found is not None and found.record["key"] == key else None

    def finished(self, cell: BenchCell) -> bool:
        """Return whether all that is wanted of a cell is there."""
        found = self.find(cell.key)
        if found is None:
            return False
        known = found.record
        return (
            set(cell.readouts) <= set(known["readouts"])
            and (not cell.oracle or known["oracle_every"] == cell.oracle)
            and (not cell.planar or "plane" in found.arrays)
        )


def _with_known(
    known: FinishedCell | None,
    record: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]:
    """Return what is new of a cell, and what was known of it beside that."""
    # Another device may have learnt otherwise: scores of one training stay together.
    if known is None or known.record["device"] != record["device"]:
        return record, arrays
    readouts = {**known.record["readouts"], **record["readouts"]}
    looked = record if record["oracle_every"] else known.record
    told = {name: looked[name] for name in ("oracle", "oracle_every")}
    return {**record, "readouts": readouts, **told}, {**known.arrays, **arrays}


def _read(place: Path) -> FinishedCell | None:
    """Return what a file holds; `None` where it is not there, damaged or of old."""
    try:
        with np.load(place, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        record = json.loads(arrays.pop(_RECORD).tobytes())
        of_now = record["format"] == FORMAT and isinstance(record["key"], str)
    # A damaged file can raise nearly anything; its cell is done again.
    except Exception:  # noqa: BLE001
        return None
    return FinishedCell(record, arrays) if of_now else None
