"""Rows, columns, buttons and fields, alike in every part of a dock."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QSignalBlocker, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qtpy.QtCore import QEvent, QObject
    from qtpy.QtGui import QResizeEvent

# Wide enough for the longest label, so that fields line up from part to part.
_LABEL_WIDTH = 120
_DOCK_WIDTH = 365


def form_layout(parent: QWidget | None = None) -> QFormLayout:
    """Return a form whose fields take the width that is left."""
    layout = QFormLayout(parent) if parent is not None else QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(8)
    layout.setVerticalSpacing(6)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return layout


def add_row(layout: QFormLayout, label: str, field: QWidget) -> None:
    """Add a field with its label; the label shows the field's tooltip too."""
    text = QLabel(label)
    text.setMinimumWidth(_LABEL_WIDTH)
    text.setToolTip(field.toolTip())
    text.setBuddy(field)
    layout.addRow(text, field)


def stacked(
    parent: QWidget, *parts: QWidget | QLayout, spacing: int | None = None, top: int = 0
) -> QVBoxLayout:
    """Lay parts out below each other, as the whole of a widget."""
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(0, top, 0, 0)
    _fill(layout, parts, spacing)
    return layout


def row_of(
    *parts: QWidget | QLayout,
    spacing: int | None = None,
    shares: Sequence[int] = (),
    stretch: bool = False,
) -> QHBoxLayout:
    """Lay parts out beside each other; with stretch they keep their widths."""
    layout = QHBoxLayout()
    _fill(layout, parts, spacing)
    for place, share in enumerate(shares):
        layout.setStretch(place, share)
    if stretch:
        layout.addStretch(1)
    return layout


def field_over_note(
    parent: QWidget, field: QWidget, note: QLabel, button: QPushButton
) -> None:
    """Lay out a field that has the row to itself, for long names, and what is below."""
    below = row_of(note, button, spacing=6, shares=(1, 0))
    below.setAlignment(button, Qt.AlignmentFlag.AlignTop)
    stacked(parent, field, below, spacing=4)
    parent.setFocusProxy(field)


def _fill(
    layout: QVBoxLayout | QHBoxLayout,
    parts: tuple[QWidget | QLayout, ...],
    spacing: int | None,
) -> None:
    if spacing is not None:
        layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part)


def push_button(
    text: str, tip: str, *, narrow: bool = False, checkable: bool = False
) -> QPushButton:
    """Return a button with its tooltip; a narrow one stands beside many others."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setCheckable(checkable)
    if narrow:
        button.setStyleSheet("padding: 3px 5px; min-width: 14px;")
    return button


def short_combo(tip: str) -> QComboBox:
    """Return a list that long names do not widen."""
    combo = QComboBox()
    combo.setToolTip(tip)
    keep_narrow(combo)
    return combo


def typed_combo(tip: str) -> QComboBox:
    """Return a list in which anything else can be typed."""
    combo = short_combo(tip)
    combo.setEditable(True)
    combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    return combo


def keep_narrow(combo: QComboBox) -> None:
    """Let long names be cut off rather than widen the dock."""
    combo.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )


def add_choice(combo: QComboBox, label: str, value: object, tip: str) -> None:
    """Add a value to a list, with a tooltip of its own."""
    combo.addItem(label, value)
    combo.setItemData(combo.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)


@contextmanager
def signals_blocked(*parts: QObject) -> Iterator[None]:
    """Let parts change without a word to others."""
    with ExitStack() as blocked:
        for part in parts:
            blocked.enter_context(QSignalBlocker(part))
        yield


def heading(text: str) -> QLabel:
    """Return the heading of a part of the dock."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


class WrappedLabel(QLabel):
    """Plain text in as many lines as it needs at the width that it has.

    Forms inside forms ask for the height before they know the width, and then cut
    lines off: this label sets its height itself.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._needed = 0
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:  # noqa: N802  Qt's name
        """Show a text and take the height that it needs."""
        super().setText(text)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  Qt's name
        """Take the height that another font or style needs."""
        super().changeEvent(event)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  Qt's name
        """Take the height that the text needs at another width."""
        super().resizeEvent(event)
        self._fit()

    def hasHeightForWidth(self) -> bool:  # noqa: N802  Qt's name
        """Return no: layouts are told one height, that at the present width."""
        return False

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the size at the width that the label has."""
        return QSize(super().sizeHint().width(), self._needed)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return the width of the longest word, and the height needed."""
        return QSize(super().minimumSizeHint().width(), self._needed)

    def _fit(self) -> None:
        needed = self.heightForWidth(self.width())
        if needed != self._needed:
            self._needed = needed
            self.updateGeometry()


def note_label() -> QLabel:
    """Return a label for one or two lines of explanation."""
    label = WrappedLabel()
    font = label.font()
    font.setItalic(True)
    label.setFont(font)
    return label


def scroll_area(dock: QWidget, content: QWidget) -> QScrollArea:
    """Return the area in which all of a dock's content scrolls, up and down only.

    Parameters
    ----------
    dock
        Takes the area as its only part, and a width at which nothing is cut off.
    """
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    layout = QVBoxLayout(dock)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(area)
    dock.setMinimumWidth(_DOCK_WIDTH)
    return area


def collapsible(title: str, content: QWidget) -> QCollapsible:
    """Return a part that is folded away until its title is pressed."""
    # Drawn in a middle grey: the widget's own arrows are black on a dark theme.
    down, right = _arrow([(3, 5), (13, 5), (8, 11)]), _arrow([(5, 3), (11, 8), (5, 13)])
    part = QCollapsible(title, expandedIcon=down, collapsedIcon=right)
    part.setDuration(0)
    button = part.toggleButton()
    button.setStyleSheet("text-align: left; border: none; background: transparent;")
    button.setMinimumHeight(button.fontMetrics().height() + 8)
    part.addWidget(content)
    for layout in (part.layout(), part.content().layout()):
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
    return part


def _arrow(corners: list[tuple[int, int]]) -> QIcon:
    pixmap = QPixmap(16, 16)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(140, 140, 140))
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))
    painter.end()
    return QIcon(pixmap)
