"""What happens when a file arrives: a roster, attendance, closures."""

from services.roster.handlers.attendance import AttendanceImport
from services.roster.handlers.closures import ClosuresImport
from services.roster.handlers.roster import RosterImport

__all__ = ["AttendanceImport", "ClosuresImport", "RosterImport"]
