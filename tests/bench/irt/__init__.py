"""Benches of measurement, each beside its peers in the same run."""
