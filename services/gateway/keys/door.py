"""The guard at the door: whose key this is, or no entry. Wrong, expired, revoked and unknown keys all look the same."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from starlette.requests import Request

from services.gateway.keys import secret
from services.gateway.keys.grants import KeyRecord
from services.gateway.keys.store import KeyStore
from shared.auth import Caller
from shared.errors import Unauthenticated

REMEMBERED_SECONDS = 3.0
"""How long a looked-up key is believed: a revocation is felt everywhere within this time."""
REMEMBERED_KEYS = 10_000
_USE_NOTED_EVERY = timedelta(minutes=1)


class Operator:
    """Whoever runs the platform: makes districts and their first keys, and reads no student."""


class Door:
    """Knows who is calling."""

    def __init__(
        self,
        store: KeyStore,
        *,
        operator_secret: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._operator_secret = operator_secret.encode()
        self._now = now
        self._monotonic = monotonic
        self._remembered: OrderedDict[str, tuple[float, KeyRecord | None]] = OrderedDict()

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
        key = secret.read(text)
        if key is None:
            raise Unauthenticated
        record = await self._record(key.id)
        now = self._now()
        if record is None or not record.is_live(now) or not record.admits(address):
            raise Unauthenticated
        presented = self._store.digest(key)
        # Not any(): every digest is compared, however the first comparison came out.
        if not sum(hmac.compare_digest(presented, digest) for digest in record.digests(now)):
            raise Unauthenticated
        if record.last_used_at is None or now - record.last_used_at > _USE_NOTED_EVERY:
            await self._store.used(record.id, now)
            self.forget(record.id)
        return record.caller()

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
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    return text.strip()
