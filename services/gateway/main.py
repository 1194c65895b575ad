"""The gateway, put together."""

import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from fastapi import FastAPI
from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.gateway import exports, files, identity, oauth, page
from services.gateway.budget import Budget
from services.gateway.clients import Services
from services.gateway.gate import Gate, Who
from services.gateway.graph.ids import NotAnId, read_id
from services.gateway.keys import api as keys
from services.gateway.keys.access import AccessTokens
from services.gateway.keys.door import Door, Operator
from services.gateway.keys.store import KeyStore
from services.gateway.limits import COST_PER_MINUTE, WALL_CLOCK_SECONDS
from services.gateway.oneroster.door import OneRoster
from services.gateway.oneroster.passage import Passage
from services.gateway.schema import schema
from services.gateway.view import GraphQLView
from services.roster import contract as roster
from shared.auth import Caller, Tokens
from shared.client import ServiceClient
from shared.db import Database
from shared.errors import Forbidden, Invalid, NotFound
from shared.http import App, Observed, answer_errors, health, metrics_page, problem
from shared.runtime import Service
from shared.settings import ServiceSettings

OPERATOR_PREFIX = "trl_oper_"
_ANSWER_SECONDS = 2.5
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?")


class Settings(ServiceSettings):
    """What the gateway is told from outside."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="TRELLIS_GATEWAY_")

    roster_url: str = Field(description="Where the roster answers")
    assessment_url: str = Field(description="Where assessment answers")
    mastery_url: str = Field(description="Where mastery answers")
    partnership_url: str = Field(description="Where partnership answers")
    key_pepper: str = Field(min_length=32, description="Mixed into the HMAC of every key's secret; never changed")
    operator_secret: str = Field(min_length=40, description="trl_oper_…: makes districts and their first keys")
    cost_per_minute: int = Field(
        default=COST_PER_MINUTE, ge=1_000, description="Points of cost a key may spend a minute, in each process"
    )
    public_url: str | None = Field(
        default=None, description="Where clients reach us, https://host: behind a proxy; else as each request says"
    )

    @field_validator("operator_secret")
    @classmethod
    def _is_the_operators(cls, value: str) -> str:
        if not value.startswith(OPERATOR_PREFIX):
            raise ValueError(f"must begin with {OPERATOR_PREFIX}")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if value is not None and not _ORIGIN.fullmatch(value):
            raise ValueError("must be https://host or http://host:port, and nothing after it")
        return value


def build(settings: Settings) -> Service:
    """Everything the gateway is made of."""
    database = Database(settings.database_url, name="gateway", pool_size=settings.pool_size)
    tokens = Tokens(settings.token_secret)
    clients = {
        name: ServiceClient(url, tokens, timeout_seconds=_ANSWER_SECONDS)
        for name, url in (
            ("roster", settings.roster_url),
            ("assessment", settings.assessment_url),
            ("mastery", settings.mastery_url),
            ("partnership", settings.partnership_url),
        )
    }
    passage = Passage(settings.roster_url, tokens)
    app = build_app(
        database,
        clients,
        passage=passage,
        pepper=settings.key_pepper,
        operator_secret=settings.operator_secret,
        cost_per_minute=settings.cost_per_minute,
        public_url=settings.public_url,
    )
    closing: list[Callable[[], Awaitable[None]]] = [*(client.close for client in clients.values()), passage.close]
    return Service(name="gateway", app=app, database=database, closing=closing)


def build_app(
    database: Database,
    clients: dict[str, ServiceClient],
    *,
    passage: Passage,
    pepper: str,
    operator_secret: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
    wall_clock_seconds: float = WALL_CLOCK_SECONDS,
    cost_per_minute: int = COST_PER_MINUTE,
    public_url: str | None = None,
) -> FastAPI:
    """The application alone, for whoever brings the database and the clients."""
    services = Services.of(clients)
    store = KeyStore(database, pepper)
    door = Door(store, operator_secret=operator_secret, access=AccessTokens(pepper), now=now, monotonic=monotonic)
    budget = Budget(cost_per_minute, monotonic=monotonic)
    view = GraphQLView(schema._schema, door, services, budget, wall_clock_seconds=wall_clock_seconds)

    before = [
        Middleware(Observed, name="gateway"),
        Middleware(OneRoster, door=door, budget=budget, passage=passage, public_url=public_url),
    ]
    app = App(title="Trellis", version="1", openapi_url=None, docs_url=None, redoc_url=None, before=before)
    answer_errors(app)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_middleware(Gate, door=door)
    app.include_router(health(database, with_metrics=False), include_in_schema=False)
    app.include_router(keys.routes(store, door, _schools(services), now))
    app.include_router(files.routes(clients))
    app.include_router(exports.routes(clients))
    app.include_router(identity.routes(clients))
    app.add_route("/graphql", view.answer, ["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    app.add_route(oauth.PATH, oauth.TokenEndpoint(door, budget).answer, ["POST"], include_in_schema=False)
    app.mount("/graphiql", page.assets())

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/metrics", include_in_schema=False)
    async def metrics(who: Who) -> Response:
        if not isinstance(who, Operator):
            raise Forbidden("Metrics are for whoever runs the platform.")
        return await metrics_page()

    return app


def _schools(services: Services) -> keys.FindSchools:
    async def find(district: UUID, names: list[str]) -> list[UUID]:
        try:
            asked = [read_id("School", name) for name in names]
        except NotFound:
            raise NotAnId from None
        ask = roster.ByKeys(
            ids=[key for key in asked if isinstance(key, UUID)],
            sourced_ids=[key for key in asked if isinstance(key, str)],
        )
        found = await services.roster.schools(ask, Caller.system(district, "gateway"))
        known: dict[UUID | str, UUID] = {}
        for school in found:
            known[school.id] = known[school.sourced_id] = school.id
        missing = [name for name, key in zip(names, asked, strict=True) if key not in known]
        if missing:
            raise Invalid(f"The district has no school {missing[0][:100]}.")
        return list(dict.fromkeys(known[key] for key in asked))

    return find


async def _no_route(_request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, HTTPException)
    code = {404: NotFound.code}.get(wrong.status_code, Invalid.code)
    answer = problem(wrong.status_code, code, str(wrong.detail))
    answer.headers.update(wrong.headers or {})
    return answer
