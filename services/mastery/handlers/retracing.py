"""The model has changed: every student of an earlier one is traced anew from the ledger, a thousand at a time."""

from uuid import UUID

import structlog

from services.mastery.domain.model import DEFAULT as MODEL
from services.mastery.handlers.facts import trace_anew
from services.mastery.store import mastery
from shared import jobs
from shared.auth import Caller
from shared.db import Database

_AT_ONCE = 1_000
_EVERY_SECONDS = 60.0
_LOCK = 0x7265_7472
"""Names the advisory lock; "retr"."""
_FIRST = UUID(int=0)

log = structlog.get_logger("retracing")


class Retracing:
    """Traces anew whom another model traced. Until then they are answered as that model left them, with its name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def work(self) -> None:
        """Until cancelled."""
        await jobs.work(self._database, "retracing", self.trace, every_seconds=_EVERY_SECONDS, lock=_LOCK)

    async def trace(self) -> None:
        """All districts that are not of the present model."""
        async with self._database.system() as tx:
            districts = await mastery.outdated_districts(tx, MODEL.version)
        for district in districts:
            caller = Caller.system(district, "service:mastery")
            students, after = 0, _FIRST
            while some := await self._some(caller, after):
                students, after = students + len(some), some[-1]
            async with self._database.transaction(caller) as tx:
                await mastery.finish_district(tx, MODEL.version)
            log.info("district traced anew", district=str(district), students=students)

    async def _some(self, caller: Caller, after: UUID) -> list[UUID]:
        """The next students, each thousand a transaction of its own: what was done stays done."""
        async with self._database.transaction(caller) as tx:
            some = await mastery.outdated_students(tx, MODEL.version, after, _AT_ONCE)
            if some:
                await trace_anew(tx, [one.bytes for one in some])
        return some
