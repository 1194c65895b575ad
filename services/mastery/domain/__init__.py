"""Arithmetic and law: Bayesian knowledge tracing, the order of evidence, what a CASE package must be."""
