"""What a service knows about one kind of file: in chunks that go forward, or whole in one transaction."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from shared.db import Transaction
from shared.imports.job import Job

SWITCH = ("true", "false")
"""The values of an option that is on or off."""
DRY_RUN = "dry_run"
"""The option that makes an import a report: taken away when it is applied for real."""


class Verdict(StrEnum):
    """What came of a whole import."""

    APPLIED = "applied"
    REFUSED = "refused"
    HELD = "held"
    REPORTED = "reported"


class Importer(Protocol):
    """Validated whole, then merged in chunks, each in a transaction of its own."""

    kind: str

    async def validate(self, job: Job) -> None:
        """Read the upload, stage what is valid, note what is not. Runs again from the start after a kill."""

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """Merge one chunk; the next cursor, or None when everything is merged. Announcements ride in `tx`."""

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        """Empty this import's stages."""


@runtime_checkable
class WholeImporter(Protocol):
    """Read, checked and merged in one transaction: all of it is there at once, or nothing ever was."""

    kind: str
    options: Mapping[str, Sequence[str]]
    """The query parameters it understands besides keep_good, each with the values it may have."""

    async def take(self, job: Job, tx: Transaction) -> Verdict:
        """Do all there is to do. Unless this says APPLIED, whatever it did in `tx` is undone, and its report stays."""


@runtime_checkable
class Undoes(Protocol):
    """An importer that can bring back what one of its imports ended."""

    async def undo(self, job: Job, tx: Transaction) -> Mapping[str, Any]:
        """Bring it back, in this transaction; what is said of it in the summary, under `undone`."""


@runtime_checkable
class TellsResults(Protocol):
    """An importer of files of which some tell results: what was found in these is not shown for accountability."""

    results: frozenset[str]
    """Their names, in small letters, with which the files of their findings end."""


@runtime_checkable
class InOrder(Protocol):
    """An importer of files that may speak of everything: behind a newer one that was applied, none is taken up again.

    It would bring an earlier day back.
    """

    in_order: bool


def options_of(importer: Importer | WholeImporter) -> Mapping[str, Sequence[str]]:
    """The query parameters an importer understands besides keep_good."""
    return importer.options if isinstance(importer, WholeImporter) else {}
