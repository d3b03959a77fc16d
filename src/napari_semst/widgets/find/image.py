"""Which image is read around the spots, by which encoder, and how far around them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDoubleSpinBox, QFileDialog, QWidget

from napari_semst.config import MorphologyConfig
from napari_semst.core.json_text import parse_json
from napari_semst.errors import ConfigError, InputError
from napari_semst.morphology.suggestions import SUGGESTED_ENCODERS
from napari_semst.widgets.find import texts_image as texts
from napari_semst.widgets.find.fields import FilePicker
from napari_semst.widgets.shared.forms import (
    add_choice,
    add_row,
    field_over_note,
    form_layout,
    note_label,
    push_button,
    typed_combo,
)
from napari_semst.widgets.shared.status import Banner
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anndata import AnnData
    from napari.layers import Layer

_KINDS = "Images (*.tif *.tiff *.svs *.ndpi *.png *.jpg *.jpeg)"
_DEFAULTS = MorphologyConfig()
BUILTIN = "builtin"
_NETWORKS = ("timm", "hf")


class ImagePicker(FilePicker):
    """The section's own image, image layers of the viewer, and files."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            texts.TIPS["image"], texts.PICK_IMAGE, _KINDS, texts.NO_IMAGE, parent
        )
        self.combo.addItem(texts.OWN_IMAGE, "")

    def set_layers(self, images: Sequence[LayerImage]) -> None:
        """Offer these layers; files that were picked stay on offer."""
        chosen = self.combo.currentData()
        for index in reversed(range(self.combo.count())):
            if isinstance(self.combo.itemData(index), LayerImage):
                self.combo.removeItem(index)
        for image in images:
            label = texts.LAYER_IMAGE.format(name=image.name)
            add_choice(self.combo, label, image, image.why_not or image.path)
        # Not `findData`, which compares objects by identity.
        values = [self.combo.itemData(i) for i in range(self.combo.count())]
        self.combo.setCurrentIndex(values.index(chosen) if chosen in values else 0)

    @property
    def layer(self) -> LayerImage | None:
        """The layer chosen, `None` where a file or the section's own image is."""
        value = self.combo.currentData()
        return value if isinstance(value, LayerImage) else None

    @property
    def path(self) -> str:
        """The file chosen, empty for the section's own image."""
        value = self.layer.path if self.layer else self.combo.currentData()
        return str(value or "")


class ImageForm(QWidget):
    """Image, encoder, diameter of a spot and context; says at once what is missing."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tissue: AnnData | None = None
        self.image = ImagePicker()
        self.missing = Banner()
        self.scale = _number(0.0, 1e4, texts.PIXELS_ONE, decimals=4)
        self.encoder = EncoderField()
        self.diameter = _number(0.0, 1e7, texts.AUTOMATIC)
        self.context = _number(1.0, 50.0, "")
        self.context.setSuffix(texts.SPOT_DIAMETERS)
        self.context.setSingleStep(0.5)
        self._rows = rows = form_layout(self)
        for name, label in texts.IMAGE_LABELS.items():
            field = getattr(self, name)
            if not field.toolTip():
                field.setToolTip(texts.TIPS.get(f"image_{name}", ""))
            if label is None:
                rows.addRow(field)
            else:
                add_row(rows, label, field)
        self.show_settings({})
        self.image.combo.currentIndexChanged.connect(self._on_image)
        self.encoder.changed.connect(self._on_image)
        for spin in (self.scale, self.diameter, self.context):
            spin.valueChanged.connect(self.changed)
        self._on_image()

    def set_tissue(self, tissue: AnnData | None) -> None:
        """Take the section whose image is meant."""
        self._tissue = tissue
        self._tell()

    def set_layers(self, images: Sequence[LayerImage]) -> None:
        """Offer the image layers of the viewer."""
        self.image.set_layers(images)
        self._tell()

    def settings(self) -> dict[str, Any]:
        """Return the settings changed, and the encoder, or raise `SemstError`."""
        changed: dict[str, Any] = {"encoder": self.encoder.chosen()}
        layer = self.image.layer
        if layer is not None and layer.why_not:
            raise InputError(layer.why_not)
        if self.image.path:
            changed["image"] = self.image.path
            scale = layer.pixels_per_unit if layer else self.scale.value()
            if scale not in (0.0, 1.0):
                changed["image_scale"] = scale
        if self.diameter.value():
            changed["spot_diameter"] = self.diameter.value()
        if self.context.value() != _DEFAULTS.context:
            changed["context"] = self.context.value()
        return changed

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show settings, and take what is shown out of them."""
        encoder = settings.pop("encoder", _DEFAULTS.encoder)
        self.encoder.combo.setEditText(BUILTIN if encoder == "none" else encoder)
        path = settings.pop("image", "")
        if path:
            self.image.add_file(path)
        else:
            self.image.combo.setCurrentIndex(0)
        self.scale.setValue(settings.pop("image_scale", 0.0))
        self.diameter.setValue(settings.pop("spot_diameter", 0.0))
        self.context.setValue(settings.pop("context", _DEFAULTS.context))

    def why_not(self) -> str:
        """Return what the section lacks for these settings, and what to do; else ''."""
        from napari_semst.morphology.sections import imaged_parts

        kind, _, key = self.encoder.name.partition(":")
        if kind == "timm" and find_spec("timm") is None:
            return texts.NO_TIMM
        layer, tissue, path = self.image.layer, self._tissue, self.image.path
        if kind == "obsm":
            there = tissue is None or key in tissue.obsm
            return "" if there else texts.NO_FEATURES.format(key=key)
        if layer is not None and layer.why_not:
            return layer.why_not
        if path and not Path(path).expanduser().exists():
            return texts.IMAGE_GONE.format(path=path)
        if tissue is None:
            return ""
        try:
            imaged_parts(tissue, MorphologyConfig(encoder=BUILTIN, image=path))
        except InputError as error:
            return for_window(error) if path else texts.NO_IMAGE
        return ""

    def _on_image(self) -> None:
        kind = self.encoder.name.partition(":")[0]
        of_file = bool(self.image.path) and self.image.layer is None
        self._rows.setRowVisible(self.scale, of_file and kind != "obsm")
        for field in (self.image, self.diameter, self.context):
            self._rows.setRowVisible(field, kind != "obsm")
        self._tell()
        self.changed.emit()

    def _tell(self) -> None:
        """Say at once what a run would stumble over."""
        why = self.why_not()
        self.missing.say("warning", why)
        self._rows.setRowVisible(self.missing, bool(why))


