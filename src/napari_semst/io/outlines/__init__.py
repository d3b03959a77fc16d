"""Outlines of cells: where a tissue's are, and what files hold them."""
