"""Molecules on the canvas: which of them are drawn where one looks."""
