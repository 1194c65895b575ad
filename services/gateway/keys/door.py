"""The guard at the door: whose key this is, or no entry. Wrong, expired, revoked and unknown keys all look the same."""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from starlette.requests import Request

from services.gateway.keys import secret
from services.gateway.keys.access import AccessTokens
from services.gateway.keys.grants import KeyRecord
from services.gateway.keys.scopes import implied
from services.gateway.keys.store import KeyStore
from shared.auth import Caller
from shared.errors import Unauthenticated

REMEMBERED_SECONDS = 3.0
"""How long a looked-up key is believed: a revocation is felt everywhere within this time."""
REMEMBERED_KEYS = 10_000
_USE_NOTED_EVERY = timedelta(minutes=1)


class Operator:
    """Whoever runs the platform: makes districts and their first keys, and reads no student."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An access token, the names of the scopes it has, and the seconds for which it holds."""

    token: str
    names: tuple[str, ...]
    seconds: int


class Door:
    """Knows who is calling."""

    def __init__(
        self,
        store: KeyStore,
        *,
        operator_secret: str,
        access: AccessTokens,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._access = access
        self._operator_secret = operator_secret.encode()
        self._now = now
        self._monotonic = monotonic
        self._remembered: OrderedDict[str, tuple[float, KeyRecord | None]] = OrderedDict()
        self._salt = secrets.token_bytes(32)
        self._held: OrderedDict[bytes, tuple[str, bytes]] = OrderedDict()

    async def caller(self, request: Request) -> Caller:
        """The caller of a request; Unauthenticated without a key that holds."""
        address = request.client.host if request.client else None
        return await self.caller_of(_bearer(request), address)

    async def who(self, request: Request) -> Caller | Operator:
        """The caller, or the operator."""
        if hmac.compare_digest(_bearer(request).encode(), self._operator_secret):
            return Operator()
        return await self.caller(request)

    async def caller_of(self, text: str, address: str | None) -> Caller:
        """The caller with this key."""
        return (await self._shown(text, address))[0].caller()

    async def oneroster_caller(self, authorization: str, address: str | None) -> Caller:
        """Who speaks OneRoster, with a key or with an access token got for one, from the header that says so."""
        text = _token_of(authorization)
        if text.startswith(secret.PREFIX):
            return await self.caller_of(text, address)
        now = self._now()
        access = self._access.read(text, now)
        record = await self._live(access.key_id, address, now)
        if not access.holds_with(record, now):
            raise Unauthenticated
        await self._note_use(record, now)
        return access.caller(record)

    async def ticket(self, id_: str, text: str, address: str | None, asked: frozenset[str] | None) -> Ticket | None:
        """An access token for the key with this id, with the asked names (None: all) as far as the key's scopes imply
        them; None when they imply none."""
        record, digest = await self._shown(text, address)
        if record.id != id_:
            raise Unauthenticated
        names = tuple(name for name in implied(record.grant.scopes) if asked is None or name in asked)
        if not names:
            return None
        token, seconds = self._access.sign(record, digest, names, self._now())
        return Ticket(token, names, seconds)

    async def _shown(self, text: str, address: str | None) -> tuple[KeyRecord, bytes]:
        """The key that is shown, if it holds, and what is kept of the secret it was shown with."""
        mark = blake2b(text.encode(), digest_size=32, key=self._salt).digest()
        id_, presented = self._held.get(mark) or self._read(text)
        now = self._now()
        record = await self._live(id_, address, now)
        # Not any(): every digest is compared, however the first comparison came out.
        if not sum(hmac.compare_digest(presented, digest) for digest in record.digests(now)):
            raise Unauthenticated
        await self._note_use(record, now)
        self._held[mark] = id_, presented
        if len(self._held) > REMEMBERED_KEYS:
            self._held.popitem(last=False)
        return record, presented

    def _read(self, text: str) -> tuple[str, bytes]:
        """The id in a key and what is kept of its secret: the longest part of the way in, so that it is remembered of
        keys that held, by what tells nothing of them. Whether they still hold is asked every time."""
        key = secret.read(text)
        if key is None:
            raise Unauthenticated
        return key.id, self._store.digest(key)

    async def _live(self, id_: str, address: str | None, now: datetime) -> KeyRecord:
        record = await self._record(id_)
        if record is None or not record.is_live(now) or not record.admits(address):
            raise Unauthenticated
        return record

    async def _note_use(self, record: KeyRecord, now: datetime) -> None:
        if record.last_used_at is None or now - record.last_used_at > _USE_NOTED_EVERY:
            await self._store.used(record.id, now)
            self.forget(record.id)

    def forget(self, id_: str) -> None:
        """Look this key up anew the next time."""
        self._remembered.pop(id_, None)

    async def _record(self, id_: str) -> KeyRecord | None:
        now = self._monotonic()
        known = self._remembered.get(id_)
        if known is not None and now - known[0] < REMEMBERED_SECONDS:
            return known[1]
        record = await self._store.find(id_)
        self._remembered[id_] = now, record
        self._remembered.move_to_end(id_)
        while len(self._remembered) > REMEMBERED_KEYS:
            self._remembered.popitem(last=False)
        return record


def _bearer(request: Request) -> str:
    return _token_of(request.headers.get("authorization", ""))


def _token_of(authorization: str) -> str:
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    return text.strip()
