"""Choice of the method, kept in step with the recipe."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QWidget

from napari_semst.config.presets import AUTO, PRESETS
from napari_semst.widgets.find import texts_image as texts

SEMST, GUIDED = "semst", "image-guided"


class MethodCombo(QComboBox):
    """The methods that the configuration knows.

    Parameters
    ----------
    methods
        As the configuration has them.
    recipe
        The list of recipes: some are of a method of their own.
    """

    def __init__(
        self, methods: tuple[str, ...], recipe: QComboBox, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._recipe = recipe
        self.setToolTip(texts.TIPS["method"])
        for index, name in enumerate(methods):
            self.addItem(texts.METHODS.get(name, name), name)
            about = texts.METHOD_TIPS.get(name, "")
            self.setItemData(index, about, Qt.ItemDataRole.ToolTipRole)
        self.currentIndexChanged.connect(self._on_method)
        recipe.currentIndexChanged.connect(self._on_recipe)

    @property
    def chosen(self) -> str:
        """Name of the method."""
        return str(self.currentData())

    @property
    def asked(self) -> str | None:
        """What a request must say, `None` where the recipe says it."""
        name = str(self._recipe.currentData())
        return None if method_of(name) == self.chosen else self.chosen

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show the method of the recipe, or one that settings name and that fits.

        A method that is shown is taken out of the settings.
        """
        name = str(self._recipe.currentData())
        wanted = settings.get("method", method_of(name))
        # The quick method with the settings of another recipe has no field.
        if wanted in (GUIDED, method_of(name)):
            settings.pop("method", None)
            self._show(wanted)
        else:
            self._show(method_of(name))

    def _show(self, method: str) -> None:
        self.blockSignals(True)
        self.setCurrentIndex(self.findData(method))
        self.blockSignals(False)

    def _on_method(self) -> None:
        """Choose a recipe of the method."""
        name = str(self._recipe.currentData())
        if method_of(name) == self.chosen:
            return
        fits = [one for one in PRESETS if method_of(one) == self.chosen]
        # Recipes of SemST are many: the usual one.
        fit = AUTO if self.chosen == SEMST or not fits else fits[0]
        self._recipe.setCurrentIndex(self._recipe.findData(fit))

    def _on_recipe(self) -> None:
        """Show the method of a recipe that was chosen."""
        name = str(self._recipe.currentData())
        # The usual recipe is of SemST, and what the image-guided method starts from.
        if name != AUTO or self.chosen not in (SEMST, GUIDED):
            self._show(method_of(name))


def method_of(recipe: str) -> str:
    """Return the method of a recipe."""
    preset = PRESETS.get(recipe)
    found = {} if preset is None else preset.settings.get("model", {})
    return str(found.get("method", SEMST))
