"""The peers that `benchmarks/peers.py` runs, and how they are run."""
