"""The zero-inflated negative binomial: decoder, likelihood, and its fast kernels."""
