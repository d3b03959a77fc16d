"""Semantics read off a table of gene vectors: the built-in one or the user's."""
