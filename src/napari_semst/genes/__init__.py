"""Gene knowledge that ships: symbols, vectors, terms, names and groups."""
