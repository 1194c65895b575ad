"""The roster said that two students are one, or that one is two."""

from services.assessment import events
from services.assessment.store import mergers
from shared.db import Transaction
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb


async def people_merged(tx: Transaction, facts: list[pb.PersonMerged]) -> None:
    """What the absorbed student was asked is the other's from here on; or, undone, their own again."""
    await _heard(tx, events.mergers_in(facts))


async def people_split(tx: Transaction, facts: list[pb.PersonSplit]) -> None:
    """Who was absorbed is themselves again; or, undone, the other once more."""
    await _heard(tx, events.splits_in(facts))


async def _heard(tx: Transaction, said: list[events.Merged]) -> None:
    await mergers.hold(tx, to_change=True)
    await mergers.save(tx, [mergers.Merger(*one) for one in said])
    await mergers.move_attempts(tx, await mergers.concerned(tx, [absorbed for absorbed, *_ in said]))
