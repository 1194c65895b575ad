"""`trellis match`: who could help whom, from a programme and a file of schools. Nothing of it needs the platform."""

from deploy.cli.match.commands import match

__all__ = ["match"]
