"""What is computed once and kept on this machine: vectors, features, their hashes."""
