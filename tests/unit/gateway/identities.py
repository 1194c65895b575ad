"""What the world knows of identities: a review, and what is decided about it and about people."""

from datetime import date
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from fastapi import FastAPI

from services.roster import contract
from shared.errors import Conflict, Invalid
from shared.http import CallerOf

if TYPE_CHECKING:
    from tests.unit.gateway.world import World

REVIEWS = [UUID(int=900 + n) for n in range(3)]
EVENT = UUID(int=990)
ADA, BEN = UUID(int=1), UUID(int=2)


def a_person(id_: UUID, name: str) -> contract.KnownPerson:
    return contract.KnownPerson(
        id=id_, sourced_id=f"s-{name}", status="active", given_name=name, family_name="Byron",
        birth_date=date(2016, 5, 1), identifier="17", state_id=None, schools=["North", "South"],
    )  # fmt: skip


def identities_of(app: FastAPI, world: "World", when: Any) -> None:
    """Three questions about the same two people; what is asked and decided is noted."""

    def a_review(
        id_: UUID, decision: Literal["same", "different"] | None = None
    ) -> contract.IdentityReview:  # fmt: skip
        return contract.IdentityReview(
            id=id_, found_at=when, import_id=world.imported, reason="near-twin", agrees=["birth date", "family name"],
            differs=["given name"], decision=decision, decided_at=when if decision else None,
            newcomer=a_person(BEN, "Ben"), candidate=a_person(ADA, "Ada"),
        )  # fmt: skip

    def an_event(kind: Literal["reattached", "merged", "split"], **more: Any) -> contract.IdentityEvent:
        said = {
            "id": EVENT, "at": when, "kind": kind, "type": "user", "row": ADA, "other": BEN, "was_called": "s-Ben",
            "is_called": "s-Ada", "reason": None, "by": "key:test", "import_id": None, "undone_at": None,
            "undone_by": None,
        }  # fmt: skip
        return contract.IdentityEvent.model_validate(said | more)

    @app.get("/identity/reviews")
    async def reviews(
        caller: CallerOf, first: int, after: UUID | None = None, decided: bool = False
    ) -> contract.IdentityReviews:
        items = [a_review(one) for one in ([] if decided else REVIEWS) if after is None or one > after]
        page = items[:first]
        return contract.IdentityReviews(items=page, next=page[-1].id if len(items) > first else None)

    @app.get("/identity/events")
    async def events(caller: CallerOf, first: int, after: UUID | None = None) -> contract.IdentityEvents:
        return contract.IdentityEvents(items=[an_event("reattached", import_id=world.imported)], next=None)

    @app.post("/identity/reviews/{review}:{verdict}")
    async def decide(
        review: UUID, verdict: Literal["same", "different"], caller: CallerOf
    ) -> contract.IdentityReview:  # fmt: skip
        if review not in REVIEWS:
            raise Conflict("This has been decided already.")
        world.identified.append(verdict)
        return a_review(review, verdict)

    @app.post("/identity/merges")
    async def merge(ask: contract.Merge, caller: CallerOf) -> contract.IdentityEvent:
        if ask.person == "nobody":
            raise Invalid("There is no such person.", field="person")
        world.identified.append(ask.model_dump())
        return an_event("merged", reason=ask.reason)

    @app.post("/identity/splits")
    async def split(ask: contract.Split, caller: CallerOf) -> contract.IdentityEvent:
        world.identified.append(ask.model_dump())
        return an_event("split")

    @app.post("/identity/{event}:undo")
    async def undo(event: UUID, caller: CallerOf) -> contract.IdentityEvent:
        world.identified.append("undo")
        return an_event("merged", undone_at=when, undone_by="key:test")
