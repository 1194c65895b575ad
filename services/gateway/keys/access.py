"""Access tokens: what a OneRoster client gets for its key, for an hour at most.

A token names the key, the secret it was got with (by a fingerprint) and the scopes it was given. It is worth nothing
without the key: whoever reads one looks the key up, so that a token ends with its key and with its secret.
"""

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import jwt

from services.gateway.keys.grants import KeyRecord
from services.gateway.keys.scopes import inside
from shared.auth import Caller
from shared.errors import Unauthenticated

LONGEST = timedelta(hours=1)
_ISSUER = "trellis"
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Access:
    """What a token says. `scopes` is what its holder may do inside."""

    key_id: str
    secret: str
    scopes: frozenset[str]
    expires: float

    def holds_with(self, record: KeyRecord, now: datetime) -> bool:
        """Whether the secret it was got with is still one of the key's."""
        return any(self.secret == fingerprint(digest) for digest in record.digests(now))

    def caller(self, record: KeyRecord) -> Caller:
        """The key's caller, with no more than was granted."""
        of_key = record.caller()
        return Caller(of_key.district, of_key.subject, self.scopes, of_key.purpose, of_key.schools)


class AccessTokens:
    """Signs and reads access tokens (JWT, HS256); one that was read is not verified anew while it lasts."""

    def __init__(self, pepper: str) -> None:
        self._secret = hmac.digest(pepper.encode(), b"access tokens of OneRoster clients", "sha256")
        self._read: OrderedDict[str, Access] = OrderedDict()

    def sign(self, record: KeyRecord, digest: bytes, names: tuple[str, ...], now: datetime) -> tuple[str, int]:
        """A token for a key that was shown with the secret of this digest, and the seconds for which it holds."""
        expires = min(now + LONGEST, record.expires_at)
        claims = {
            "iss": _ISSUER,
            "sub": record.id,
            "key": fingerprint(digest),
            "scope": " ".join(names),
            "exp": int(expires.timestamp()),
        }
        return jwt.encode(claims, self._secret, algorithm="HS256"), int((expires - now).total_seconds())

    def read(self, token: str, now: datetime) -> Access:
        """What a token says; Unauthenticated when it is not ours or has expired."""
        access = self._read.get(token)
        if access is None:
            access = self._verified(token)
            self._read[token] = access
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        if now.timestamp() >= access.expires:
            raise Unauthenticated
        return access

    def _verified(self, token: str) -> Access:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                issuer=_ISSUER,
                options={"require": ["exp", "sub"], "verify_exp": False},  # by our own clock, at every reading
            )
            return Access(claims["sub"], claims["key"], inside(claims["scope"].split()), float(claims["exp"]))
        except (jwt.PyJWTError, KeyError, ValueError) as wrong:
            raise Unauthenticated from wrong


def fingerprint(digest: bytes) -> str:
    """Tells a key's secrets apart, and tells nothing of them."""
    return sha256(digest).hexdigest()[:16]
