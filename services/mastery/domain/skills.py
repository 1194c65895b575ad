"""A competency as the rest of the platform knows it."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Competency:
    """A CFItem: `identifier` is its CASE identifier, `code` its humanCodingScheme, `parent` by isChildOf."""

    id: UUID
    identifier: str
    statement: str
    code: str | None
    parent: UUID | None
