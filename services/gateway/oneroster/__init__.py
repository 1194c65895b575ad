"""OneRoster at the public door: requests pass as they came, raw path, raw query and body, to the roster, which answers.

Read `door` for what is asked of a request before it passes, `passage` for how it passes, and `faults` for what a
client of OneRoster is told when it may not. The token endpoint is `services.gateway.oauth`.
"""
