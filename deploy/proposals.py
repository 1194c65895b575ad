"""A programme's first proposals, asked for at the gateway as any client would: figures are published, schools matched.

Asking again changes nothing: a programme that has a matching keeps it, and one that is on its way is waited for.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from deploy.cli.door import Door, DoorError
from deploy.cli.load import Progress

PUBLISHED_SECONDS = 60.0
"""How long the figures of a school are waited for; a district without results has none."""

MATCHED_SECONDS = 600.0
BUSY_SECONDS = 30.0
SHORTEST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.05, 1.0
UNDER_WAY = ("queued", "solving")

_PROGRAMME = """query Programme($id: ID!) {
  programme(id: $id) { id title matching { state done total proposals unmatchedCount explanation } }
}"""
_FIGURES = """query Figures($school: ID!) { school(id: $school) { areas { snapshotAt } } }"""
_PUBLISH = """mutation Publish { publishSnapshot { __typename ... on Refused { message } } }"""
_PROPOSE = """mutation Propose($programme: ID!) {
  proposePartnerships(programme: $programme) { __typename ... on Refused { message } }
}"""


async def ensure(door: Door, programme: str, school: str | None, progress: Progress) -> str:
    """The first proposals of the programme with this code, and a sentence about what came of it.

    `school` is the sourcedId of one whose figures are waited for. Raises DoorError when the gateway refuses.
    """
    found = await _programme(door, programme)
    if found["matching"] is None and school is not None:
        await _publish(door, school, progress)
    while found["matching"] is None:  # whoever got no answer looks before asking again
        if await _ask(door, _PROPOSE, {"programme": found["id"]}):
            break
        found = await _programme(door, programme)
    return _said(await _matched(door, programme, progress))


async def _programme(door: Door, code: str) -> dict[str, Any]:
    found: dict[str, Any] | None = (await _look(door, _PROGRAMME, {"id": f"sourcedId:{code}"}))["programme"]
    if found is None:
        raise DoorError(f"there is no programme {code}")
    return found


async def _publish(door: Door, school: str, progress: Progress) -> None:
    """Publishes the schools' figures, so that the matching has them; goes on without where none appear in time."""
    progress("Publishing the schools' figures")
    before = await _snapshots(door, school)
    asked = False
    async for _ in _now_and_then(PUBLISHED_SECONDS):
        asked = asked or await _ask(door, _PUBLISH, {})
        if await _snapshots(door, school) - before:
            return


async def _snapshots(door: Door, school: str) -> set[str]:
    found = (await _look(door, _FIGURES, {"school": f"sourcedId:{school}"}))["school"]
    return {area["snapshotAt"] for area in (found or {}).get("areas") or ()}


async def _matched(door: Door, code: str, progress: Progress) -> dict[str, Any]:
    """The programme once its matching is over."""
    async for _ in _now_and_then(MATCHED_SECONDS):
        found = await _programme(door, code)
        matching = found["matching"]
        if matching is not None and matching["state"].lower() not in UNDER_WAY:
            return found
        progress("Matching schools", *((matching["done"], matching["total"] or None) if matching else ()))
    raise DoorError(f"the matching of {code} did not end in {MATCHED_SECONDS:.0f} s")


async def _look(door: Door, query: str, variables: dict[str, object]) -> dict[str, Any]:
    """A query's data, asked again for a while where a busy service did not answer in time."""
    async for _ in _now_and_then(BUSY_SECONDS):
        try:
            return await door.graphql(query, variables)
        except DoorError as busy:
            if not _is_busy(busy):
                raise
    return await door.graphql(query, variables)


async def _ask(door: Door, mutation: str, variables: dict[str, object]) -> bool:
    """Whether it was done; False where a busy service did not say. Raises DoorError when it is refused."""
    try:
        (answer,) = (await door.graphql(mutation, variables)).values()
    except DoorError as busy:
        if not _is_busy(busy):
            raise
        return False
    if answer["__typename"] == "Refused":
        raise DoorError(answer["message"])
    return True


def _is_busy(error: DoorError) -> bool:
    match error.body:
        case {"errors": [*errors]}:
            return {one.get("extensions", {}).get("code") for one in errors} <= {"UNAVAILABLE", "LIMIT"}
    return False


async def _now_and_then(seconds: float) -> AsyncIterator[None]:
    """Again and again, more and more seldom, until the time is over."""
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + seconds, SHORTEST_POLL_SECONDS
    while loop.time() < end:
        yield
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


def _said(programme: dict[str, Any]) -> str:
    matching = programme["matching"]
    explained = f" {matching['explanation']}" if matching["explanation"] else ""
    if matching["state"].lower() == "proposed":
        counts = f"partnerships proposed: {matching['proposals']}, schools without one: {matching['unmatchedCount']}"
        return f"{programme['title']}: {counts}.{explained}"
    return f"{programme['title']}: no proposals ({matching['state'].lower()}).{explained}"
