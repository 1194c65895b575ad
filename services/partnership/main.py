"""Partnership, put together from its settings."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.partnership import api
from services.partnership.handlers.matchings import Matcher
from services.partnership.handlers.programmes import Programmes
from services.partnership.handlers.willingness import Willingness
from services.partnership.peers import Mastery, Roster
from shared.auth import Tokens
from shared.client import ServiceClient
from shared.db import Database
from shared.http import build_app
from shared.imports import Imports
from shared.runtime import Service
from shared.settings import ServiceSettings

NAME = "partnership"
PEER_TIMEOUT_SECONDS = 30.0  # a matching asks for the figures of thousands of schools at once


class Settings(ServiceSettings):
    """What partnership is told from outside."""

    model_config = SettingsConfigDict(env_prefix="TRELLIS_PARTNERSHIP_", frozen=True, extra="ignore")

    roster_url: str = Field(description="Where the roster service answers")
    mastery_url: str = Field(description="Where the mastery service answers")


def build(settings: Settings) -> Service:
    """The service, ready to run."""
    database = Database(settings.database_url, name=NAME, pool_size=settings.pool_size)
    tokens = Tokens(settings.token_secret)
    to_roster = ServiceClient(settings.roster_url, tokens, timeout_seconds=PEER_TIMEOUT_SECONDS)
    to_mastery = ServiceClient(settings.mastery_url, tokens, timeout_seconds=PEER_TIMEOUT_SECONDS)
    roster, mastery = Roster(to_roster), Mastery(to_mastery)
    imports = Imports(database, [Programmes(roster, mastery), Willingness(roster)])
    matcher = Matcher(database, roster, mastery)
    return Service(
        name=NAME,
        app=build_app(
            name=NAME, database=database, tokens=tokens, routers=[api.routes(database, roster), imports.router]
        ),
        database=database,
        jobs=[imports.work, matcher.work],
        closing=[to_roster.close, to_mastery.close],
    )
