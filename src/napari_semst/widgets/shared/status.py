"""A card that says how things stand, and what to do if they stand badly."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from napari_semst.widgets.shared.forms import WrappedLabel, push_button, row_of, stacked

# Middle tones that stand out on dark and on light grounds alike; the text keeps the
# theme's own colour.
_ACCENTS = {
    "ready": (128, 128, 128),
    "running": (58, 134, 200),
    "success": (46, 158, 107),
    "warning": (208, 135, 0),
    "error": (214, 69, 69),
}


class StatusCard(QFrame):
    """Title, text and, for errors, details that can be copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("semst_status_card")
        self.kind = "ready"
        self.title = _label(bold=True)
        self.text = _label()
        self.details_button = QPushButton("Details")
        self.details_button.setCheckable(True)
        self.details_button.setToolTip("Show the technical report of what went wrong.")
        self.copy_button = push_button(
            "Copy details", "Copy the technical report to the clipboard."
        )
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setMinimumHeight(140)
        self.details.setFont(
            QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        )
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        buttons = row_of(self.details_button, self.copy_button, stretch=True)
        parts = (self.title, self.text, buttons, self.details)
        stacked(self, *parts, spacing=4).setContentsMargins(12, 8, 10, 8)
        self.details_button.toggled.connect(self.details.setVisible)
        self.copy_button.clicked.connect(self._copy)
        self.show_status("ready", "")

    def show_status(
        self, kind: str, title: str, text: str = "", details: str = ""
    ) -> None:
        """Show how things stand.

        Parameters
        ----------
        kind
            ``ready``, ``running``, ``success``, ``warning`` or ``error``.
        title, text
            A few words, and one or more sentences.
        details
            A technical report; folded away.
        """
        self.kind = kind
        self.title.setText(title)
        self.text.setText(text)
        self.text.setVisible(bool(text))
        self.details.setPlainText(details)
        self.details_button.setChecked(False)
        self.details.setVisible(False)
        for button in (self.details_button, self.copy_button):
            button.setVisible(bool(details))
        self.setStyleSheet(
            f"#semst_status_card {{ {_tinted(kind)} }}"
            "#semst_status_card QLabel { background: transparent; }"
        )

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.details.toPlainText())


class Banner(WrappedLabel):
    """One or two sentences on a tinted ground, in the colour of a kind of status."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = "ready"
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def say(self, kind: str, text: str) -> None:
        """Show a text; `kind` is one of those of `StatusCard.show_status`."""
        self.kind = kind
        self.setStyleSheet(f"QLabel {{ {_tinted(kind)} padding: 4px 8px; }}")
        self.setText(text)


def _tinted(kind: str) -> str:
    """Return the ground and the edge of a kind of status, for a style sheet."""
    red, green, blue = _ACCENTS[kind]
    return (
        f"background: rgba({red}, {green}, {blue}, 34); border: none; "
        f"border-left: 3px solid rgb({red}, {green}, {blue}); border-radius: 3px;"
    )


def _label(*, bold: bool = False) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if bold:
        font = label.font()
        font.setBold(True)
        label.setFont(font)
    return label
