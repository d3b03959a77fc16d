"""What napari, its users and other plugins do to our layers, and how we answer."""
