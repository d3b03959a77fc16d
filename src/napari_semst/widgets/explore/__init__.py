"""The dock "Explore domains"."""
