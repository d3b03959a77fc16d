"""Semantics from an embedding server."""
