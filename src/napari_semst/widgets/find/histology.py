"""What a run reads of the histology, and the method's own settings, as one part."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_semst.config import ImageGuidedConfig
from napari_semst.errors import ConfigError, InputError
from napari_semst.morphology.suggestions import SUGGESTED
from napari_semst.widgets.find import texts_image as texts
from napari_semst.widgets.find.image import ImageForm
from napari_semst.widgets.find.method import GUIDED, SEMST
from napari_semst.widgets.shared.forms import add_row, form, note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData
    from napari.layers import Layer

    from napari_semst.config import Request
    from napari_semst.widgets.find.method import MethodCombo


class Histology(QWidget):
    """The image's fields; and, for Advanced, a check box and the method's settings.

    Parameters
    ----------
    method
        Whose choice it follows.
    """

    changed = Signal()

    def __init__(self, method: MethodCombo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._method = method
        self.image = ImageForm()
        self.use = QCheckBox(texts.USE_IMAGE)
        self.use.setToolTip(texts.TIPS["use_image"])
        self.guided = GuidedFields()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.image)
        self.use.toggled.connect(self.changed)
        self.image.changed.connect(self.changed)
        self.guided.changed.connect(self.changed)

    @property
    def read(self) -> bool:
        """Whether a run reads the histology around each spot."""
        wanted = self._method.chosen == SEMST and self.use.isChecked()
        return wanted or self._method.chosen == GUIDED

    def set_tissue(self, tissue: AnnData | None) -> None:
        """Take the section whose image is meant."""
        self.image.set_tissue(tissue)

    def check(self) -> None:
        """Refuse a run that would find no image.

        Raises
        ------
        InputError
            With what to do.
        """
        why = self.image.why_not() if self.read else ""
        if why:
            raise InputError(why)

    def added_to(self, request: Request) -> Request:
        """Return a request with the method, and what it reads of the image.

        Raises
        ------
        SemstError
            If an encoder or a layer cannot be read.
        """
        method = self._method
        if method.asked is not None:
            request = request.with_settings("model", method=method.asked)
        if self.read:
            request = request.with_settings("morphology", **self.image.settings())
        guided = self.guided.settings() if method.chosen == GUIDED else {}
        return request.with_settings("image_guided", **guided) if guided else request

    def show_settings(self, settings: dict[str, dict[str, Any]]) -> None:
        """Show settings by stage, and take what is shown out of them."""
        self._method.show_settings(settings.get("model", {}))
        morphology = settings.get("morphology", {})
        asked = morphology.get("encoder", "none") != "none"
        self.use.setChecked(asked and self._method.chosen == SEMST)
        if self.read:
            self.image.show_settings(morphology)
        if self._method.chosen == GUIDED:
            self.guided.show_settings(settings.get("image_guided", {}))


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


BUILTIN = "builtin"


_NETWORKS = ("timm", "hf")


class EncoderField(QWidget):
    """A list to type in, with a note on the encoder: what it learnt from, its terms."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(texts.TIPS["image_encoder"])
        self.combo = QComboBox()
        self.combo.setEditable(True)
        self.combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.combo.setToolTip(texts.TIPS["image_encoder"])
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        for name in (BUILTIN, *(one.encoder for one in SUGGESTED)):
            self.combo.addItem(name)
            last = self.combo.count() - 1
            self.combo.setItemData(last, about(name), Qt.ItemDataRole.ToolTipRole)
        self.button = QPushButton("Folder...")
        self.button.setToolTip(texts.PICK_ENCODER)
        self.note = note()
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.note, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        # Names of models are long: they have the row to themselves.
        layout.addWidget(self.combo)
        layout.addLayout(row)
        self.setFocusProxy(self.combo)
        self.combo.editTextChanged.connect(self._on_typed)
        self.button.clicked.connect(self._ask)
        self._on_typed()

    @property
    def name(self) -> str:
        """The encoder as it stands in the field."""
        return str(self.combo.currentText()).strip()

    def chosen(self) -> str:
        """Return the encoder as settings name it.

        Raises
        ------
        ConfigError
            If it is no name of an encoder.
        """
        kind, _, model = self.name.partition(":")
        if self.name == BUILTIN or (kind in (*_NETWORKS, "obsm") and model):
            return self.name
        raise ConfigError(texts.NO_ENCODER.format(name=self.name))

    def _on_typed(self) -> None:
        self.note.setText(about(self.name))
        self.changed.emit()

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, texts.PICK_ENCODER)
        if folder:
            self.combo.setEditText(f"{kind_of_folder(Path(folder))}:{folder}")


def about(encoder: str) -> str:
    """Return what is known of an encoder, in a sentence or two for users."""
    kind, _, model = encoder.partition(":")
    if encoder == BUILTIN:
        return texts.ENCODER_BUILTIN
    if kind == "obsm" and model:
        how = next((one.how for one in SUGGESTED if one.encoder == encoder), "")
        return how or texts.ENCODER_OBSM.format(key=model)
    if kind not in _NETWORKS or not model:
        return texts.ENCODER_UNKNOWN
    for one in SUGGESTED:
        if one.encoder.casefold() == encoder.casefold():
            said = texts.ENCODER_LEARNT.format(
                trained_on=one.trained_on, licence=one.licence
            )
            return f"{said} {texts.ENCODER_GATED}" if one.gated else said
    if Path(model).expanduser().is_dir():
        return texts.ENCODER_FOLDER
    return texts.ENCODER_OTHER


def kind_of_folder(folder: Path) -> str:
    """Return ``timm`` or ``hf``: which package saved the model in a folder."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "hf"
    return "timm" if isinstance(told, dict) and "pretrained_cfg" in told else "hf"


@dataclass(frozen=True, slots=True)
class LayerImage:
    """An image layer as settings name it.

    Parameters
    ----------
    name
        Of the layer.
    path
        The file that it shows.
    pixels_per_unit
        Pixels of the file along one unit of the spots' coordinates.
    why_not
        Why it cannot be read, and what to do; empty where it can.
    """

    name: str
    path: str = ""
    pixels_per_unit: float = 1.0
    why_not: str = ""


def layer_images(layers: Iterable[Layer]) -> list[LayerImage]:
    """Return the viewer's images that are not a section's own.

    Parameters
    ----------
    layers
        All layers of the viewer.
    """
    from napari.layers import Image

    from napari_semst.viewer.spots import PAIR

    own = [x for x in layers if isinstance(x, Image) and PAIR not in x.metadata]
    return [_described(layer) for layer in own]


def _described(layer: Layer) -> LayerImage:
    path = layer.source.path
    if not path or not Path(path).exists():
        return LayerImage(layer.name, why_not=texts.LAYER_NO_FILE)
    scale = np.asarray(layer.scale, dtype=float)[-2:]
    linear = np.asarray(layer.affine.affine_matrix)
    turned = not np.allclose(linear, np.eye(len(linear)))
    turned |= not np.allclose(layer.rotate, np.eye(len(layer.rotate)))
    # What is less than a pixel is how programs count them.
    moved = np.abs(np.asarray(layer.translate)[-2:]) > np.abs(scale)
    if turned or moved.any() or not np.isclose(scale[0], scale[1]) or scale[0] <= 0:
        return LayerImage(layer.name, why_not=texts.LAYER_MOVED)
    return LayerImage(layer.name, str(path), float(1 / scale[0]))
