"""Where districts and keys are kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from services.gateway.keys.grants import District, Grant, KeyRecord, district_id
from services.gateway.keys.secret import Key
from services.gateway.tables import ApiKey
from services.gateway.tables import District as DistrictRow
from shared.auth import Purpose
from shared.db import Database
from shared.errors import Conflict, NotFound


class NoSuchKey(NotFound):
    """There is no such key."""


class NoSuchDistrict(NotFound):
    """There is no such district."""


class SlugTaken(Conflict):
    """A district of another name has this slug."""


class KeyStore:
    """Districts and keys. What is kept of a secret is its HMAC under the pepper."""

    def __init__(self, database: Database, pepper: str) -> None:
        self._database = database
        self._pepper = pepper

    def digest(self, key: Key) -> bytes:
        return key.digest(self._pepper)

    async def add_district(self, slug: str, name: str) -> tuple[District, bool]:
        """The district, and whether it is new; the same name again is no conflict."""
        async with self._database.system() as tx:
            await tx.run(
                "INSERT INTO districts (id, slug, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                district_id(slug), slug, name,
            )  # fmt: skip
            row = await tx.fetchrow(
                "SELECT *, xmin = pg_current_xact_id()::xid AS is_new FROM districts WHERE slug = $1", slug
            )
        assert row is not None
        if row["name"] != name:
            raise SlugTaken
        return District(row["id"], row["slug"], row["name"], row["created_at"]), row["is_new"]

    async def list_districts(self) -> list[District]:
        async with self._database.system() as tx:
            rows = await tx.session.scalars(select(DistrictRow).order_by(col(DistrictRow.slug)))
            return [District(row.id, row.slug, row.name, row.created_at) for row in rows]

    async def get_district(self, name: str) -> District:
        """A district by its slug or id."""
        for district in await self.list_districts():
            if name in (district.slug, str(district.id)):
                return district
        raise NoSuchDistrict

    async def add(
        self, key: Key, district: UUID, grant: Grant, *, created_by: str, created_at: datetime, days: int
    ) -> KeyRecord:
        """Keep a new key."""
        row = ApiKey(
            id=key.id,
            district_id=district,
            name=grant.name,
            secret=self.digest(key),
            scopes=sorted(grant.scopes),
            purpose=grant.purpose.value,
            schools=None if grant.schools is None else list(grant.schools),
            networks=list(grant.networks),
            created_by=created_by,
            created_at=created_at,
            expires_at=created_at + timedelta(days=days),
        )
        async with self._database.system() as tx:
            tx.session.add(row)
        return _record(row)

    async def find(self, id_: str) -> KeyRecord | None:
        async with self._database.system() as tx:
            row = await tx.session.get(ApiKey, id_)
            return _record(row) if row else None

    async def list_(
        self, district: UUID, *, first: int, after: str | None, within: Sequence[UUID] | None = None
    ) -> list[KeyRecord]:
        """A page of a district's keys, by id; `within` only those for none but these schools."""
        page = select(ApiKey).where(col(ApiKey.district_id) == district, col(ApiKey.id) > (after or ""))
        if within is not None:
            page = page.where(ApiKey.__table__.c.schools.contained_by(list(within)))  # type: ignore[attr-defined]  # SQLModel does not type it
        async with self._database.system() as tx:
            rows = await tx.session.scalars(page.order_by(col(ApiKey.id)).limit(first))
            return [_record(row) for row in rows]

    async def replace_secret(self, key: Key, *, previous_until: datetime) -> KeyRecord:
        """The key with a new secret; the one it had holds until then."""
        return await self._update(
            key.id,
            {"secret": self.digest(key), "previous_secret": ApiKey.secret, "previous_until": previous_until},
        )

    async def revoke(self, id_: str, now: datetime) -> None:
        """End a key. Its row stays: what it did must be told."""
        await self._update(id_, {"revoked_at": now, "previous_secret": None, "previous_until": None})

    async def used(self, id_: str, now: datetime) -> None:
        await self._update(id_, {"last_used_at": now})

    async def _update(self, id_: str, values: dict[str, Any]) -> KeyRecord:
        async with self._database.system() as tx:
            changed: Sequence[ApiKey] = (
                await tx.session.scalars(update(ApiKey).where(col(ApiKey.id) == id_).values(**values).returning(ApiKey))
            ).all()
            if not changed:
                raise NoSuchKey
            return _record(changed[0])


def _record(row: ApiKey) -> KeyRecord:
    grant = Grant(
        name=row.name,
        scopes=frozenset(row.scopes),
        purpose=Purpose(row.purpose),
        schools=None if row.schools is None else tuple(row.schools),
        networks=tuple(row.networks),
    )
    return KeyRecord(
        id=row.id,
        district=row.district_id,
        grant=grant,
        digest=row.secret,
        previous_digest=row.previous_secret,
        previous_until=row.previous_until,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
