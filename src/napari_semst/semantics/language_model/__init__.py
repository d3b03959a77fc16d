"""Semantics that a local language model reads out of prompts or gene texts."""
