"""The `trellis` command: composition and a client of the platform's own door. What touches data goes through HTTP.

Results go to stdout, progress and messages to stderr; `--json` prints one JSON object on stdout and nothing else.
Exit codes: 0 done; 2 what was given is refused, by the platform or by the command; 1 anything else, a mistyped
command among them.
"""
