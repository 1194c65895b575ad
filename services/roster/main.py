"""The roster put together: settings in, a service out."""

from pydantic_settings import SettingsConfigDict

from services.roster import api
from services.roster.handlers import AttendanceImport, ClosuresImport, RosterImport, assessed
from shared.auth import Tokens
from shared.db import Database
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery
from shared.http import build_app
from shared.imports import Imports
from shared.inbox import Listens
from shared.runtime import Service
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the roster is told from outside: `TRELLIS_ROSTER_…`."""

    model_config = SettingsConfigDict(env_prefix="TRELLIS_ROSTER_", frozen=True, extra="ignore")


LISTENS = (
    Listens(assessment.FormPublished, assessed.form_published, ordered=False),
    Listens(assessment.AdministrationPlanned, assessed.administration_planned),
    # Not ordered: versions decide between sheets of an attempt.
    Listens(assessment.AttemptsScored, assessed.attempts_scored, ordered=False),
    Listens(mastery.MasteryChanged, assessed.mastery_changed),
)


def build(settings: Settings) -> Service:
    """The roster service, ready to run."""
    database = Database(settings.database_url, name="roster", pool_size=settings.pool_size)
    imports = Imports(database, [RosterImport(), AttendanceImport(), ClosuresImport()])
    app = build_app(
        name="roster",
        database=database,
        tokens=Tokens(settings.token_secret),
        routers=[api.router, imports.router],
    )
    return Service(name="roster", app=app, database=database, listens=LISTENS, jobs=[imports.work])
