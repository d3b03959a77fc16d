"""Semantics computed beforehand, in obsm or a file."""
