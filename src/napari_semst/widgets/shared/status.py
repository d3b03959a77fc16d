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
    QVBoxLayout,
    QWidget,
)

from napari_semst.widgets.shared.forms import WrappedLabel, push_button, row_of

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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 10, 8)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        layout.addWidget(self.details)
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
        red, green, blue = _ACCENTS[kind]
        self.setStyleSheet(
            "#semst_status_card {"
            f" background: rgba({red}, {green}, {blue}, 34);"
            f" border: none; border-left: 3px solid rgb({red}, {green}, {blue});"
            " border-radius: 3px; }"
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
        red, green, blue = _ACCENTS[kind]
        self.setStyleSheet(
            f"QLabel {{ background: rgba({red}, {green}, {blue}, 34);"
            f" border: none; border-left: 3px solid rgb({red}, {green}, {blue});"
            " border-radius: 3px; padding: 4px 8px; }"
        )
        self.setText(text)


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
