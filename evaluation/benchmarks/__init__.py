"""Benchmarks: `python -m evaluation.benchmarks NAME [--json]`. Ratios above 1 mean that ours is better."""
