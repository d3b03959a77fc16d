"""What lies beside a section: files that it knows of, and does not hold."""
