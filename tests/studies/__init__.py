"""Studies: what the numbers are worth, on simulated and on real data. Each writes a page of docs/studies/."""
