"""The routes for keys and districts."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.gate import Who
from services.gateway.keys import secret
from services.gateway.keys.door import Door, Operator
from services.gateway.keys.grants import Grant, KeyRecord, check_gives, check_networks, check_scopes, reaches
from services.gateway.keys.store import KeyStore, NoSuchKey
from shared.auth import Caller, Purpose
from shared.errors import Forbidden, Invalid

_LONGEST_DAYS = 365
_LONGEST_OVERLAP_HOURS = 168


class FindSchools(Protocol):
    """Finds the ids of a district's schools."""

    async def __call__(self, district: UUID, names: list[str]) -> list[UUID]:
        """Ids in the order asked for; Invalid when one is not a school of the district."""
        ...


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewKey(_Strict):
    """What a key shall be allowed to do."""

    name: str = Field(min_length=1, max_length=200, description="What it is for, for people")
    scopes: list[str] = Field(min_length=1, max_length=50)
    purpose: Purpose
    schools: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=1_000,
        description="Node ids or sourcedId:…; without it the whole district",
    )
    networks: list[str] = Field(default_factory=list, max_length=100, description="Only from these, e.g. 192.0.2.0/24")
    expires_in_days: int = Field(default=90, ge=1, le=_LONGEST_DAYS)
    district: str | None = Field(default=None, max_length=100, description="Slug or id; for the operator only")


class Rotation(_Strict):
    """How long the secret that is replaced still holds."""

    overlap_hours: int = Field(default=24, ge=0, le=_LONGEST_OVERLAP_HOURS)


class KeyView(BaseModel):
    """A key, without its secret."""

    id: str
    district: UUID
    name: str
    scopes: list[str]
    purpose: Purpose
    schools: list[UUID] | None
    networks: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    previous_secret_until: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class ShownKey(KeyView):
    """A key with its secret: shown this once."""

    key: str


class KeyPage(BaseModel):
    """Keys by id; go on with `after` = the last one's id."""

    items: list[KeyView]
    has_next: bool


class NewDistrict(_Strict):
    """A tenant to be."""

    slug: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="Short, lower-case, never changed")
    name: str = Field(min_length=1, max_length=200)


class DistrictView(BaseModel):
    """A tenant."""

    id: UUID
    slug: str
    name: str
    created_at: datetime


def routes(store: KeyStore, door: Door, find_schools: FindSchools, now: Callable[[], datetime]) -> APIRouter:
    """Districts and keys over REST."""
    router = APIRouter(prefix="/v1")

    @router.post("/districts", status_code=201, tags=["districts"])
    async def create_district(ask: NewDistrict, who: Who, response: Response) -> DistrictView:
        """Make a district (operator only). The same slug and name again answers 200 with what is there."""
        _need_operator(who)
        district, is_new = await store.add_district(ask.slug, ask.name)
        response.status_code = 201 if is_new else 200
        return DistrictView(id=district.id, slug=district.slug, name=district.name, created_at=district.created_at)

    @router.get("/districts", tags=["districts"])
    async def list_districts(who: Who) -> list[DistrictView]:
        """All districts (operator only)."""
        _need_operator(who)
        return [
            DistrictView(id=one.id, slug=one.slug, name=one.name, created_at=one.created_at)
            for one in await store.list_districts()
        ]

    @router.post("/keys", status_code=201, tags=["keys"])
    async def create_key(ask: NewKey, who: Who) -> ShownKey:
        """Make a key. Its secret is in the answer, and nowhere else afterwards."""
        district = await _district(store, who, ask.district)
        scopes = frozenset(ask.scopes)
        check_scopes(scopes)
        networks = check_networks(ask.networks)
        if isinstance(who, Caller):
            who.need("keys:admin")
        schools = None if ask.schools is None else tuple(await find_schools(district, ask.schools))
        grant = Grant(ask.name, scopes, ask.purpose, schools, networks)
        if isinstance(who, Caller):
            check_gives(who, grant)
        key = secret.new()
        record = await store.add(
            key, district, grant, created_by=_subject(who), created_at=now(), days=ask.expires_in_days
        )
        return ShownKey(**_view(record).model_dump(), key=key.text)

    @router.get("/keys", tags=["keys"])
    async def list_keys(
        who: Who,
        first: Annotated[int, Query(ge=1, le=100)] = 100,
        after: Annotated[str | None, Query(max_length=50)] = None,
        district: Annotated[str | None, Query(max_length=100)] = None,
    ) -> KeyPage:
        """The district's keys, without their secrets; the operator says which district."""
        whose = await _district(store, who, district)
        if isinstance(who, Caller):
            who.need("keys:admin")
        within = who.schools if isinstance(who, Caller) else None
        found = await store.list_(whose, first=first + 1, after=after, within=within)
        return KeyPage(items=[_view(record) for record in found[:first]], has_next=len(found) > first)

    @router.post("/keys/{key_id}/rotate", tags=["keys"])
    async def rotate_key(key_id: str, ask: Rotation, who: Who) -> ShownKey:
        """Give a key a new secret. Both hold for the overlap, then only the new one."""
        record = await _reached(store, who, key_id)
        if isinstance(who, Caller):
            check_gives(who, record.grant)
        if not record.is_live(now()):
            raise Invalid("A key that has expired or was revoked is not rotated; make a new one.")
        key = secret.renewed(key_id)
        record = await store.replace_secret(key, previous_until=now() + timedelta(hours=ask.overlap_hours))
        door.forget(key_id)
        return ShownKey(**_view(record).model_dump(), key=key.text)

    @router.delete("/keys/{key_id}", status_code=204, tags=["keys"])
    async def revoke_key(key_id: str, who: Who) -> None:
        """Revoke a key. Within five seconds it opens nothing any more, anywhere."""
        await _reached(store, who, key_id)
        await store.revoke(key_id, now())
        door.forget(key_id)

    return router


def _need_operator(who: Caller | Operator) -> None:
    if not isinstance(who, Operator):
        raise Forbidden("Districts are made and listed by whoever runs the platform, with the operator's secret.")


async def _district(store: KeyStore, who: Caller | Operator, asked: str | None) -> UUID:
    """Whose keys: a key's own district; the operator says which."""
    if isinstance(who, Caller):
        if asked is not None and asked != str(who.district):
            raise Forbidden("A key reaches its own district only.")
        return who.district
    if asked is None:
        raise Invalid("The operator says which district: its slug or id.")
    return (await store.get_district(asked)).id


async def _reached(store: KeyStore, who: Caller | Operator, key_id: str) -> KeyRecord:
    if isinstance(who, Caller):
        who.need("keys:admin")
    record = await store.find(key_id)
    if record is None or (isinstance(who, Caller) and not reaches(who, record)):
        raise NoSuchKey
    return record


def _subject(who: Caller | Operator) -> str:
    return who.subject if isinstance(who, Caller) else "operator"


def _view(record: KeyRecord) -> KeyView:
    grant = record.grant
    return KeyView(
        id=record.id,
        district=record.district,
        name=grant.name,
        scopes=sorted(grant.scopes),
        purpose=grant.purpose,
        schools=None if grant.schools is None else list(grant.schools),
        networks=list(grant.networks),
        created_by=record.created_by,
        created_at=record.created_at,
        expires_at=record.expires_at,
        previous_secret_until=record.previous_until,
        last_used_at=record.last_used_at,
        revoked_at=record.revoked_at,
    )
