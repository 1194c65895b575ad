"""Benches: `make bench-…`. Each prints its figures as JSON lines and its story on standard error."""
