"""Choice of the column that tells the sections of one table apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QWidget

from napari_semst import keys
from napari_semst.widgets.find.texts import AS_JOINED, ONE_SECTION

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import Series

# More are names of something else.
_MOST_SECTIONS = 50


class SectionsCombo(QComboBox):
    """One section, or a column of the section's table that tells several apart."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.set_tissue(None)
        self.currentIndexChanged.connect(self._on_chosen)

    @property
    def column(self) -> str:
        """The column chosen; empty for one section."""
        return str(self.currentData() or "")

    @property
    def asked(self) -> str:
        """What the run must be told: nothing of sections that were joined."""
        return "" if self.column == keys.SECTION else self.column

    def set_tissue(self, tissue: AnnData | None, column: str = "") -> None:
        """Offer the columns of a tissue, and choose one without another word."""
        self.blockSignals(True)
        self.clear()
        joined = tissue is not None and keys.SECTION in tissue.obs
        label, own = (AS_JOINED, keys.SECTION) if joined else (ONE_SECTION, "")
        self.addItem(label, own)
        for name in [] if tissue is None else section_columns(tissue):
            self.addItem(name, name)
        if column and self.findData(column) < 0:
            self.addItem(column, column)
        self.setCurrentIndex(max(self.findData(column), 0))
        self.blockSignals(False)

    def _on_chosen(self) -> None:
        self.chosen.emit(self.column)


def section_columns(tissue: AnnData) -> list[str]:
    """Return the obs columns that may tell sections apart, results left out.

    Parameters
    ----------
    tissue
        The tissue.

    Returns
    -------
    list of str
        Columns of text or categories, of 2 to 50 values, an entry for every spot.
    """
    names = (name for name in tissue.obs if not str(name).startswith(keys.RESULTS))
    return [str(name) for name in names if _tells_sections(tissue.obs[name])]


def _tells_sections(column: Series) -> bool:
    from pandas import CategoricalDtype
    from pandas.api.types import is_object_dtype, is_string_dtype

    kind = column.dtype
    if not isinstance(kind, CategoricalDtype) and not (
        is_object_dtype(kind) or is_string_dtype(kind)
    ):
        return False
    # Of names of spots a few are enough to know that they are no sections.
    few = column.iloc[: 20 * _MOST_SECTIONS]
    if few.nunique() > _MOST_SECTIONS or column.isna().any():
        return False
    return 1 < int(column.nunique()) <= _MOST_SECTIONS
