"""From histology to one row of features per spot."""
