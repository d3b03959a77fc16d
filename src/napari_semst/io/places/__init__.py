"""Where spots lie: names of places, and samples that share their ground."""
