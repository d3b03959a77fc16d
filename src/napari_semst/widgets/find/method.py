"""Choice of the method, kept in step with the recipe; its image and own settings."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_semst import keys
from napari_semst.config import ImageGuidedConfig, SemanticsConfig
from napari_semst.config.listed_names import joined_names, listed_names
from napari_semst.config.presets import AUTO, PRESETS
from napari_semst.errors import InputError
from napari_semst.methods.spec import method_spec
from napari_semst.widgets.find import texts_image as texts
from napari_semst.widgets.find.image import ImageForm
from napari_semst.widgets.shared.forms import (
    add_choice,
    add_row,
    form_layout,
    keep_narrow,
    note_label,
    stacked,
)

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.config import Request

# Their forms differ: the one has a check box for the image, the other its own fields.
SEMST, GUIDED = "semst", "image-guided"
_DEFAULTS = ImageGuidedConfig()
# Pixels of the list of sections: more are scrolled.
_MOST_HIGH = 110
_MOST = {"folds": 20, "k_neighbors": 100, "latent_dim": 1024}
_SMALL_STEP = {"free_bits": 0.01, "discordance_fdr": 0.01, "kl_weight_max": 0.1}


class MethodCombo(QComboBox):
    """The methods that the configuration knows.

    Parameters
    ----------
    recipe
        The list of recipes: some are of a method of their own.
    """

    def __init__(
        self, methods: tuple[str, ...], recipe: QComboBox, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._recipe = recipe
        self.setToolTip(texts.TIPS["method"])
        keep_narrow(self)
        for name in methods:
            spec = method_spec(name)
            add_choice(self, spec.label, name, spec.summary)
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
        usual = name == AUTO and _starts_from_auto(wanted)
        if usual or wanted in (GUIDED, method_of(name)):
            settings.pop("method", None)
            self._show(wanted)
        else:
            self._show(method_of(name))

    def _show(self, method: str) -> None:
        with QSignalBlocker(self):
            self.setCurrentIndex(self.findData(method))

    def _on_method(self) -> None:
        """Choose a recipe of the method."""
        name = str(self._recipe.currentData())
        if method_of(name) == self.chosen:
            return
        fits = [recipe for recipe in PRESETS if method_of(recipe) == self.chosen]
        # Recipes of SemST are many: the usual one.
        fit = AUTO if self.chosen == SEMST or not fits else fits[0]
        self._recipe.setCurrentIndex(self._recipe.findData(fit))

    def _on_recipe(self) -> None:
        """Show the method of a recipe that was chosen."""
        name = str(self._recipe.currentData())
        # The usual recipe is of SemST, and what methods of their own start from.
        if name != AUTO or not _starts_from_auto(self.chosen):
            self._show(method_of(name))


def method_of(recipe: str) -> str:
    """Return the method of a recipe."""
    preset = PRESETS.get(recipe)
    model = {} if preset is None else preset.settings.get("model", {})
    return str(model.get("method", SEMST))


def has_recipes(method: str) -> bool:
    """Return whether there is more than one way to run a method."""
    return method != GUIDED and method in map(method_of, (AUTO, *PRESETS))


def source_of(method: str) -> str:
    """Return the source of semantics that a method reads unless told otherwise."""
    semantics = method_spec(method).defaults.get("semantics", {})
    return str(semantics.get("source", SemanticsConfig().source))


def _starts_from_auto(method: str) -> bool:
    """Return whether a method differs from the usual recipe by its own settings."""
    return method_spec(method).networks != "none"


class HistologyFields(QWidget):
    """The image's fields; and, for Advanced, a check box and the method's settings."""

    changed = Signal()

    def __init__(self, method: MethodCombo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._method = method
        self.image = ImageForm()
        self.use = QCheckBox(texts.USE_IMAGE)
        self.use.setToolTip(texts.TIPS["use_image"])
        self.guided = GuidedFields()
        self.reference = ReferenceList()
        stacked(self, self.image, self.reference, spacing=6)
        method.currentIndexChanged.connect(self._show_reference)
        self._show_reference()
        self.use.toggled.connect(self.changed)
        self.reference.changed.connect(self.changed)
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
        self.reference.set_tissue(tissue)
        self._show_reference()

    def _show_reference(self) -> None:
        several = self.reference.list.count() > 1
        self.reference.setVisible(several and self._method.chosen == GUIDED)

    def check(self) -> None:
        """Raise `InputError`, with what to do, where a run would find no image."""
        why = self.image.why_not() if self.read else ""
        if why:
            raise InputError(why)
        guided = self._method.chosen == GUIDED
        if guided and len(self.reference.ticked) == self.reference.list.count() > 0:
            raise InputError(texts.REFERENCE_ALL)

    def added_to(self, request: Request) -> Request:
        """Return a request with method and image, or raise `SemstError`."""
        method = self._method
        if method.asked is not None:
            request = request.with_settings("model", method=method.asked)
        if self.read:
            request = request.with_settings("morphology", **self.image.settings())
        guided = {}
        if method.chosen == GUIDED:
            guided = self.guided.settings() | self.reference.settings()
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
            guided = settings.get("image_guided", {})
            self.guided.show_settings(guided)
            self.reference.show_settings(guided)


class ReferenceList(QWidget):
    """Tick the sections that teach what images lead to expect; none: all do."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Names that settings ask for and the section at hand does not have: a run is
        # asked for them all the same, and says what it expected.
        self._missing: list[str] = []
        title = QLabel(texts.REFERENCE)
        self.list = QListWidget()
        self.list.setSizeAdjustPolicy(QListWidget.SizeAdjustPolicy.AdjustToContents)
        self.list.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum
        )
        self.list.setMaximumHeight(_MOST_HIGH)
        self.note = note_label()
        stacked(self, title, self.list, self.note, spacing=2)
        for part in (title, self.list):
            part.setToolTip(texts.TIPS["reference"])
        self.list.itemChanged.connect(self._on_ticked)
        self._tell()

    @property
    def ticked(self) -> list[str]:
        """Names of the sections that are the reference."""
        items = [self.list.item(row) for row in range(self.list.count())]
        on = Qt.CheckState.Checked
        return [item.text() for item in items if item.checkState() == on]

    def set_tissue(self, tissue: AnnData | None) -> None:
        """Offer the sections of a tissue; ticks stay on names that are there again."""
        names: list[str] = []
        if tissue is not None and keys.SECTION in tissue.obs:
            names = list(map(str, tissue.obs[keys.SECTION].unique()))
        self._fill(names, [*self.ticked, *self._missing])
        self._missing = [name for name in self._missing if name not in names]
        self._tell()

    def settings(self) -> dict[str, Any]:
        """Return the setting, empty where all sections teach and are asked."""
        names = [*self.ticked, *self._missing]
        return {"reference": joined_names(names)} if names else {}

    def show_settings(self, settings: dict[str, Any]) -> None:
        """Show the setting, and take it out of the settings."""
        given = str(settings.pop("reference", ""))
        there = [self.list.item(row).text() for row in range(self.list.count())]
        wanted = listed_names(given)
        if given in there and not set(wanted) <= set(there):
            wanted = [given]
        self._fill(there, wanted)
        self._missing = [name for name in wanted if name not in there]
        self._tell()
        self.changed.emit()

    def _fill(self, names: list[str], ticked: list[str]) -> None:
        with QSignalBlocker(self.list):
            self.list.clear()
            for name in names:
                item = QListWidgetItem(name, self.list)
                usual = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable
                item.setFlags(usual)
                on = name in ticked
                item.setCheckState(
                    Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
                )

    def _on_ticked(self) -> None:
        # Whoever ticks has seen which names are there.
        self._missing = []
        self._tell()
        self.changed.emit()

    def _tell(self) -> None:
        """Say what comes of the ticks."""
        n_ticked, n = len(self.ticked), self.list.count()
        if self._missing:
            text = texts.REFERENCE_MISSING.format(names=", ".join(self._missing))
        elif not n_ticked:
            text = texts.REFERENCE_NONE
        elif n_ticked == n:
            text = texts.REFERENCE_ALL
        elif n_ticked == 1:
            text = texts.REFERENCE_ONE
        else:
            text = texts.REFERENCE_SOME
        self.note.setText(text)


class GuidedFields(QWidget):
    """A field for each setting that is worth one; tooltips say what it is."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        about = {one.name: one.metadata for one in fields(ImageGuidedConfig)}
        self._fields: dict[str, QSpinBox | QDoubleSpinBox | QComboBox] = {}
        self._rows = rows = form_layout(self)
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
