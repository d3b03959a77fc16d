"""Semantic vectors of a section, computed beforehand or elsewhere."""
