"""What partnership asks of the other services, in plain JSON of their contracts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.partnership.domain.figures import Figure
from services.partnership.domain.instance import School
from services.partnership.domain.willingness import Known
from shared.auth import Caller
from shared.client import ServiceClient

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Published:
    """What the latest snapshot says of a school, competency by competency."""

    snapshot_at: datetime
    figures: list[Figure]


class Roster:
    """Knows the schools."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def named(self, sourced_ids: Collection[str], caller: Caller) -> dict[str, Known]:
        """Organisations by sourcedId; those that do not exist are left out."""
        found: dict[str, Known] = {}
        asked = sorted(sourced_ids)
        for start in range(0, len(asked), _MOST):
            part = asked[start : start + _MOST]
            for each in await self._client.post("/schools:batch-get", {"sourced_ids": part}, caller):
                found[each["sourced_id"]] = Known(UUID(each["id"]), each["type"])
        return found

    async def schools(self, ids: Sequence[UUID], caller: Caller) -> dict[UUID, School]:
        """Schools by id, with name, sector and location; those that do not exist are left out."""
        found: dict[UUID, School] = {}
        for start in range(0, len(ids), _MOST):
            part = [str(each) for each in ids[start : start + _MOST]]
            for each in await self._client.post("/schools:batch-get", {"ids": part}, caller):
                id_ = UUID(each["id"])
                found[id_] = School(id_, each["name"], each["sector"], each["latitude"], each["longitude"])
        return found

    async def is_school(self, id_: UUID, caller: Caller) -> bool:
        """Whether there is a school of this id."""
        answer = await self._client.post("/schools:batch-get", {"ids": [str(id_)]}, caller)
        return any(each["type"] == "school" for each in answer)


class Mastery:
    """Knows the competencies, and what is published of schools."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def competencies(self, identifiers: Collection[str], caller: Caller) -> dict[str, UUID]:
        """Competencies by CASE identifier as it is asked for; those that do not exist are left out.

        Capitals make no difference to mastery, which answers in the framework's own spelling.
        """
        found: dict[str, UUID] = {}
        asked = sorted(identifiers)
        for start in range(0, len(asked), _MOST):
            part = asked[start : start + _MOST]
            answer = await self._client.post("/competencies:batch-get", {"identifiers": part}, caller)
            known = {each["identifier"].lower(): UUID(each["id"]) for each in answer}
            found.update((name, known[name.lower()]) for name in part if name.lower() in known)
        return found

    async def areas(self, schools: Sequence[UUID], within: Sequence[UUID], caller: Caller) -> dict[UUID, Published]:
        """The published figures of these schools in these competencies and all below; schools without are left out."""
        found: dict[UUID, Published] = {}
        competencies = [str(each) for each in within]
        for start in range(0, len(schools), _MOST):
            part = [str(each) for each in schools[start : start + _MOST]]
            ask = {"organisations": part, "within": competencies}
            for each in await self._client.post("/areas:batch-list", ask, caller):
                figures = [
                    Figure(one["learners"], one["strength"], one["need"], one["competency"]) for one in each["areas"]
                ]
                found[UUID(each["organisation"])] = Published(datetime.fromisoformat(each["snapshot_at"]), figures)
        return found
