"""The one way from a tissue to its domains, and what is written of it."""
