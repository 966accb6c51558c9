"""Training and scoring time of siffra and of its peers, side by side: `python -m benchmarks`."""
