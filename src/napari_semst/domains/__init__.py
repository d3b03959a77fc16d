"""From a latent to domains: clustering and scores."""
