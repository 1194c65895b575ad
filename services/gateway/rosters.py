"""The guard of a district's rosters at the public door: what may happen without a person being asked."""

from collections.abc import Mapping

from fastapi import APIRouter

from services.gateway.gate import KeyCaller
from services.roster import contract
from shared.auth import Caller
from shared.client import ServiceClient


def routes(services: Mapping[str, ServiceClient]) -> APIRouter:
    """The guard's thresholds."""
    router = APIRouter(prefix="/roster", tags=["roster"])

    @router.get("/guard")
    async def guard(caller: KeyCaller) -> contract.Guard:
        """The thresholds in force."""
        _check(caller)
        return contract.Guard.model_validate(await services["roster"].get("/guard", caller))

    @router.put("/guard")
    async def change_guard(thresholds: contract.Guard, caller: KeyCaller) -> contract.Guard:
        """Put other thresholds in force, for imports that come from now on. What is not said stays as it is."""
        _check(caller)
        said = thresholds.model_dump(exclude_unset=True)
        return contract.Guard.model_validate(await services["roster"].send("/guard", said, caller))

    return router


def _check(caller: Caller) -> None:
    caller.need("imports:write")
    caller.need_whole_district()
