"""What happens when a file arrives."""

from services.roster.handlers.roster import RosterImport

__all__ = ["RosterImport"]
