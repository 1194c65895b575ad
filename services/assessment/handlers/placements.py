"""The roster moved students."""

from services.assessment import events
from services.assessment.store import placements as store
from services.assessment.store.placements import Place
from shared.db import Transaction
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb


async def students_placed(tx: Transaction, facts: list[pb.Placement]) -> None:
    """Each fact replaces what was known of where that student is enrolled."""
    places = events.places_in(facts)
    await store.replace(
        tx,
        list(places),
        [Place(student, *place) for student, several in places.items() for place in several],
    )