def _number(low: float, high: float, at_low: str, decimals: int = 1) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(low, high)
    spin.setDecimals(decimals)
    spin.setKeyboardTracking(False)
    if at_low:
        spin.setSpecialValueText(at_low)
    return spin


class EncoderField(QWidget):
    """A list to type in, with a note on the encoder: what it learnt from, its terms."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(texts.TIPS["image_encoder"])
        self.combo = typed_combo(texts.TIPS["image_encoder"])
        for name in (BUILTIN, *(known.encoder for known in SUGGESTED_ENCODERS)):
            add_choice(self.combo, name, None, describe_encoder(name))
        self.button = push_button("Folder...", texts.PICK_ENCODER)
        self.note = note_label()
        field_over_note(self, self.combo, self.note, self.button)
        self.combo.editTextChanged.connect(self._on_typed)
        self.button.clicked.connect(self._ask)
        self._on_typed()

    @property
    def name(self) -> str:
        """The encoder as it stands in the field."""
        return str(self.combo.currentText()).strip()

    def chosen(self) -> str:
        """Return the encoder as settings name it, or raise `ConfigError`."""
        kind, _, model = self.name.partition(":")
        if self.name == BUILTIN or (kind in (*_NETWORKS, "obsm") and model):
            return self.name
        raise ConfigError(texts.NO_ENCODER.format(name=self.name))

    def _on_typed(self) -> None:
        self.note.setText(describe_encoder(self.name))
        self.changed.emit()

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, texts.PICK_ENCODER)
        if folder:
            self.combo.setEditText(f"{kind_of_folder(Path(folder))}:{folder}")


def describe_encoder(encoder: str) -> str:
    """Return what is known of an encoder, in a sentence or two for users."""
    kind, _, model = encoder.partition(":")
    if encoder == BUILTIN:
        return texts.ENCODER_BUILTIN
    if kind == "obsm" and model:
        how = {known.encoder: known.how for known in SUGGESTED_ENCODERS}
        return how.get(encoder) or texts.ENCODER_OBSM.format(key=model)
    if kind not in _NETWORKS or not model:
        return texts.ENCODER_UNKNOWN
    for suggested in SUGGESTED_ENCODERS:
        if suggested.encoder.casefold() == encoder.casefold():
            sentence = texts.ENCODER_LEARNT.format(
                trained_on=suggested.trained_on, licence=suggested.licence
            )
            return f"{sentence} {texts.ENCODER_GATED}" if suggested.gated else sentence
    if Path(model).expanduser().is_dir():
        return texts.ENCODER_FOLDER
    return texts.ENCODER_OTHER


def kind_of_folder(folder: Path) -> str:
    """Return ``timm`` or ``hf``: which package saved the model in a folder."""
    try:
        config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "hf"
    return "timm" if isinstance(config, dict) and "pretrained_cfg" in config else "hf"


@dataclass(frozen=True, slots=True)
class LayerImage:
    """An image layer as settings name it.

    Parameters
    ----------
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
    """Return the viewer's images that are not a section's own."""
    from napari.layers import Image

    from napari_semst.viewer.spots import PAIR

    images = [x for x in layers if isinstance(x, Image) and PAIR not in x.metadata]
    return [_described(layer) for layer in images]


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
