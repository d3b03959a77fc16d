"""Many sections with the same settings, here or over Dask."""
