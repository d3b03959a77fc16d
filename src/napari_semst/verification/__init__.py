"""Whether a result is what it says of itself, and can be had again."""
