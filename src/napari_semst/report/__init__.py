"""A report of a run as one page: what was found, with what, and how to repeat it."""

from __future__ import annotations

from napari_semst.report.write import write_report

__all__ = ["write_report"]
