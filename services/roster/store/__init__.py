"""Where the roster's SQL lives, and where permission lives: every function takes the transaction of its caller.

`reading` answers the API. An import goes through `staging` (rows in, as text), `checking` (references and duplicates,
a file at a time), `merging` (chunk by chunk into the tables) and `placing` (who is at which school, from when to when).
"""

SOURCE = "sis"
"""The system that rosters come from, as the crosswalk names it."""

TYPES = {
    "orgs": "org", "academicSessions": "academicSession", "courses": "course", "classes": "class", "users": "user",
    "roles": "role", "enrollments": "enrollment", "demographics": "user",
}  # fmt: skip
"""What the rows of each file are called in the crosswalk; part of every row's identity, never to be changed."""

TABLES = {
    "orgs": "orgs", "academicSessions": "academic_sessions", "courses": "courses", "classes": "classes",
    "users": "people", "roles": "roles", "enrollments": "enrollments", "demographics": "demographics",
}  # fmt: skip
"""Where the rows of each file are kept."""

STAGES = {file: "academic_sessions" if file == "academicSessions" else file for file in TYPES}
"""Where the rows of each file wait during an import, in schema `stage`."""
