"""Choice of a control: semantics spoilt on purpose, to learn what it is worth."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QWidget

from napari_semst.errors import ConfigError
from napari_semst.widgets.find import texts

# What a source cannot have: it reads neither texts nor a table, or no genes at all.
UNFIT = {"precomputed": ("shuffled", "unrelated"), "genes": ("unrelated",)}


class ControlCombo(QComboBox):
    """The controls that the configuration knows; those that do not fit are grey.

    Parameters
    ----------
    controls
        As the configuration has them.
    """

    def __init__(
        self, controls: tuple[str, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._source = ""
        for index, control in enumerate(controls):
            self.addItem(texts.CONTROLS.get(control, control), control)
            tip = texts.CONTROL_TIPS.get(control, "")
            self.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)

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
