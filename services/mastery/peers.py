"""What mastery asks of the other services, in plain JSON of their contracts."""

from uuid import UUID

from services.mastery.domain.organisations import Organisation
from shared.auth import Caller
from shared.client import ServiceClient


class Roster:
    """Knows which organisation is part of which."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def organisations(self, district: UUID) -> list[Organisation]:
        """Every active organisation of the district. Raises Unavailable when the roster is away."""
        caller = Caller.system(district, "service:mastery")
        answer = await self._client.post("/organisations:tree", {}, caller)
        return [
            Organisation(
                id=UUID(one["id"]).bytes,
                parent=UUID(one["parent"]).bytes if one["parent"] else None,
                is_school=one["type"] == "school",
            )
            for one in answer
        ]
