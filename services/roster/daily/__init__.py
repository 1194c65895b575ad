"""What happens when attendance or closures arrive: read, checked, compared and merged in one transaction."""

from services.roster.daily.attendance import AttendanceImport
from services.roster.daily.closures import ClosuresImport

__all__ = ["AttendanceImport", "ClosuresImport"]
