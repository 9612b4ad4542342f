"""Benchmarks with peers on the same work: `python -m benchmarks` runs them and rewrites docs/performance.md."""
