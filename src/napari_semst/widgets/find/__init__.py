"""The dock that finds domains."""
