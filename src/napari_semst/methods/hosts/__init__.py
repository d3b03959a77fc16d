"""Published methods that carry semantics: one file each, one loop for all."""
