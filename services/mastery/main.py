"""The mastery service, put together."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.mastery import api, areas
from services.mastery.handlers import facts
from services.mastery.handlers.frameworks import FrameworkImport
from services.mastery.handlers.retracing import Retracing
from services.mastery.handlers.snapshots import Snapshots
from services.mastery.peers import Roster
from shared.auth import Tokens
from shared.client import ServiceClient
from shared.compute import Compute
from shared.db import Database
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from shared.http import build_app
from shared.imports import Imports
from shared.inbox import Listens
from shared.runtime import Service
from shared.settings import ServiceSettings

SMALLEST_GROUP = 10
PEER_TIMEOUT_SECONDS = 30.0  # a city's organisations at once


class Settings(ServiceSettings):
    """What mastery is told from outside."""

    model_config = SettingsConfigDict(env_prefix="TRELLIS_MASTERY_", frozen=True, extra="ignore")

    roster_url: str = Field(description="Where the roster answers")
    smallest_group: int = Field(
        default=SMALLEST_GROUP,
        ge=SMALLEST_GROUP,
        description="Groups of fewer learners are hidden from snapshots; may only be raised",
    )


LISTENS = (
    Listens(assessment.FormPublished, facts.form_published, ordered=False),
    Listens(assessment.AdministrationPlanned, facts.administration_planned),
    # Not ordered: versions decide between sheets of an attempt, and the ledger's own order is by what is on them.
    Listens(assessment.AttemptsScored, facts.attempts_scored, ordered=False),
    Listens(roster.StudentsPlaced, facts.students_placed),
    # Not ordered: each says its revision, and of several about the same two people the highest counts.
    Listens(roster.PeopleMerged, facts.people_merged, ordered=False),
    Listens(roster.PeopleSplit, facts.people_split, ordered=False),
)


def build(settings: Settings, compute: Compute | None = None) -> Service:
    """Everything mastery needs, from its settings. Services of one process may share the worker that computes."""
    compute = compute or Compute()
    database = Database(settings.database_url, name="mastery", pool_size=settings.pool_size)
    tokens = Tokens(settings.token_secret)
    roster_client = ServiceClient(settings.roster_url, tokens, timeout_seconds=PEER_TIMEOUT_SECONDS)
    snapshots = Snapshots(database, Roster(roster_client), threshold=settings.smallest_group)
    imports = Imports(database, [FrameworkImport(compute)])
    app = build_app(
        name="mastery",
        database=database,
        tokens=tokens,
        routers=[imports.router, api.router, areas.router],
    )

    async def stop_computing() -> None:
        compute.close()

    return Service(
        "mastery",
        app,
        database,
        LISTENS,
        jobs=[imports.work, snapshots.work, Retracing(database).work],
        closing=[roster_client.close, stop_computing],
    )
