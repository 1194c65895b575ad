"""The graph, one file per noun."""
