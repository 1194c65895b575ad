"""How the roster keeps what it knows; equal to the migrations, which a test proves. Only the store imports this.

There are no foreign keys: an import checks its references a whole file at a time, before anything is merged, and a
check for every row of a city's enrolments would be most of the merge's time.
"""

from services.roster.tables import assessed, days, gradebook, guard, identity, records
from services.roster.tables.records import Base

__all__ = ["Base", "assessed", "days", "gradebook", "guard", "identity", "records"]
