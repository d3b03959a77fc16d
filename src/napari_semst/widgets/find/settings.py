"""Middle of the dock: the settings of a run, and the request they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QLineEdit, QSpinBox, QWidget

from napari_semst import keys
from napari_semst.config import Request
from napari_semst.config.presets import AUTO, PRESETS
from napari_semst.methods.resolve import resolve
from napari_semst.methods.spec import method_spec
from napari_semst.widgets.find.configuration import ConfigurationRow
from napari_semst.widgets.find.fields import (
    ControlCombo,
    ExtraSettings,
    NumberField,
    SectionsCombo,
    setting_choices,
)
from napari_semst.widgets.find.method import (
    GUIDED,
    SEMST,
    HistologyFields,
    MethodCombo,
    has_recipes,
    source_of,
)
from napari_semst.widgets.find.semantics import ReadingFields, SemanticsForm
from napari_semst.widgets.find.texts import AS_RECIPE, CONTROL_AHEAD, TIPS
from napari_semst.widgets.shared.forms import (
    add_choice,
    add_row,
    collapsible,
    form_layout,
    note_label,
)
from napari_semst.widgets.shared.status import Banner

if TYPE_CHECKING:
    from anndata import AnnData

_MOST_NETWORKS = 20
_TOOLTIP_ROLE = Qt.ItemDataRole.ToolTipRole


class DeviceCombo(QComboBox):
    """Devices; says so when its list opens, so that GPUs are looked for only then."""

    opened = Signal()

    def showPopup(self) -> None:  # noqa: N802  Qt's name
        """Open the list."""
        self.opened.emit()
        super().showPopup()


class SettingsForm(QWidget):
    """Number of domains, semantics, recipe, device and, folded away, the rest."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.n_domains = NumberField()
        self.meaning = SemanticsForm(setting_choices("semantics", "source"))
        self.semantics = self.meaning.source
        self.control_note = Banner()
        self.recipe = QComboBox()
        add_choice(self.recipe, "Automatic", AUTO, TIPS["auto_recipe"])
        for name, preset in PRESETS.items():
            add_choice(self.recipe, name, name, preset.summary)
        self.method = MethodCombo(setting_choices("model", "method"), self.recipe)
        self._usual_source = source_of(self.method.chosen)
        self.histology = HistologyFields(self.method)
        self.recipe_note = note_label()
        self.device = DeviceCombo()
        self.device.addItem("Automatic", AUTO)
        self.device.addItem("CPU", "cpu")
        self.device_note = note_label()
        self._build_advanced()
        self._build()
        self.recipe.currentIndexChanged.connect(self._on_choice)
        self.method.currentIndexChanged.connect(self._on_method)
        self.method.currentIndexChanged.connect(self._on_choice)
        self.histology.use.toggled.connect(self._on_choice)
        self.semantics.currentIndexChanged.connect(self._on_control)
        self.control.currentIndexChanged.connect(self._on_control)
        self.meaning.changed.connect(self._on_source)
        self._tell_changes()
        self._on_choice()

    def _tell_changes(self) -> None:
        """Say when anything changes that a run would be asked for."""
        combos = (self.recipe, self.device, self.control, self.sections)
        for combo in (self.method, *combos):
            combo.currentIndexChanged.connect(self.changed)
        for spin in (self.epochs, self.ensemble):
            spin.valueChanged.connect(self.changed)
        parts = (self.n_domains, self.meaning, self.reading, self.extra)
        for part in (self.histology, *parts):
            part.changed.connect(self.changed)

    def _build_advanced(self) -> None:
        self.epochs = QSpinBox()
        self.epochs.setRange(0, 100_000)
        self.epochs.setSpecialValueText(AS_RECIPE)
        self.seed = QSpinBox()
        self.seed.setRange(0, 2_147_483_647)
        self.ensemble = QSpinBox()
        self.ensemble.setRange(1, _MOST_NETWORKS)
        self.sections = SectionsCombo()
        self.control = ControlCombo(setting_choices("semantics", "control"))
        self.reading = ReadingFields()
        self.run = QLineEdit()
        self.configuration = ConfigurationRow()
        self.extra = ExtraSettings()
        content = QWidget()
        self._advanced_rows = rows = form_layout(content)
        for name, label in (
            ("epochs", "Epochs"),
            ("seed", "Seed"),
            ("ensemble", "Ensemble"),
            ("sections", "Sections"),
            ("control", "Control"),
            ("reading", None),
            ("run", "Run name"),
            ("configuration", "Configuration"),
            ("extra", None),
        ):
            if name == "run":
                rows.addRow(self.histology.use)
                rows.addRow(self.histology.guided)
            if label is None:
                rows.addRow(getattr(self, name))
                continue
            getattr(self, name).setToolTip(TIPS[name])
            add_row(rows, label, getattr(self, name))
        self.advanced = collapsible("Advanced", content)

    def _build(self) -> None:
        self._rows = rows = form_layout(self)
        for name, label in (
            ("n_domains", "Domains (k)"),
            ("method", "Method"),
            ("histology", None),
            ("meaning", None),
            ("control_note", None),
            ("recipe", "Recipe"),
            ("recipe_note", ""),
            ("device", "Device"),
            ("device_note", ""),
        ):
            widget = getattr(self, name)
            if name in TIPS:
                widget.setToolTip(TIPS[name])
            if label is None:
                rows.addRow(widget)
            else:
                add_row(rows, label, widget)
        rows.addRow(self.advanced)
        rows.setRowVisible(self.device_note, False)

    def _on_choice(self) -> None:
        """Show what belongs to the choice made, and only that."""
        method = self.method.chosen
        self.meaning.set_heard(self.recipe_uses_semantics())
        self._rows.setRowVisible(self.meaning, method != GUIDED)
        self._rows.setRowVisible(self.histology, self.histology.read)
        # Other recipes are SemST's; one of a file is shown all the same.
        other = self.recipe.currentData() not in (AUTO, GUIDED)
        recipes = has_recipes(method) or other
        self._rows.setRowVisible(self.recipe, recipes)
        self._rows.setRowVisible(self.recipe_note, recipes)
        advanced = self._advanced_rows
        advanced.setRowVisible(self.histology.guided, method == GUIDED)
        advanced.setRowVisible(self.histology.use, method == SEMST)
        advanced.setRowVisible(self.control, method != GUIDED)
        self._on_control()
        self._on_source()
        summary = self.recipe.itemData(self.recipe.currentIndex(), _TOOLTIP_ROLE)
        self.recipe_note.setText(str(summary))

    def _on_method(self) -> None:
        """Offer the usual source of the method: published ones read none."""
        usual = source_of(self.method.chosen)
        if method_spec(self.method.chosen).semantics and usual != self._usual_source:
            self._usual_source = usual
            self.semantics.setCurrentIndex(self.semantics.findData(usual))

    def _on_source(self) -> None:
        """Show how genes are listed and read as the source wants it."""
        heard = self.recipe_uses_semantics()
        per = str(self.meaning.server.per.currentData())
        self.reading.set_source(self.meaning.chosen if heard else "", per)

    def _on_control(self) -> None:
        """Offer the controls of the source; say that one is chosen, also if folded."""
        self.control.set_source(self.meaning.chosen)
        warning = CONTROL_AHEAD.format(control=self.control.currentText().lower())
        self.control_note.say("warning", warning)
        spoilt = self.control.control != "none" and self.method.chosen != GUIDED
        self._rows.setRowVisible(self.control_note, spoilt)

    def recipe_uses_semantics(self) -> bool:
        """Return whether recipe and method listen to gene semantics."""
        if self.method.chosen == GUIDED:
            return False
        preset = PRESETS.get(self.recipe.currentData())
        settings = {} if preset is None else preset.settings.get("semantics", {})
        return settings.get("source") != "none"

    def set_tissue(
        self, tissue: AnnData | None, free_name: str, sections_by: str = ""
    ) -> None:
        """Offer what a section has: its embeddings, its columns, a name for the run.

        Parameters
        ----------
        free_name
            A name that none of its runs has.
        sections_by
            The column that tells its sections apart, empty for one section.
        """
        self.sections.set_tissue(tissue, sections_by)
        self.meaning.set_tissue(tissue)
        self.histology.set_tissue(tissue)
        self.run.setPlaceholderText(free_name)

    def run_name(self) -> str:
        """Return the name typed, or else the free name offered."""
        return self.run.text().strip() or self.run.placeholderText()

    def add_cuda(self, devices: tuple[tuple[str, str], ...]) -> None:
        """Offer CUDA devices that were found; those already offered stay."""
        for name, label in devices:
            if self.device.findData(name) < 0:
                self.device.addItem(f"{label} ({name})", name)

    def note_device(self, text: str) -> None:
        """Say in one line what was used and why."""
        self.device_note.setText(text)
        self._rows.setRowVisible(self.device_note, bool(text))

    def request(self, coordinates: str, counts_layer: str = "") -> Request:
        """Return the request that the settings stand for.

        Parameters
        ----------
        counts_layer
            Where the raw counts are; empty: X.

        Raises
        ------
        SemstError
            If the source of semantics lacks what it needs, or cannot be controlled so;
            or an image encoder or layer cannot be read.
        """
        request = Request(preset=self.recipe.currentData())
        request = request.with_settings("domains", n_domains=self.n_domains.value())
        request = request.with_settings(
            "training",
            seed=self.seed.value(),
            device=self.device.currentData(),
            epochs=self.epochs.value() or None,
            ensemble=self.ensemble.value() if self.ensemble.value() > 1 else None,
        )
        if coordinates != keys.SPATIAL or counts_layer:
            request = request.with_settings(
                "prepare", coordinates=coordinates, counts_layer=counts_layer
            )
        if self.sections.asked:
            request = request.with_settings("prepare", section_key=self.sections.asked)
        if self.recipe_uses_semantics():
            request = request.with_settings(
                "semantics", **self.meaning.settings(), **self.reading.settings()
            )
        request = self.histology.added_to(request)
        # Also where nothing could be spoilt: the run then says so.
        control = None if self.method.chosen == GUIDED else self.control.chosen()
        if control is not None:
            request = request.with_settings("semantics", control=control)
        for stage, values in self.extra.settings.items():
            request = request.with_settings(stage, **values)
        return request

    def show_request(self, request: Request) -> None:
        """Show the settings of a request; what has no field is kept and named.

        Raises
        ------
        ConfigError
            If its preset is unknown, or a setting not accepted.
        """
        # Refused as a whole, before any field is changed.
        resolve(request)
        rest = {stage: dict(values) for stage, values in request.overrides.items()}
        semantics = rest.get("semantics", {})
        self.recipe.setCurrentIndex(self.recipe.findData(request.preset))
        self.n_domains.setValue(
            rest.get("domains", {}).pop("n_domains", 0) or self.n_domains.value()
        )
        self._show_training(rest.get("training", {}))
        self.histology.show_settings(rest)
        if method_spec(self.method.chosen).semantics:
            self._usual_source = source_of(self.method.chosen)
            semantics.setdefault("source", self._usual_source)
        self.meaning.show_settings(semantics)
        control = semantics.pop("control", "none")
        self.control.setCurrentIndex(self.control.findData(control))
        self.reading.show_settings(semantics)
        column = rest.get("prepare", {}).get("section_key", "")
        if column and self.sections.findData(column) >= 0:
            self.sections.setCurrentIndex(self.sections.findData(column))
            del rest["prepare"]["section_key"]
        self._on_choice()
        self.extra.keep(rest)

    def _show_training(self, training: dict[str, Any]) -> None:
        self.seed.setValue(training.pop("seed", 0))
        self.ensemble.setValue(training.pop("ensemble", 1))
        # In a file 0 is no training at all; here it is what the recipe says.
        self.epochs.setValue(0)
        if training.get("epochs"):
            self.epochs.setValue(training.pop("epochs"))
        device = training.pop("device", AUTO)
        if self.device.findData(device) < 0:
            self.device.addItem(device, device)
        self.device.setCurrentIndex(self.device.findData(device))
