"""Names given by hand, and the rest of the section that follows them."""
