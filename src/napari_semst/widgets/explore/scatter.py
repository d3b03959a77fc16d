"""A picture of many points: zoom, move, hover, and draw around some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_semst.explore import plane_view
from napari_semst.viewer.picking import spots_in_polygon
from napari_semst.widgets.explore.drawing import how_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import (
        QKeyEvent,
        QMouseEvent,
        QPaintEvent,
        QResizeEvent,
        QWheelEvent,
    )

    from napari_semst.explore.plane_view import PlaneView

# Diameter of a point on the screen, up to so many points.
_SIZES = ((2_000, 6), (10_000, 4), (60_000, 3))
_REACH = 3
_STEP = 3.0
_WHEEL = 1.2
_LASSO = QColor("#1fb4ff")
_KEYS = (
    (Qt.KeyboardModifier.ShiftModifier, "Shift"),
    (Qt.KeyboardModifier.AltModifier, "Alt"),
    (Qt.KeyboardModifier.ControlModifier, "Control"),
)


class ScatterPlot(QWidget):
    """Points on a plane, painted as pixels."""

    surrounded = Signal(object, str)  # points, as a mask; how
    hovered = Signal(int)  # point, or `plane_view.NO_POINT`

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(200)
        self.lasso_on = False
        self.background = (0, 0, 0)
        self.message = ""
        self._places: NDArray[np.float32] = np.zeros((0, 2), np.float32)
        self._rgba: NDArray[np.float32] = np.zeros((0, 4), np.float32)
        self._ranks: NDArray[np.int8] = np.zeros(0, np.int8)
        self._box: NDArray[np.floating] = self._places
        # Numbers and places in a mixed order: in the order of the spots whole regions
        # would lie on top of others. Then those of each rank, to paint one by one.
        self._mixed: NDArray[np.int32] = np.zeros(0, np.int32)
        self._mixed_places = self._places
        self._layers: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
        self._view: PlaneView | None = None
        self._numbers: NDArray[np.int32] | None = None
        self._picture: QImage | None = None
        self._lasso: list[QPointF] = []
        self._grabbed: QPointF | None = None
        self._rank(self._ranks)

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Return a size at which clusters can be told apart."""
        return QSize(340, 300)

    def set_points(self, places: NDArray[np.floating]) -> None:
        """Show other points, ``(n, 2)``, all of them, grey until they get colours."""
        self._places = np.asarray(places, dtype=np.float32)
        self._rgba = np.full((len(places), 4), (0.6, 0.6, 0.6, 1.0), np.float32)
        self._view = None
        mixed = np.random.default_rng(0).permutation(len(places))
        some = bool(len(places))
        self._box = np.stack([places.min(0), places.max(0)]) if some else places
        self._mixed = mixed.astype(np.int32)
        self._mixed_places = self._places[mixed]
        self._rank(np.ones(len(places), np.int8))
        self._repaint()

    def set_colours(
        self, rgba: NDArray[np.float32], on_top: NDArray[np.bool_] | None = None
    ) -> None:
        """Colour the points.

        Parameters
        ----------
        rgba
            0 to 1, shape ``(n_points, 4)``; those of opacity 0 are left out.
        on_top
            Which lie above the others, shape ``(n_points,)``.
        """
        ranks = (rgba[:, 3] > 0).astype(np.int8)
        if on_top is not None:
            ranks[on_top] *= 2
        if on_top is not None:
            rgba = rgba.copy()
            # On an empty ground spots as faint as on the tissue would be lost.
            faint = ~on_top & (ranks > 0)
            rgba[faint, 3] = np.sqrt(rgba[faint, 3])
        self._rgba = rgba
        if not np.array_equal(ranks, self._ranks):
            self._rank(ranks)
        self._repaint()

    def refresh(self) -> None:
        """Paint anew, on another background say."""
        self._repaint()

    def fit(self) -> None:
        """Show all points."""
        self._view, self._numbers = None, None
        self._repaint()

    def point_at(self, place: QPointF) -> int:
        """Return the point at a place of the widget, or the next one to it."""
        if self._numbers is None:
            return plane_view.NO_POINT
        ratio = self.devicePixelRatioF()
        x, y = int(place.x() * ratio), int(place.y() * ratio)
        reach = round(_REACH * ratio)
        top, left = max(y - reach, 0), max(x - reach, 0)
        around = self._numbers[top : y + reach + 1, left : x + reach + 1]
        rows, columns = np.nonzero(around != plane_view.NO_POINT)
        if not len(rows):
            return plane_view.NO_POINT
        next_ = np.argmin((rows + top - y) ** 2 + (columns + left - x) ** 2)
        return int(around[rows[next_], columns[next_]])

    def points_within(self, corners: list[QPointF]) -> NDArray[np.bool_]:
        """Return which points on show lie within corners on the widget."""
        if self._view is None:
            return np.zeros(len(self._places), bool)
        ratio = self.devicePixelRatioF()
        pixels = np.array([(one.x() * ratio, one.y() * ratio) for one in corners])
        polygon = self._view.to_plane(pixels.reshape(-1, 2))
        return spots_in_polygon(self._places, polygon) & (self._ranks > 0)

    # --- the picture

    def _rank(self, ranks: NDArray[np.int8]) -> None:
        """Order the points by what lies on top; those of rank 0 are left out."""
        self._ranks = ranks
        by_rank = ranks[self._mixed]
        chosen = [by_rank == rank for rank in (1, 2)]
        self._layers = [(self._mixed[c], self._mixed_places[c]) for c in chosen]
        self._numbers = None

    def _repaint(self) -> None:
        self._picture = None
        self.update()

    def _size(self, ratio: float, zoom: float) -> int:
        size = next((s for most, s in _SIZES if len(self._places) <= most), 2)
        return max(1, round(size * ratio * float(np.clip(np.sqrt(zoom), 1, 3))))

    def _draw(self) -> QImage:
        ratio = self.devicePixelRatioF()
        width = max(round(self.width() * ratio), 1)
        height = max(round(self.height() * ratio), 1)
        home = plane_view.whole_view(self._box, width, height)
        view = self._view or home
        if (view.width, view.height) != (width, height):
            view, self._numbers = view.resized(width, height), None
        self._view = plane_view.limit_view(view, home)
        if self._numbers is None:
            size = self._size(ratio, self._view.zoom / home.zoom)
            below, above = (
                plane_view.points_of_pixels(
                    self._view.to_pixels(places), self._view, points, size
                )
                for points, places in self._layers
            )
            self._numbers = np.where(above == plane_view.NO_POINT, below, above)
        picture = plane_view.paint_pixels(self._numbers, self._rgba, self.background)
        form = QImage.Format.Format_RGBA8888
        image = QImage(picture.data, width, height, 4 * width, form).copy()
        image.setDevicePixelRatio(ratio)
        return image

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  Qt's name
        """Paint the points, what is being drawn, and what there is to say."""
        if self._picture is None:
            self._picture = self._draw()
        painter = QPainter(self)
        painter.drawImage(0, 0, self._picture)
        if self._lasso:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(_LASSO, 2))
            painter.drawPolygon(QPolygonF(self._lasso))
        if self.message:
            grey = 150 if sum(self.background) < 384 else 90
            painter.setPen(QColor(grey, grey, grey))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(16, 8, -16, -8), flags, self.message)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  Qt's name
        """Fill the new size with what is looked at."""
        super().resizeEvent(event)
        self._repaint()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802  Qt's name
        """Tell that no point is hovered over."""
        super().leaveEvent(event)
        self.hovered.emit(plane_view.NO_POINT)

    # --- the mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802  Qt's name
        """Begin to draw, or to move."""
        left = event.button() == Qt.MouseButton.LeftButton
        place = _place(event)
        if left and (self.lasso_on or how_of(_held(event)) != "replace"):
            self._lasso = [place]
        elif left or event.button() == Qt.MouseButton.MiddleButton:
            self._grabbed = place
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802  Qt's name
        """Draw, move, or tell the point below."""
        place = _place(event)
        if self._lasso:
            way = place - self._lasso[-1]
            if max(abs(way.x()), abs(way.y())) >= _STEP:
                self._lasso.append(place)
                self.update()
        elif self._grabbed is not None and self._view is not None:
            way, ratio = place - self._grabbed, self.devicePixelRatioF()
            self._look(self._view.panned(way.x() * ratio, way.y() * ratio))
            self._grabbed = place
        else:
            self.hovered.emit(self.point_at(place))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802  Qt's name
        """End a move, or give the points drawn around."""
        lasso, self._lasso, self._grabbed = self._lasso, [], None
        if len(lasso) > 2:
            self.surrounded.emit(self.points_within(lasso), how_of(_held(event)))
        self.update()
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Show all points."""
        self.fit()
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802  Qt's name
        """Zoom to the place below the mouse."""
        if self._view is not None:
            ratio, place = self.devicePixelRatioF(), event.position()
            factor = float(_WHEEL ** (event.angleDelta().y() / 120))
            at = (place.x() * ratio, place.y() * ratio)
            self._look(self._view.zoomed(factor, at))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  Qt's name
        """Give a drawing up with Escape."""
        if event.key() == Qt.Key.Key_Escape and self._lasso:
            self._lasso = []
            self.update()
        else:
            super().keyPressEvent(event)

    def _look(self, view: PlaneView) -> None:
        self._view, self._numbers = view, None
        self._repaint()


def _place(event: QMouseEvent) -> QPointF:
    return event.position() if hasattr(event, "position") else QPointF(event.pos())


def _held(event: QMouseEvent) -> list[str]:
    return [name for key, name in _KEYS if event.modifiers() & key]
