"""Working with a section's domains once they are found: no window, no widgets."""
