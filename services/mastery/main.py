"""The mastery service, put together."""

from pydantic_settings import SettingsConfigDict

from services.mastery import api
from services.mastery.handlers import facts
from services.mastery.handlers.frameworks import FrameworkImport
from shared.auth import Tokens
from shared.compute import Compute
from shared.db import Database
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from shared.http import build_app
from shared.imports import Imports
from shared.inbox import Listens
from shared.runtime import Service
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What mastery is told from outside."""

    model_config = SettingsConfigDict(env_prefix="TRELLIS_MASTERY_", frozen=True, extra="ignore")


LISTENS = (
    Listens(assessment.FormPublished, facts.form_published, ordered=False),
    Listens(assessment.AdministrationPlanned, facts.administration_planned),
    # Not ordered: versions decide between sheets of an attempt, and the ledger's own order is by what is on them.
    Listens(assessment.AttemptsScored, facts.attempts_scored, ordered=False),
    Listens(roster.StudentsPlaced, facts.students_placed),
)


def build(settings: Settings, compute: Compute | None = None) -> Service:
    """Everything mastery needs, from its settings. Services of one process may share the worker that computes."""
    compute = compute or Compute()
    database = Database(settings.database_url, name="mastery", pool_size=settings.pool_size)
    imports = Imports(database, [FrameworkImport(compute)])
    app = build_app(
        name="mastery",
        database=database,
        tokens=Tokens(settings.token_secret),
        routers=[imports.router, api.router],
    )

    async def stop_computing() -> None:
        compute.close()

    return Service("mastery", app, database, LISTENS, jobs=[imports.work], closing=[stop_computing])
