"""What a run reads of the histology, and the method's own settings, as one part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_semst.errors import InputError
from napari_semst.widgets.find import texts_image as texts
from napari_semst.widgets.find.guided import GuidedFields
from napari_semst.widgets.find.image import ImageForm
from napari_semst.widgets.find.method import GUIDED, SEMST

if TYPE_CHECKING:
    from anndata import AnnData

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
