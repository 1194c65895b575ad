"""Assessment, put together from its settings."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.assessment import api
from services.assessment.domain.irt.kernels import Name
from services.assessment.handlers import identities, placements
from services.assessment.handlers.answers import SHEETS_PER_CHUNK, Answers
from services.assessment.handlers.forms import Forms
from services.assessment.peers import Mastery, Roster
from shared.auth import Tokens
from shared.client import ServiceClient
from shared.compute import Compute
from shared.db import Database
from shared.events_pb.trellis.events.roster.v1 import roster_pb2
from shared.http import build_app
from shared.imports import Imports
from shared.inbox import Listens
from shared.runtime import Service
from shared.settings import ServiceSettings

NAME = "assessment"
PEER_TIMEOUT_SECONDS = 30.0  # a block of an import asks for tens of thousands of students at once


class Settings(ServiceSettings):
    """What assessment is told from outside."""

    model_config = SettingsConfigDict(env_prefix="TRELLIS_ASSESSMENT_", frozen=True, extra="ignore")

    roster_url: str = Field(description="Where the roster service answers, e.g. http://127.0.0.1:8101")
    mastery_url: str = Field(description="Where the mastery service answers")
    sheets_at_once: int = Field(
        default=SHEETS_PER_CHUNK, ge=100, le=100_000, description="Sheets an import merges in one transaction"
    )
    kernel: Name = Field(
        default="numpy", description="What computes abilities: numpy, or compiled (faster, 100 MB more a process)"
    )


LISTENS = (
    Listens(roster_pb2.StudentsPlaced, placements.students_placed),
    # Not ordered: each says its revision, and of several about the same two people the highest counts.
    Listens(roster_pb2.PeopleMerged, identities.people_merged, ordered=False),
    Listens(roster_pb2.PeopleSplit, identities.people_split, ordered=False),
)


def build(settings: Settings, compute: Compute | None = None) -> Service:
    """The service, ready to run. Services of one process may share the worker that computes."""
    compute = compute or Compute()
    database = Database(settings.database_url, name=NAME, pool_size=settings.pool_size)
    tokens = Tokens(settings.token_secret)
    roster = ServiceClient(settings.roster_url, tokens, timeout_seconds=PEER_TIMEOUT_SECONDS)
    mastery = ServiceClient(settings.mastery_url, tokens, timeout_seconds=PEER_TIMEOUT_SECONDS)
    answers = Answers(Roster(roster), compute, sheets_at_once=settings.sheets_at_once, kernel=settings.kernel)
    imports = Imports(database, [Forms(Mastery(mastery), compute), answers])

    async def stop_computing() -> None:
        compute.close()

    return Service(
        name=NAME,
        app=build_app(name=NAME, database=database, tokens=tokens, routers=[api.router, imports.router]),
        database=database,
        listens=LISTENS,
        jobs=[imports.work],
        closing=[roster.close, mastery.close, stop_computing],
    )
