"""What was done to a section, kept and written as code."""
