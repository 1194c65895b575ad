"""Decisions about identities at the public door: who is one with whom, who is two, and what is still to be decided."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.gateway.gate import KeyCaller
from services.roster import contract
from shared.auth import Caller
from shared.client import ServiceClient, error_of

_LONGEST_SECONDS = 60.0
"""How long a decision may take: whoever refers to somebody in a whole city is looked for."""

First = Annotated[int, Query(ge=1, le=100)]


def routes(services: Mapping[str, ServiceClient]) -> APIRouter:
    """What people decide, and what became of it."""
    router = APIRouter(prefix="/v1/identity", tags=["identity"])
    roster = services["roster"]

    async def decide(path: str, caller: Caller, ask: BaseModel | None = None) -> Any:
        _may(caller)

        async def body() -> Any:
            yield b"{}" if ask is None else ask.model_dump_json().encode()

        # Asked once: a decision that was made and not answered must not be made again.
        async with roster.stream(
            "POST", path, caller, content=body(), headers={"content-type": "application/json"},
            timeout_seconds=_LONGEST_SECONDS,
        ) as answer:  # fmt: skip
            await answer.aread()
            if not answer.is_success:
                raise error_of(answer)
            return answer.json()

    @router.post("/merges", status_code=201)
    async def merge(ask: contract.Merge, caller: KeyCaller) -> contract.IdentityEvent:
        """Two people are one: what is known of the absorbed is the person's from here on."""
        return contract.IdentityEvent.model_validate(await decide("/identity/merges", caller, ask))

    @router.post("/splits", status_code=201)
    async def split(ask: contract.Split, caller: KeyCaller) -> contract.IdentityEvent:
        """One person is two: what bears these sourcedIds is somebody else's from here on."""
        return contract.IdentityEvent.model_validate(await decide("/identity/splits", caller, ask))

    @router.post("/{event}:undo")
    async def undo(event: UUID, caller: KeyCaller) -> contract.IdentityEvent:
        """Take a merge or a split back: all is as it was."""
        return contract.IdentityEvent.model_validate(await decide(f"/identity/{event}:undo", caller))

    @router.get("/events")
    async def events(caller: KeyCaller, first: First = 50, after: UUID | None = None) -> contract.IdentityEvents:
        """What became of identities, the latest first."""
        _may(caller)
        found = await roster.get("/identity/events", caller, **_page(first, after))
        return contract.IdentityEvents.model_validate(found)

    @router.get("/reviews")
    async def reviews(
        caller: KeyCaller, first: First = 50, after: UUID | None = None, decided: bool = False
    ) -> contract.IdentityReviews:
        """Who may be who: newcomers beside people known, the oldest question first."""
        _may(caller)
        found = await roster.get("/identity/reviews", caller, **_page(first, after), decided=decided)
        return contract.IdentityReviews.model_validate(found)

    @router.post("/reviews/{review}:same")
    async def same(review: UUID, caller: KeyCaller) -> contract.IdentityReview:
        """The newcomer is the somebody known."""
        return contract.IdentityReview.model_validate(await decide(f"/identity/reviews/{review}:same", caller))

    @router.post("/reviews/{review}:different")
    async def different(review: UUID, caller: KeyCaller) -> contract.IdentityReview:
        """The newcomer is somebody else; it is not asked again."""
        return contract.IdentityReview.model_validate(await decide(f"/identity/reviews/{review}:different", caller))

    return router


def _may(caller: Caller) -> None:
    caller.need("imports:write")
    caller.need_whole_district()


def _page(first: int, after: UUID | None) -> dict[str, Any]:
    return {"first": first} | ({} if after is None else {"after": str(after)})
