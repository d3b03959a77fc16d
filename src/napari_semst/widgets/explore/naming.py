"""Name the domains of the section chosen from another one, in a worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from qtpy.QtWidgets import QFileDialog, QWidget
from superqt.utils import create_worker

from napari_semst import keys
from napari_semst.core.column_colors import column_colors
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled
from napari_semst.explore.labels import same_column
from napari_semst.explore.named_domains import named_domains
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action, session_actions
from napari_semst.transfer.builtin_signatures import builtin_names
from napari_semst.transfer.references import Reference, name_columns, refuse_own_labels
from napari_semst.transfer.result import attach_transfer, naming_facts, read_naming
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.signature_file import is_signature_file
from napari_semst.transfer.target import TargetOptions
from napari_semst.viewer import adapter
from napari_semst.viewer.sections import sections_by
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.compare import label_columns
from napari_semst.widgets.explore.naming_panel import NamingPanel
from napari_semst.widgets.explore.texts import NAMING
from napari_semst.widgets.shared.closing import guard_closing
from napari_semst.widgets.shared.errors import describe_error, error_report
from napari_semst.widgets.shared.files import SECTION_ENDINGS, ask_path, file_stem
from napari_semst.widgets.shared.forms import collapsible, stacked
from napari_semst.widgets.shared.worker import BackgroundTask, told_sparingly
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData

    from napari_semst.core.progress import Progress
    from napari_semst.transfer.result import TransferResult
    from napari_semst.widgets.explore.context import ExploreContext

_SECONDS_BETWEEN = 0.25
# Of what is named, what the dock chooses.
_PLACE = ("domains", "coordinates", "section_key")


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """Something that names can be taken from.

    Parameters
    ----------
    title
        As the list has it.
    source
        What ships by its name, a signature's file, or a section.
    columns
        That hold names; None where it has names of its own.
    path
        The file that it was read from.
    """

    title: str
    source: Any
    columns: list[str] | None
    path: Path | None = None

    def told(self, labels: str) -> dict[str, Any]:
        """Return where names are taken from, for the record of the session."""
        source = self.source
        if self.path is not None:
            source = self.path.absolute()
        elif not isinstance(source, str):
            source = session_actions(source)
        return {"source": source, "labels": labels}


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What a worker is given: nothing of it changes while it works."""

    number: int
    tissue: AnnData
    copy: AnnData
    reference: Reference
    options: TargetOptions
    settings: TransferSettings
    control: RunControl
    action: Action


