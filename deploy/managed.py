"""`trellis provision`: databases, roles and topics on a PostgreSQL and a Kafka that somebody else keeps running.

Told by the environment, with the very addresses that the services are told: a service's runtime role, its password and
its database are those of TRELLIS_<SERVICE>_DATABASE_URL. Running it again brings everything up to date and makes
nothing twice; whoever deploys a new version runs it before the services start.
"""

import os
from collections.abc import Mapping
from secrets import token_hex
from urllib.parse import unquote, urlsplit

import asyncpg
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.provision import SERVICES, RoleTooStrong, ServiceDatabase, TooOld, address
from deploy.provision import prepare as prepare_databases
from deploy.service import KafkaSettings
from deploy.topics import topics
from shared.bus.kafka_cluster import brokers, create_topics

MOST_COPIES = 3


class NotPrepared(Exception):
    """The server or the cluster could not be prepared; the message is for the person who runs it."""


class Managed(BaseSettings):
    """What `trellis provision` is told, beside the addresses of the services' databases and of Kafka."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field(description="PostgreSQL, as a role that may make databases and roles")
    trellis_kafka_replication: int | None = Field(
        default=None, ge=1, description="Copies of every topic; else three, or as many as there are brokers"
    )


def describe(admin_dsn: str, environment: Mapping[str, str]) -> list[ServiceDatabase]:
    """The databases that the services of this environment expect. Raises NotPrepared, naming the variable.

    The owner of a database is `<database>_owner`. Its password is a new one each time: nobody needs it afterwards, and
    nobody can derive it from what a service knows.
    """
    found = []
    for service in SERVICES:
        variable = f"TRELLIS_{service.upper()}_DATABASE_URL"
        parts = urlsplit(environment.get(variable, ""))
        name, app = parts.path.removeprefix("/"), unquote(parts.username or "")
        if parts.scheme != "postgresql" or not (name and app and parts.password):
            raise NotPrepared(f"{variable} must be postgresql://role:password@host/database")
        owner = f"{name}_owner"
        if owner == app:
            raise NotPrepared(f"{variable}: the role {app} would own the tables; a service's role must own nothing")
        owner_dsn = address(admin_dsn, user=owner, password=token_hex(32), database=name)
        app_dsn = address(admin_dsn, user=parts.username or "", password=parts.password, database=name)
        found.append(ServiceDatabase(service, name, owner, app, owner_dsn, app_dsn))
    for what in ("name", "app"):
        seen = [getattr(database, what) for database in found]
        if twice := {one for one in seen if seen.count(one) > 1}:
            raise NotPrepared(f"two services cannot share {', '.join(sorted(twice))}: each has a database and a role")
    return found


async def prepare() -> list[str]:
    """Make what is missing and migrate; what there is now, in sentences."""
    settings, cluster = Managed(), KafkaSettings().cluster
    databases = describe(settings.database_url, os.environ)
    try:
        await prepare_databases(settings.database_url, databases)
    except (asyncpg.PostgresError, OSError, RoleTooStrong, TooOld) as error:
        raise NotPrepared(f"PostgreSQL: {error}") from error
    copies = settings.trellis_kafka_replication or min(MOST_COPIES, await brokers(cluster))
    wanted = topics(copies)
    new = await create_topics(cluster, wanted)
    return [
        f"Databases up to date: {', '.join(database.name for database in databases)}",
        f"Topics: {len(wanted)}, of them new: {len(new)}",
    ]
