"""One file per instrument or format: recognise, preview, read."""
