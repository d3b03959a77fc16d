"""Single molecules of a section: where their tables are, and those of some genes."""
