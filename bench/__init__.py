"""Benchmarks. Each figure stands beside a limit measured in the same run. See `python -m bench --help`."""
