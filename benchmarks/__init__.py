"""Measurements of the tool itself; each module runs with `python -m benchmarks.NAME`."""
