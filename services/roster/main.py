"""The roster put together: settings in, a service out."""

from pydantic_settings import SettingsConfigDict

from services.roster import api
from services.roster.daily import AttendanceImport, ClosuresImport
from services.roster.events import LISTENS
from services.roster.handlers import RosterImport
from shared.auth import Tokens
from shared.db import Database
from shared.http import build_app
from shared.imports import Imports
from shared.runtime import Service
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the roster is told from outside: `TRELLIS_ROSTER_…`."""

    model_config = SettingsConfigDict(env_prefix="TRELLIS_ROSTER_", frozen=True, extra="ignore")


def build(settings: Settings) -> Service:
    """The roster service, ready to run."""
    database = Database(settings.database_url, name="roster", pool_size=settings.pool_size)
    importers = [RosterImport(), AttendanceImport(), ClosuresImport()]
    imports = Imports(database, importers)
    app = build_app(
        name="roster",
        database=database,
        tokens=Tokens(settings.token_secret),
        routers=[api.router, imports.router],
    )
    return Service(name="roster", app=app, database=database, listens=LISTENS, jobs=[imports.work])
