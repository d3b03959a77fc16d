"""A field for a file: those picked so far, and a button to pick another."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_semst import keys
from napari_semst.config import AUTO_DOMAINS, STAGES
from napari_semst.errors import ConfigError
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.texts import AS_JOINED, ONE_SECTION, TIPS
from napari_semst.widgets.shared.forms import (
    add_choice,
    keep_narrow,
    push_button,
    row_of,
    short_combo,
    stacked,
)
from napari_semst.widgets.shared.status import Banner

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import Series

# What a source cannot have: it reads neither texts nor a table, or no genes at all.
UNFIT = {"precomputed": ("shuffled", "unrelated"), "genes": ("unrelated",)}
# More are names of something else.
_MOST_SECTIONS = 50


class FilePicker(QWidget):
    """Offer what is known by name and any file that was picked.

    Parameters
    ----------
    title, kinds
        Title of the file dialog, and the kinds of files that it shows.
    missing
        What is said where nothing was chosen.
    """

    def __init__(
        self,
        tip: str,
        title: str,
        kinds: str,
        missing: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._title, self._kinds, self._missing = title, kinds, missing
        self.setToolTip(tip)
        self.combo = short_combo(tip)
        self.combo.setPlaceholderText("Choose")
        self.button = push_button("File...", title)
        stacked(self, row_of(self.combo, self.button, spacing=6, shares=(1, 0)))
        self.setFocusProxy(self.combo)
        self.button.clicked.connect(self._ask)

    def add_file(self, path: str) -> None:
        """Offer a file and choose it."""
        if self.combo.findData(path) < 0:
            # Files of one name differ in their folders only.
            add_choice(self.combo, Path(path).name, path, path)
        self.combo.setCurrentIndex(self.combo.findData(path))

    def choose(self, name: str) -> None:
        """Choose what is on offer under a name, else offer it as a file."""
        index = self.combo.findData(name)
        if index < 0:
            self.add_file(name)
        else:
            self.combo.setCurrentIndex(index)

    def chosen(self) -> str:
        """Return what was chosen, a name or a path, or raise `ConfigError`."""
        value = self.combo.currentData()
        if not value:
            raise ConfigError(self._missing)
        return str(value)

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self._title, "", self._kinds)
        if path:
            self.add_file(path)


def setting_choices(stage: str, setting: str) -> tuple[str, ...]:
    """Return the values that a setting accepts."""
    choices = {setting_.name: setting_.metadata for setting_ in fields(STAGES[stage])}
    return tuple(choices[setting]["choices"])


class NumberField(QWidget):
    """A spin box, and a check box that takes its place."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spin = QSpinBox()
        self.spin.setRange(2, 100)
        self.spin.setValue(7)
        self.automatic = QCheckBox("Automatic")
        self.automatic.setToolTip(TIPS["automatic"])
        stacked(self, row_of(self.spin, self.automatic, spacing=8, shares=(1, 0)))
        self.setFocusProxy(self.spin)
        self.automatic.toggled.connect(self.spin.setDisabled)
        self.automatic.toggled.connect(self.changed)
        self.spin.valueChanged.connect(self.changed)

    def value(self) -> int:
        """Return the number as settings hold it: -1 where it is to be chosen."""
        return AUTO_DOMAINS if self.automatic.isChecked() else self.spin.value()

    def setValue(self, number: int) -> None:  # noqa: N802  as Qt's own fields have it
        """Show a number as settings hold it; -1 checks *Automatic*."""
        self.automatic.setChecked(number == AUTO_DOMAINS)
        if number != AUTO_DOMAINS:
            # A file may ask for more than anybody would turn to by hand.
            low, high = self.spin.minimum(), self.spin.maximum()
            self.spin.setRange(min(low, number), max(high, number))
            self.spin.setValue(number)


