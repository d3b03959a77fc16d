"""The image-guided graph VAE, and where image and expression disagree."""
