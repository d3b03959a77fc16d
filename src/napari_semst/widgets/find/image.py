"""Which image is read around the spots, by which encoder, and how far around them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

from napari_semst.config import MorphologyConfig
from napari_semst.errors import InputError
from napari_semst.widgets.find import texts_image as texts
from napari_semst.widgets.find.fields import FilePicker
from napari_semst.widgets.find.histology import BUILTIN, EncoderField, LayerImage
from napari_semst.widgets.shared.forms import add_row, form
from napari_semst.widgets.shared.status import Banner
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

_KINDS = "Images (*.tif *.tiff *.svs *.ndpi *.png *.jpg *.jpeg)"
_DEFAULTS = MorphologyConfig()
_TOOLTIP = Qt.ItemDataRole.ToolTipRole


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
            self.combo.addItem(texts.LAYER_IMAGE.format(name=image.name), image)
            last = self.combo.count() - 1
            self.combo.setItemData(last, image.why_not or image.path, _TOOLTIP)
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
        self._rows = rows = form(self)
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
        """Return the settings that differ from their defaults, and the encoder.

        Raises
        ------
        SemstError
            If the encoder is none, or a layer that is no file is chosen.
        """
        found: dict[str, Any] = {"encoder": self.encoder.chosen()}
        layer = self.image.layer
        if layer is not None and layer.why_not:
            raise InputError(layer.why_not)
        if self.image.path:
            found["image"] = self.image.path
            scale = layer.pixels_per_unit if layer else self.scale.value()
            if scale not in (0.0, 1.0):
                found["image_scale"] = scale
        if self.diameter.value():
            found["spot_diameter"] = self.diameter.value()
        if self.context.value() != _DEFAULTS.context:
            found["context"] = self.context.value()
        return found

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
        from pathlib import Path

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
