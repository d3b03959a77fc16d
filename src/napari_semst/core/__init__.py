"""What every package leans on: progress, threads, devices, sections, chunks."""
