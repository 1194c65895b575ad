"""A database and two roles for every service, brought to the newest version.

The owner's role holds the tables and runs the migrations; the runtime role owns nothing and cannot bypass row-level
security. Running it again changes nothing but passwords that differ.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from shared import migrate

SERVICES = ("roster", "assessment", "mastery", "partnership", "gateway")
OLDEST = 17
"""The first PostgreSQL with MAINTAIN and JSON_SCALAR."""


class RoleTooStrong(Exception):
    """A database role of that name exists and may do more than a service must be able to."""


class TooOld(Exception):
    """The server is a PostgreSQL that lacks what our statements use."""


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """Where a service's tables are, and the two ways in."""

    service: str
    name: str
    owner: str
    app: str
    owner_dsn: str
    app_dsn: str


def describe(admin_dsn: str, service: str, password: str, *, prefix: str = "") -> ServiceDatabase:
    """Names and addresses of a service's database; nothing is touched."""
    name, owner, app = f"{prefix}{service}", f"{prefix}{service}_owner", f"{prefix}{service}_app"
    return ServiceDatabase(
        service,
        name,
        owner,
        app,
        owner_dsn=address(admin_dsn, user=owner, password=derived(password, owner), database=name),
        app_dsn=address(admin_dsn, user=app, password=derived(password, app), database=name),
    )


async def provision(
    admin_dsn: str, password: str, *, prefix: str = "", services: Iterable[str] = SERVICES
) -> dict[str, ServiceDatabase]:
    """Makes what is missing, migrates, and says how to connect; the roles' passwords are derived from `password`.

    The administrator may be a superuser, or a role with CREATEDB and CREATEROLE on a managed server.
    """
    return await prepare(admin_dsn, [describe(admin_dsn, service, password, prefix=prefix) for service in services])


async def prepare(admin_dsn: str, databases: Sequence[ServiceDatabase]) -> dict[str, ServiceDatabase]:
    """The same for databases that are described: names, roles and passwords are theirs. Raises: TooOld."""
    async with connected(admin_dsn) as admin:
        if (version := admin.get_server_version().major) < OLDEST:
            raise TooOld(f"the server is PostgreSQL {version}; Trellis needs {OLDEST} or later")
        for database in databases:
            await _role(admin, database.owner, _password_in(database.owner_dsn))
            await _role(admin, database.app, _password_in(database.app_dsn))
            await create_database(admin, database)
    for database in databases:  # one after the other: Alembic keeps its context in a global
        await migrate.upgrade(database.owner_dsn, database.service, database.app)
    return {database.service: database for database in databases}


async def create_database(
    admin: "asyncpg.Connection[asyncpg.Record]", database: ServiceDatabase, *, template: str | None = None
) -> None:
    """The database with its owner, open to its runtime role and to nobody else; or a copy of a template."""
    if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database.name):
        like = "" if template is None else f" TEMPLATE {quoted(template)}"
        await admin.execute(f"CREATE DATABASE {quoted(database.name)} OWNER {quoted(database.owner)}{like}")
    await admin.execute(f"REVOKE ALL ON DATABASE {quoted(database.name)} FROM PUBLIC")
    await admin.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {quoted(database.name)} TO {quoted(database.app)}")


async def _role(admin: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    found = await admin.fetchrow(
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole AS strong FROM pg_roles WHERE rolname = $1", role
    )
    if found is None:
        await admin.execute(f"CREATE ROLE {quoted(role)} LOGIN PASSWORD {_literal(password)}")
    elif found["strong"]:
        raise RoleTooStrong(f"the database role {role} may bypass row-level security; Trellis does not use it")
    else:
        await admin.execute(f"ALTER ROLE {quoted(role)} PASSWORD {_literal(password)}")
    if not await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await admin.execute(f"GRANT {quoted(role)} TO CURRENT_USER")  # or we could not make a database for it


def _password_in(dsn: str) -> str:
    return unquote(urlsplit(dsn).password or "")


def derived(password: str, role: str) -> str:
    """A role's own password (hexadecimal), from the one secret of the installation."""
    return hmac.new(password.encode(), role.encode(), hashlib.sha256).hexdigest()


def address(dsn: str, *, user: str, password: str, database: str) -> str:
    """The same server, as someone else, in another database."""
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}", path=f"/{database}"))


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection for the length of a block."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()
