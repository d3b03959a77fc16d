"""Methods: each says what it needs, what it learns and which latent is clustered."""
