"""The lab's statistics put to the test, on a table of real runs: `python -m benchmarks.method`."""
