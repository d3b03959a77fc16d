"""Outlines of cells: read when looked at, moved to the canvas, filled as pixels."""
