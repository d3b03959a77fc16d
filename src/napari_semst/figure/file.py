"""The file of a figure."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import ConfigError, SaveError, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

FIGURE_FORMATS = (".png", ".svg", ".pdf")
_MOST_DPI = 2400


@contextmanager
def text_as_written() -> Iterator[None]:
    """Draw names with dollar signs as they are, and not as formulas, which may fail."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):
        yield


def check_file_name(path: str | Path, dpi: int) -> Path:
    """Return a figure's path, refused before the work where it cannot be had.

    Raises
    ------
    SaveError
        If the name does not end in ``.png``, ``.svg`` or ``.pdf``.
    ConfigError
        If ``dpi`` is not from 1 to 2400.
    """
    file = Path(path)
    if file.suffix.lower() not in FIGURE_FORMATS:
        raise SaveError(one_of("the figure's file ending", file.suffix, FIGURE_FORMATS))
    check_dpi(dpi)
    return file


def check_dpi(dpi: int) -> None:
    """Raise `ConfigError` where dots per inch are not from 1 to 2,400."""
    if not 0 < dpi <= _MOST_DPI:
        raise ConfigError(f"Expected dpi to be from 1 to {_MOST_DPI}; got {dpi!r}.")


def save_figure(figure: Figure, path: Path, *, dpi: int, overwrite: bool) -> Path:
    """Write a figure; text within .svg and .pdf stays text.

    Parameters
    ----------
    path
        As `check_file_name` returned it.
    dpi
        Dots per inch, of what is not a shape also in ``.svg`` and ``.pdf``.
    overwrite
        Whether a file that stands there may be replaced, once the new one is whole.

    Raises
    ------
    SaveError
        If the file cannot be written, or one stands there already.
    """
    from matplotlib import rc_context

    from napari_semst.io.export.atomic import write_atomically

    suffix = path.suffix.lower()
    # No dates within, so that the same figure is the same file.
    dates: dict[str, dict[str, Any]] = {
        ".png": {"Software": "napari-semst"},
        ".svg": {"Date": None},
        ".pdf": {"CreationDate": None},
    }
    # Names within an .svg are drawn at random without a salt.
    style: dict[Any, Any] = {
        "svg.hashsalt": "napari-semst",
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
        "text.parse_math": False,
    }

    def write(temporary: Path) -> None:
        with rc_context(style):
            figure.savefig(
                temporary, format=suffix[1:], dpi=dpi, metadata=dates[suffix]
            )

    return write_atomically(
        path, write, check_not_empty, overwrite=overwrite, suffix=path.suffix
    )


def check_not_empty(path: Path) -> None:
    """Refuse a figure that was written without content."""
    if path.stat().st_size == 0:
        raise SaveError(f"Expected a figure in {path}; it is empty.")
