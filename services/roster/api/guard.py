"""The guard over REST: what an import of rosters may do without a person being asked."""

from dataclasses import asdict

from fastapi import APIRouter

from services.roster import contract
from services.roster.domain.guarding import Thresholds
from services.roster.store import guard
from shared.auth import Caller
from shared.http import Read, Write

router = APIRouter()


@router.get("/guard")
async def thresholds(tx: Read) -> contract.Guard:
    """The thresholds in force."""
    _may(tx.caller)
    return _wire(await guard.thresholds(tx))


@router.post("/guard")
async def change(to: contract.Guard, tx: Write) -> contract.Guard:
    """Put other thresholds in force; what is not said stays as it is."""
    _may(tx.caller)
    return _wire(await guard.change(tx, to.model_dump(exclude_unset=True)))


def _wire(known: Thresholds) -> contract.Guard:
    return contract.Guard(**asdict(known))


def _may(caller: Caller) -> None:
    caller.need("imports:write")
    caller.need_whole_district()
