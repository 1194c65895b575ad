"""Decisions about identities at the public door: who is one with whom, who is two, and what is still to be decided."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.gateway.gate import KeyCaller
from services.gateway.identities import Identities
from services.roster import contract
from shared.client import ServiceClient

First = Annotated[int, Query(ge=1, le=100)]


def routes(services: Mapping[str, ServiceClient]) -> APIRouter:
    """What people decide, and what became of it."""
    router = APIRouter(prefix="/v1/identity", tags=["identity"])
    identities = Identities(services)

    @router.post("/merges", status_code=201)
    async def merge(ask: contract.Merge, caller: KeyCaller) -> contract.IdentityEvent:
        """Two people are one: what is known of the absorbed is the person's from here on."""
        return await identities.merge(caller, ask)

    @router.post("/splits", status_code=201)
    async def split(ask: contract.Split, caller: KeyCaller) -> contract.IdentityEvent:
        """One person is two: what bears these sourcedIds is somebody else's from here on."""
        return await identities.split(caller, ask)

    @router.post("/{event}:undo")
    async def undo(event: UUID, caller: KeyCaller) -> contract.IdentityEvent:
        """Take a merge or a split back: all is as it was."""
        return await identities.undo(caller, event)

    @router.get("/events")
    async def events(caller: KeyCaller, first: First = 50, after: UUID | None = None) -> contract.IdentityEvents:
        """What became of identities, the latest first."""
        return await identities.events(caller, first, after)

    @router.get("/reviews")
    async def reviews(
        caller: KeyCaller, first: First = 50, after: UUID | None = None, decided: bool = False
    ) -> contract.IdentityReviews:
        """Who may be who: newcomers beside people known, the oldest question first."""
        return await identities.reviews(caller, first, after, decided=decided)

    @router.post("/reviews/{review}:same")
    async def same(review: UUID, caller: KeyCaller) -> contract.IdentityReview:
        """The newcomer is the somebody known."""
        return await identities.decide(caller, review, "same")

    @router.post("/reviews/{review}:different")
    async def different(review: UUID, caller: KeyCaller) -> contract.IdentityReview:
        """The newcomer is somebody else; it is not asked again."""
        return await identities.decide(caller, review, "different")

    return router
