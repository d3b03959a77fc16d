"""Names for a section's spots and domains from another, annotated one."""
