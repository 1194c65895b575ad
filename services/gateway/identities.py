"""Who is who, asked of the roster: what is to be decided, what was decided, and decisions themselves."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from services.roster import contract
from shared.auth import Caller
from shared.client import ServiceClient, error_of

Verdict = Literal["same", "different"]
_LONGEST_SECONDS = 60.0
"""How long a decision may take: whoever refers to somebody in a whole city is looked for."""


class Identities:
    """The roster's identities, on behalf of callers who may decide about them."""

    def __init__(self, services: Mapping[str, ServiceClient]) -> None:
        self._roster = services["roster"]

    async def reviews(
        self, caller: Caller, first: int, after: UUID | None, *, decided: bool
    ) -> contract.IdentityReviews:
        """Who may be who, the oldest question first."""
        check(caller)
        found = await self._roster.get("/identity/reviews", caller, **_page(first, after), decided=decided)
        return contract.IdentityReviews.model_validate(found)

    async def events(self, caller: Caller, first: int, after: UUID | None) -> contract.IdentityEvents:
        """What became of identities, the latest first."""
        check(caller)
        found = await self._roster.get("/identity/events", caller, **_page(first, after))
        return contract.IdentityEvents.model_validate(found)

    async def decide(self, caller: Caller, review: UUID, verdict: Verdict) -> contract.IdentityReview:
        """They are one person, or two."""
        found = await self._send(f"/identity/reviews/{review}:{verdict}", caller)
        return contract.IdentityReview.model_validate(found)

    async def merge(self, caller: Caller, ask: contract.Merge) -> contract.IdentityEvent:
        """Two people are one."""
        return contract.IdentityEvent.model_validate(await self._send("/identity/merges", caller, ask))

    async def split(self, caller: Caller, ask: contract.Split) -> contract.IdentityEvent:
        """One person is two."""
        return contract.IdentityEvent.model_validate(await self._send("/identity/splits", caller, ask))

    async def undo(self, caller: Caller, event: UUID) -> contract.IdentityEvent:
        """Take something back."""
        return contract.IdentityEvent.model_validate(await self._send(f"/identity/{event}:undo", caller))

    async def _send(self, path: str, caller: Caller, ask: BaseModel | None = None) -> Any:
        check(caller)

        async def body() -> Any:
            yield b"{}" if ask is None else ask.model_dump_json().encode()

        # Asked once: a decision that was made and not answered must not be made again.
        async with self._roster.stream(
            "POST", path, caller, content=body(), headers={"content-type": "application/json"},
            timeout_seconds=_LONGEST_SECONDS,
        ) as answer:  # fmt: skip
            await answer.aread()
            if not answer.is_success:
                raise error_of(answer)
            return answer.json()


def check(caller: Caller) -> None:
    """Whether a caller may decide who is who."""
    caller.need("imports:write")
    caller.need_whole_district()


def _page(first: int, after: UUID | None) -> dict[str, Any]:
    return {"first": first} | ({} if after is None else {"after": str(after)})
