"""Where the roster's SQL lives, and where permission lives: every function takes the transaction of its caller.

`reading` answers the API. An import goes through `staging` (rows in, as text), `checking` (what a file by itself can
tell), `naming` (which identities are meant), `comparing` (what differs from what is kept), `referring` (whether what
differs leads somewhere), `merging` (into the tables), `bumping` (the other ends of relationships) and `placing` (who is
at which school, from when to when); `telling` reads what is announced of it.
"""

from services.roster.store.records import RECORDS, SOURCE, STAGES, TABLES, TYPES

__all__ = ["RECORDS", "SOURCE", "STAGES", "TABLES", "TYPES"]
