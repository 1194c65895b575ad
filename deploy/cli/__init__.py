"""The `trellis` command: composition and a client of the platform's own door. What touches data goes through HTTP.

Results go to stdout, progress and messages to stderr; `--json` prints one JSON object on stdout and nothing else.
Exit codes: 0 done; 2 the platform refused what it was given; 1 anything else, a mistyped command among them.
"""
