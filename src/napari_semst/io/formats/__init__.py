"""Formats below the readers: 10x matrices, text tables, TIFF, OME-Zarr, bins."""
