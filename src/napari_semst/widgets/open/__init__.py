"""The dock "Open data"."""
