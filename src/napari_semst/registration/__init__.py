"""An image registered to spots by landmarks: pairs of points, maps, errors, pixels."""
