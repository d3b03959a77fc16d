"""A question with one way on, and Cancel, which Enter presses."""

from __future__ import annotations

from qtpy.QtWidgets import QMessageBox, QWidget


def agrees(window: QWidget, title: str, asked: str, meaning: str, button: str) -> bool:
    """Return whether the user presses the button, and not Cancel."""
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setText(asked)
    box.setInformativeText(meaning)
    yes = box.addButton(button, QMessageBox.ButtonRole.AcceptRole)
    no = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(no)
    box.exec()
    answer = box.clickedButton() is yes
    box.deleteLater()
    return answer
