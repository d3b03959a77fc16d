"""Pieces that several docks use."""