class ExtraSettings(QWidget):
    """Names every such setting with its value; a button forgets them."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.settings: dict[str, dict[str, Any]] = {}
        self.banner = Banner()
        self.forget_button = QPushButton(texts.FORGET)
        stacked(self, self.banner, self.forget_button, spacing=4)
        self.forget_button.clicked.connect(self.forget)
        self.forget()

    def keep(self, settings: dict[str, dict[str, Any]]) -> None:
        """Keep settings by stage; they go with every run until they are forgotten."""
        self.settings = {
            stage: dict(values) for stage, values in settings.items() if values
        }
        lines = [
            f"{stage}.{name} = {value!r}"
            for stage, values in self.settings.items()
            for name, value in values.items()
        ]
        self.setVisible(bool(lines))
        self.banner.say("ready", "\n".join([texts.EXTRA, *lines]))
        self.changed.emit()

    def forget(self) -> None:
        """Keep none."""
        self.keep({})


class ControlCombo(QComboBox):
    """The controls that the configuration knows; those that do not fit are grey."""

    def __init__(
        self, controls: tuple[str, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._source = ""
        for control in controls:
            label = texts.CONTROL_NAMES.get(control, control)
            add_choice(self, label, control, texts.CONTROL_TIPS.get(control, ""))

    @property
    def control(self) -> str:
        """The control that the field shows, ``none`` for a run that is none."""
        return str(self.currentData())

    def set_source(self, source: str) -> None:
        """Offer what a source can have; a choice made before stays on show."""
        self._source = source
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        for index in range(self.count()):
            fits = self.itemData(index) not in UNFIT.get(source, ())
            model.item(index).setEnabled(fits)

    def chosen(self) -> str | None:
        """Return the control for the settings, `None` for a run that is none.

        Raises
        ------
        ConfigError
            If the source cannot have it.
        """
        if self.control in UNFIT.get(self._source, ()):
            raise ConfigError(
                texts.CONTROL_UNFIT.format(
                    control=self.currentText(),
                    source=texts.SEMANTICS.get(self._source, self._source),
                )
            )
        return None if self.control == "none" else self.control


class EmbeddingPicker(FilePicker):
    """Offer the section's obsm keys and any file that was picked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            texts.TIPS["embedding"],
            texts.PICK_EMBEDDING,
            "Arrays and tables (*.npy *.npz *.safetensors *.csv *.tsv *.csv.gz "
            "*.tsv.gz)",
            texts.NO_EMBEDDING,
            parent,
        )
        self._keys: list[str] = []

    def set_keys(self, keys: list[str]) -> None:
        """Offer these obsm keys; files that were picked stay on offer."""
        chosen = self.combo.currentData()
        values = [self.combo.itemData(i) for i in range(self.combo.count())]
        files = [value for value in values if value not in self._keys]
        self._keys = list(keys)
        self.combo.clear()
        for key in keys:
            self.combo.addItem(key, key)
        for path in files:
            self.add_file(path)
        self.combo.setCurrentIndex(self.combo.findData(chosen) if chosen else -1)


class TablePicker(FilePicker):
    """Offer the gene tables that were picked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            texts.TIPS["table"],
            texts.PICK_TABLE,
            "Gene tables (*.npz *.csv *.tsv *.csv.gz *.tsv.gz)",
            texts.NO_TABLE,
            parent,
        )


class SectionsCombo(QComboBox):
    """One section, or a column of the section's table that tells several apart."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        keep_narrow(self)
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
        with QSignalBlocker(self):
            self.clear()
            joined = tissue is not None and keys.SECTION in tissue.obs
            label, own = (AS_JOINED, keys.SECTION) if joined else (ONE_SECTION, "")
            self.addItem(label, own)
            for name in [] if tissue is None else section_columns(tissue):
                self.addItem(name, name)
            if column and self.findData(column) < 0:
                self.addItem(column, column)
            self.setCurrentIndex(max(self.findData(column), 0))

    def _on_chosen(self) -> None:
        self.chosen.emit(self.column)


def section_columns(tissue: AnnData) -> list[str]:
    """Return the obs columns that may tell sections apart, results left out.

    Returns
    -------
    list of str
        Columns of text or categories, of 2 to 50 values, an entry for every spot; and
        the one that was noted to tell sections apart when the tissue was read.
    """
    from napari_semst.io.notes import mixing_column

    noted = mixing_column(tissue)
    names = (name for name in tissue.obs if not str(name).startswith(keys.RESULTS))
    return [
        str(name)
        for name in names
        if name == noted or _tells_sections(tissue.obs[name])
    ]


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
