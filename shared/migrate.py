"""Bring a service's database to the newest version, as its owner; and refuse to serve one that is not safe.

Every service has its own Alembic branch; the kernel's tables are a branch that theirs depend on.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

_ROOT = Path(__file__).resolve().parent.parent
_MONTHS_AHEAD = 13
_EXEMPT = re.compile(r"(outbox(_rest|_\d{6})?|inbox|parked|waiting|positions|alembic_version)")
_GATEWAY_EXEMPT = frozenset({"districts", "api_keys"})


class NotSafe(RuntimeError):
    """The database would let rows of one district be seen by another."""


def config(service: str) -> Config:
    """Alembic's settings for one service: the kernel's revisions and its own."""
    settings = Config()
    versions = [_ROOT / "shared" / "migrations" / "versions", _ROOT / "services" / service / "migrations" / "versions"]
    settings.set_main_option("script_location", str(_ROOT / "shared" / "migrations"))
    settings.set_main_option("version_locations", "\n".join(str(folder) for folder in versions))
    settings.set_main_option("path_separator", "newline")
    return settings


async def upgrade(owner_dsn: str, service: str, app_role: str, *, now: datetime | None = None) -> None:
    """Upgrade to the newest revision, make the months' partitions, and grant the runtime role its verbs.

    Besides reading and writing it may refresh the planner's statistics (MAINTAIN): an import fills tables faster than
    autovacuum looks.
    """
    engine = create_async_engine(
        owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=pool.NullPool
    )
    settings = config(service)

    def climb(connection: Connection) -> None:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "heads")

    async with engine.begin() as connection:
        await connection.run_sync(climb)
    await engine.dispose()
    owner = await asyncpg.connect(owner_dsn)
    try:
        if await owner.fetchval("SELECT to_regclass('outbox') IS NOT NULL"):
            for sql in _partitions(now or datetime.now(UTC)):
                # A platform that ran for more than a year has facts of that month already: they stay where they are.
                with suppress(asyncpg.CheckViolationError):
                    await owner.execute(sql)
        for schema in [row["nspname"] for row in await owner.fetch(
            "SELECT nspname FROM pg_namespace WHERE nspname IN ('public', 'stage')"
        )]:  # fmt: skip
            await owner.execute(f'GRANT USAGE ON SCHEMA {schema} TO "{app_role}"')
            await owner.execute(
                f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO "{app_role}"'
            )
            await owner.execute(f'GRANT MAINTAIN ON ALL TABLES IN SCHEMA {schema} TO "{app_role}"')
            await owner.execute(f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO "{app_role}"')
    finally:
        await owner.close()


def _partitions(now: datetime) -> list[str]:
    """One outbox partition for each month, this one and a year ahead."""
    made = []
    for ahead in range(_MONTHS_AHEAD):
        year, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
        following_year, following_month = divmod(now.year * 12 + now.month + ahead, 12)
        made.append(
            f"CREATE TABLE IF NOT EXISTS outbox_{year}{month + 1:02} PARTITION OF outbox "
            f"FOR VALUES FROM ('{year}-{month + 1:02}-01T00:00:00Z') "
            f"TO ('{following_year}-{following_month + 1:02}-01T00:00:00Z')"
        )
    return made


async def check_row_level_security(dsn: str) -> None:
    """Refuse (NotSafe) when a table outside the list lacks row-level security, or the role could get round it."""
    app = await asyncpg.connect(dsn)
    try:
        role = await app.fetchrow("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        tables = await app.fetch("""
            SELECT n.nspname AS schema, c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS secured,
                   c.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS owned,
                   EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive) AS has_policy
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname IN ('public', 'stage')
        """)
        views = await app.fetch("""
            SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND c.relkind = 'v'
              AND NOT COALESCE(c.reloptions @> ARRAY['security_invoker=true'], false)
        """)
    finally:
        await app.close()
    assert role is not None
    wrong = []
    if role["rolsuper"] or role["rolbypassrls"]:
        wrong.append("the runtime role may bypass row-level security")
    for table in tables:
        exempt = (
            table["schema"] == "stage" or bool(_EXEMPT.fullmatch(table["name"])) or table["name"] in _GATEWAY_EXEMPT
        )
        if table["owned"]:
            wrong.append(f"the runtime role owns {table['name']}")
        if exempt and table["secured"]:
            wrong.append(f"{table['name']} is on the list of tables without row-level security but has it")
        if not exempt and not (table["secured"] and table["has_policy"]):
            wrong.append(f"{table['name']} has no row-level security in force")
    wrong += [f"the view {view['name']} runs with its owner's rights" for view in views]
    if wrong:
        raise NotSafe("; ".join(sorted(wrong)))
