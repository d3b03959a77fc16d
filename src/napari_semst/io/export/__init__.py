"""Results out: h5ad, SpatialData, tables of labels; written atomically, re-read."""
