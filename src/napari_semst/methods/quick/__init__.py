"""The quick look: smoothed principal components, no training."""
