"""Settings of the image-guided method, in Advanced."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QSpinBox, QWidget

from napari_semst.config import ImageGuidedConfig
from napari_semst.widgets.find import texts_image as texts
from napari_semst.widgets.shared.forms import add_row, form

_DEFAULTS = ImageGuidedConfig()
_MOST = {"folds": 20, "k_neighbors": 100, "latent_dim": 1024}
_SMALL_STEP = {"free_bits": 0.01, "discordance_fdr": 0.01, "kl_weight_max": 0.1}


class GuidedFields(QWidget):
    """A field for each setting that is worth one; tooltips say what it is."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        about = {one.name: one.metadata for one in fields(ImageGuidedConfig)}
        self._fields: dict[str, QSpinBox | QDoubleSpinBox | QComboBox] = {}
        self._rows = rows = form(self)
        for name, label in texts.GUIDED_LABELS.items():
            field = _field(name, about[name]["choices"])
            field.setToolTip(about[name]["help"])
            add_row(rows, label, field)
            self._fields[name] = field
            if isinstance(field, QComboBox):
                field.currentIndexChanged.connect(self._on_changed)
            else:
                field.valueChanged.connect(self._on_changed)
        self.show_settings({})

    def field(self, name: str) -> Any:
        """Return the field of a setting."""
        return self._fields[name]

    def settings(self) -> dict[str, Any]:
        """Return the settings that differ from their defaults."""
        values = {name: _value(field) for name, field in self._fields.items()}
        return {
            name: value
            for name, value in values.items()
            if value != getattr(_DEFAULTS, name)
        }

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show settings, and take what is shown out of them."""
        for name, field in self._fields.items():
            value = settings.pop(name, getattr(_DEFAULTS, name))
            if isinstance(field, QComboBox):
                field.setCurrentIndex(field.findData(value))
            else:
                # A file may ask for more than anybody would turn to by hand.
                field.setMaximum(max(field.maximum(), value))
                field.setValue(value)
        self._on_changed()

    def _on_changed(self) -> None:
        graph = _value(self._fields["graph_type"])
        for name, used_by in (("k_neighbors", "knn"), ("radius", "radius")):
            self._rows.setRowVisible(self._fields[name], graph == used_by)
        self.changed.emit()


def _field(
    name: str, accepted: tuple[str, ...]
) -> QSpinBox | QDoubleSpinBox | QComboBox:
    if accepted:
        combo = QComboBox()
        for value in accepted:
            combo.addItem(texts.GRAPHS.get(value, value), value)
        return combo
    if isinstance(getattr(_DEFAULTS, name), int):
        whole = QSpinBox()
        low = next(
            one.metadata["low"] for one in fields(ImageGuidedConfig) if one.name == name
        )
        whole.setRange(int(low), _MOST.get(name, 100_000))
        return whole
    spin = QDoubleSpinBox()
    spin.setDecimals(3)
    spin.setRange(0.001 if name == "discordance_fdr" else 0.0, 1e6)
    if name == "discordance_fdr":
        spin.setMaximum(1.0)
    if name == "radius":
        spin.setSpecialValueText(texts.AUTOMATIC)
    spin.setSingleStep(_SMALL_STEP.get(name, 1.0))
    return spin


def _value(field: QSpinBox | QDoubleSpinBox | QComboBox) -> Any:
    if isinstance(field, QComboBox):
        return field.currentData()
    return field.value()
