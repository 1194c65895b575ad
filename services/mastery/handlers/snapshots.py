"""A snapshot is due: count everybody once, hide what must be hidden, keep it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from services.mastery.domain.figures import Count, Figures
from services.mastery.domain.model import DEFAULT as MODEL
from services.mastery.domain.organisations import Organisation, Tree, tree_of
from services.mastery.domain.suppression import suppress
from services.mastery.peers import Roster
from services.mastery.store import snapshots
from services.mastery.store.snapshots import Due
from shared import crash, jobs
from shared.auth import Caller
from shared.db import Database, Transaction
from shared.events import uuid7
from shared.inbox import is_transient

_NET_SECONDS = 3.0
_BACK_OFF_SECONDS = (0.5, 2.0, 5.0, 15.0)
_PUT_OFF_MINUTES = (1, 5, 15, 30, 60)
"""After the first, second, … failure of a district's snapshot: what failed will mostly fail again."""

log = structlog.get_logger("snapshots")


class Snapshots:
    """Takes the snapshots that are due, one after the other."""

    def __init__(
        self, database: Database, roster: Roster, *, threshold: int, new_id: Callable[[], UUID] = uuid7
    ) -> None:
        self._database = database
        self._roster = roster
        self._threshold = threshold
        self._new_id = new_id
        self._failures: dict[UUID, int] = {}

    async def work(self) -> None:
        """Until cancelled: woken by who asks, and looking by itself every few seconds."""
        await jobs.work(
            self._database, "snapshots", self.take_due, every_seconds=_NET_SECONDS, back_off_seconds=_BACK_OFF_SECONDS
        )

    async def take_due(self) -> None:
        """Take every snapshot that is due; one that cannot be taken now must not hold up the others.

        While somebody it asks is away it stays due. One that fails is put off, longer each time, up to an hour; asking
        for it, or a night that comes, tries it at once.
        """
        async with self._database.system() as tx:
            due = await snapshots.districts_due(tx)
        for each in due:
            try:
                await self._take(each.district)
            except Exception as wrong:
                if is_transient(wrong):
                    log.warning("snapshot waits", district=str(each.district), reason=repr(wrong)[:300])
                else:
                    await self._put_off(each)

    async def _put_off(self, due: Due) -> None:
        """To be called while the error is handled: it is said here, once a failure."""
        failures = self._failures.get(due.district, 0)
        minutes = _PUT_OFF_MINUTES[min(failures, len(_PUT_OFF_MINUTES) - 1)]
        self._failures[due.district] = failures + 1
        log.exception("snapshot failed", district=str(due.district), again_in_minutes=minutes)
        async with self._database.transaction(Caller.system(due.district, "service:mastery")) as tx:
            await snapshots.put_off(tx, due.by, timedelta(minutes=minutes))

    async def _take(self, district: UUID) -> None:
        organisations = await self._roster.organisations(district)
        async with self._database.transaction(Caller.system(district, "service:mastery")) as tx:
            if await snapshots.take(tx):
                await self._snapshot(tx, organisations)
                log.info("snapshot taken", district=str(district))
                self._failures.pop(district, None)

    async def _snapshot(self, tx: Transaction, organisations: Sequence[Organisation]) -> None:
        count = Count()
        async for some in snapshots.believed(tx):
            await asyncio.to_thread(count.add, some.placed, some.competencies, some.probabilities)
        tree, figures = await asyncio.to_thread(_totals, organisations, count)
        before = await snapshots.before(tx, tree, figures.competencies)
        hidden, withheld = await asyncio.to_thread(
            suppress, tree, figures.learners, figures.in_need, self._threshold, before
        )
        await snapshots.save(
            tx, self._new_id(), tree, figures, hidden, withheld,
            threshold=self._threshold, model_version=MODEL.version,
        )  # fmt: skip
        crash.point("S1")
        await snapshots.finish(tx)


def _totals(organisations: Sequence[Organisation], count: Count) -> tuple[Tree, Figures]:
    tree = tree_of(organisations, count.places)
    return tree, count.figures(tree)
