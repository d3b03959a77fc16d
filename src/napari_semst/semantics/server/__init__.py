"""Semantics that an embedding server gives."""
