"""What assessment asks of the other services, in plain JSON of their contracts."""

from collections.abc import Collection, Sequence
from uuid import UUID

import numpy as np

from services.assessment.domain.sheets import Ids
from shared.auth import Caller
from shared.client import ServiceClient

_MOST_COMPETENCIES = 10_000
_MOST_STUDENTS = 50_000


class Roster:
    """Knows the students."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def students(self, sourced_ids: Sequence[str], caller: Caller) -> Ids:
        """The students' ids, parallel to the question; all zeros where there is no such student."""
        found = [""]
        for start in range(0, len(sourced_ids), _MOST_STUDENTS):
            part = list(sourced_ids[start : start + _MOST_STUDENTS])
            answer = await self._client.post("/students:resolve", {"sourced_ids": part}, caller)
            found.append(answer["ids"])
        return np.frombuffer(bytes.fromhex("".join(found)), dtype=np.uint8).reshape(len(sourced_ids), 16)


class Mastery:
    """Knows the competencies."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def competencies(self, identifiers: Collection[str], caller: Caller) -> dict[str, UUID]:
        """The competencies' ids by CASE identifier as it is asked for; those that do not exist are left out.

        Capitals make no difference to mastery, which answers in the framework's own spelling.
        """
        found: dict[str, UUID] = {}
        asked = sorted(identifiers)
        for start in range(0, len(asked), _MOST_COMPETENCIES):
            part = asked[start : start + _MOST_COMPETENCIES]
            answer = await self._client.post("/competencies:batch-get", {"identifiers": part}, caller)
            known = {each["identifier"].lower(): UUID(each["id"]) for each in answer}
            found.update((name, known[name.lower()]) for name in part if name.lower() in known)
        return found