class NamingPart(QWidget):
    """The fold "Name from another section" of the dock."""

    def __init__(self, context: ExploreContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._number = 0
        self._job: _Job | None = None
        self._files: list[_Choice] = []
        self._choices: list[_Choice] = []
        # Of the signature that is being written: from where, and where this is told.
        self._signature: tuple[AnnData | None, dict[str, Any]] = (None, {})
        self.panel = NamingPanel()
        self.fold = collapsible(NAMING["title"], self.panel)
        self.reading = BackgroundTask(_read_reference)
        self.saving = BackgroundTask(_save_signature)
        stacked(self, self.fold)
        panel = self.panel
        panel.asked.connect(self.ask)
        panel.given_up.connect(self.cancel)
        panel.file_wanted.connect(self.ask_file)
        panel.rename_wanted.connect(self.rename)
        panel.save_wanted.connect(self.ask_save)
        panel.reference_chosen.connect(self._on_reference)
        self.reading.done.connect(self._on_read)
        self.saving.done.connect(self._on_saved)
        for task in (self.reading, self.saving):
            task.failed.connect(self._on_failed)
        context.section_changed.connect(self.refresh)
        context.state.tissue_changed.connect(self._on_tissue_changed)
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether names are being looked for."""
        return self._job is not None

    # --- what is offered

    def refresh(self) -> None:
        """Offer what is open now, and show the names that the section has."""
        if self._job is not None and self._job.tissue is not self._context.tissue:
            self.cancel()
        self._offer()
        self._show()

    def _offer(self) -> None:
        tissue = self._context.tissue
        before = self._choice
        self._choices = [
            *(_Choice(NAMING[name], name, None) for name in builtin_names()),
            *self._open_sections(),
            *self._files,
        ]
        titles = [choice.title for choice in self._choices]
        kept = None if before is None else before.title
        place = titles.index(kept) if kept in titles else 0
        self.panel.offer_references(titles, place)
        self._on_reference()
        self.panel.setEnabled(tissue is not None)
        offered = [] if tissue is None else _domain_columns(tissue)
        self.panel.offer_domains(offered)

    def _open_sections(self) -> list[_Choice]:
        own, found, seen = self._context.tissue, [], set()
        for layer in self._context.viewer.layers:
            tissue = tissue_of(layer)
            if tissue is None or tissue is own or id(tissue) in seen:
                continue
            seen.add(id(tissue))
            columns = name_columns(tissue)
            if columns:
                found.append(_Choice(layer.name, tissue, columns))
        return found

    @property
    def _choice(self) -> _Choice | None:
        place = self.panel.reference.currentIndex()
        return self._choices[place] if 0 <= place < len(self._choices) else None

    def _on_reference(self) -> None:
        choice = self._choice
        self.panel.offer_labels(None if choice is None else choice.columns)

    def ask_file(self) -> None:
        """Ask for an annotated section, or a signature, to take names from."""
        kinds = f"Sections and signatures ({SECTION_ENDINGS} *.npz);;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self, NAMING["file_title"], "", kinds)
        if path:
            self.take_file(Path(path))

    def take_file(self, path: Path) -> None:
        """Read what names are to be taken from, in the background."""
        self.panel.show_state(
            running=False, said=NAMING["reading"].format(name=path.name)
        )
        self.reading.start(path)

    def _on_read(self, choice: _Choice) -> None:
        self._files = [one for one in self._files if one.title != choice.title]
        self._files.append(choice)
        self._offer()
        titles = [one.title for one in self._choices]
        self.panel.reference.setCurrentIndex(len(titles) - 1)
        self.panel.show_state(running=False, said=NAMING["ask"])

    # --- names

    def ask(self) -> None:
        """Name the domains of the section chosen."""
        tissue, layer, choice = self._context.tissue, self._context.layer, self._choice
        if tissue is None or layer is None or choice is None:
            return
        labels = "" if choice.columns is None else self.panel.labels.currentText()
        reference = Reference(choice.source, labels)
        self.cancel()
        self._number += 1
        try:
            refuse_own_labels([reference], tissue)
            options = TargetOptions(
                domains=self.panel.domains.currentData() or "",
                coordinates=layer.metadata.get(adapter.COORDINATES) or "",
                section_key=sections_by(layer) or "",
            )
            settings = TransferSettings(fdr=self.panel.fdr.value())
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self._on_failed(error, error_report(error))
            return
        copy, control = adapter.snapshot(tissue), RunControl()
        place = {name: getattr(options, name) for name in _PLACE}
        given = {
            "reference": choice.told(labels),
            "options": place,
            "fdr": settings.fdr,
        }
        action = Action("transfer", given)
        self._job = _Job(
            self._number, tissue, copy, reference, options, settings, control, action
        )
        worker = create_worker(_name, self._job)
        self.destroyed.connect(control.cancel)
        worker.yielded.connect(self._on_progress)
        worker.returned.connect(self._on_returned)
        self.panel.show_state(running=True, said=NAMING["busy"])
        worker.start()

    def cancel(self) -> None:
        """Give the names up that are being looked for."""
        if self._job is not None:
            self._job.control.cancel()
            self._job = None
            self.panel.show_state(running=False, said=NAMING["cancelled"])

    def shutdown(self) -> None:
        """Await nothing any more; for when the dock goes."""
        self.cancel()
        self.reading.drop()
        self.saving.drop()

    def _on_progress(self, update: tuple[int, Progress]) -> None:
        number, event = update
        if self._job is not None and number == self._number:
            self.panel.show_progress(event.step, event.steps, event.message)

    def _on_returned(self, answer: tuple[int, Any, str]) -> None:
        number, outcome, details = answer
        if self._job is None or number != self._number:
            return
        job, self._job = self._job, None
        if isinstance(outcome, Cancelled):
            self.panel.show_state(running=False, said=NAMING["cancelled"])
        elif isinstance(outcome, Exception):
            self._on_failed(outcome, details)
        else:
            self._on_named(job, outcome)

    def _on_named(self, job: _Job, result: TransferResult) -> None:
        tissue, column = job.tissue, job.options.domains
        if column and not same_column(tissue, job.copy, column):
            text = texts.CHANGED_MEANWHILE_HELP.format(column=column)
            self.panel.show_state(running=False, said=NAMING["ask"])
            self._context.card.show_status("warning", texts.CHANGED_MEANWHILE, text)
            return
        attach_transfer(tissue, result, inplace=True)
        record_action(tissue, job.action)
        for layer in self._context.sections.layers_of(tissue):
            layer.metadata[adapter.UNSAVED] = uuid4().hex
        guard_closing(self, self._context.viewer)
        named = sum(bool(one.name) for one in result.domains)
        said = NAMING["named"].format(named=named, total=len(result.domains))
        notes = "\n".join(for_window(note) for note in result.warnings)
        self.panel.show_state(running=False, said=said)
        self._context.state.tissue_changed.emit(tissue, self)
        if tissue is self._context.tissue:
            by_domain = keys.TRANSFER_DOMAIN if named else keys.TRANSFER
            self._context.colour_by(by_domain)
        kind = "warning" if notes or not named else "success"
        self._context.card.show_status(kind, said, notes or NAMING["named_help"])

    def _show(self) -> None:
        """Show the names that the section's domains have."""
        tissue = self._context.tissue
        named = () if tissue is None else read_naming(tissue)
        there = tissue is not None and keys.TRANSFER_DOMAIN in tissue.obs
        colors = column_colors(tissue, keys.TRANSFER_DOMAIN) if there else {}
        self.panel.show_naming(named, colors)

    def _on_tissue_changed(self, tissue: AnnData, by: object) -> None:
        if tissue is self._context.tissue:
            self._offer()
            self._show()

    def rename(self) -> None:
        """Put the domains under their names into a column that can be edited."""
        tissue = self._context.tissue
        if tissue is None:
            return
        try:
            labels = named_domains(tissue)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            self._on_failed(error, error_report(error))
            return
        origin = str(naming_facts(tissue).get("domains", keys.DOMAIN))
        column = self._context.editing.take(
            NAMING["column"], labels, origin, Action("named")
        )
        if column:
            title = NAMING["renamed"].format(column=column)
            self._context.card.show_status("success", title, NAMING["renamed_help"])

    # --- signatures

    def ask_save(self) -> None:
        """Ask where to write the signature of the reference chosen."""
        choice = self._choice
        if choice is None or choice.columns is None:
            return
        name = f"{file_stem(choice.title)}_signature.npz"
        kinds = "Signatures (*.npz)"
        path = ask_path(self, NAMING["save_title"], name, kinds, (".npz",))
        if path is not None:
            reference = Reference(choice.source, self.panel.labels.currentText())
            self.panel.show_state(running=False, said=NAMING["saving"])
            told = choice.told(reference.labels)
            self._signature = self._context.tissue, told
            self.saving.start(reference, path)

    def _on_saved(self, path: Path) -> None:
        tissue, told = self._signature
        self._signature = None, {}
        if tissue is not None:
            given = {"reference": told, "path": path.absolute()}
            record_action(tissue, Action("signature", given))
        self.panel.show_state(running=False, said=NAMING["ask"])
        self._context.card.show_status("success", NAMING["saved"], str(path))

    def _on_failed(self, error: Exception, details: str) -> None:
        self.panel.show_state(running=False, said=NAMING["ask"])
        self._context.card.show_status("error", *describe_error(error), details)


def _domain_columns(tissue: AnnData) -> list[tuple[str, str]]:
    """Return the labels that can be named: the latest run's first, else found now."""
    offered = []
    if keys.DOMAIN in tissue.obs:
        offered.append((NAMING["latest"], keys.DOMAIN))
    else:
        offered.append((NAMING["find"], ""))
    return [*offered, *((name, name) for name in label_columns(tissue))]


def _read_reference(path: Path) -> _Choice:
    """Return what a file holds to take names from."""
    if is_signature_file(path):
        from napari_semst.transfer.signature_file import load_signature

        return _Choice(path.name, load_signature(path), None, path)
    from napari_semst.io.read import read

    tissue = read(path)
    return _Choice(path.name, tissue, name_columns(tissue), path)


def _save_signature(reference: Reference, path: Path) -> Path:
    from napari_semst.transfer.signature_file import save_signature
    from napari_semst.transfer.steps import signature_steps

    made = run_to_end(signature_steps(reference, RunControl()))
    # The dialog asked before it gave the name of a file that exists.
    return save_signature(made, path, overwrite=True)


def _name(job: _Job) -> Generator[tuple[int, Progress], None, tuple[int, Any, str]]:
    """Yield progress, few a second; return the names, or what went wrong."""
    from napari_semst.transfer.steps import transfer_steps

    steps = transfer_steps(
        [job.reference], job.copy, job.options, job.settings, job.control
    )
    outcome, details = yield from told_sparingly(job.number, steps, job.control)
    return job.number, outcome, details
