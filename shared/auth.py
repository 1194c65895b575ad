"""Who is calling, and how that travels inside: a signed token that lives for a minute."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

import jwt

from shared.errors import Forbidden, Unauthenticated

SCOPES = frozenset(
    {
        "roster:read",
        "demographics:read",
        "assessment:read",
        "mastery:read",
        "partnership:read",
        "partnership:write",
        "gradebook:write",
        "imports:write",
        "keys:admin",
    }
)
_SYSTEM_SCOPES = frozenset(scope for scope in SCOPES if scope.endswith(":read"))
_TOKEN_SECONDS = 60
_CLOCK_SKEW_SECONDS = 5
_REMEMBERED = 1_000

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")


class Purpose(StrEnum):
    """What a caller wants the data for."""

    INSTRUCTION = "instruction"
    ADMINISTRATION = "administration"
    RESEARCH = "research"
    INTEGRATION = "integration"
    ACCOUNTABILITY = "accountability"


@dataclass(frozen=True, slots=True)
class Caller:
    """District, subject, scopes and purpose; `schools` None is the whole district."""

    district: UUID
    subject: str
    scopes: frozenset[str]
    purpose: Purpose
    schools: tuple[UUID, ...] | None = None

    @classmethod
    def system(cls, district: UUID, subject: str) -> "Caller":
        """One of our own services, on the district's behalf."""
        return cls(district, subject, _SYSTEM_SCOPES, Purpose.ADMINISTRATION)

    def need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Forbidden(f"This needs the scope {scope}.", scope=scope)

    def need_any(self, *scopes: str) -> None:
        if self.scopes.isdisjoint(scopes):
            raise Forbidden(f"This needs one of the scopes {', '.join(scopes)}.", scope=scopes[0])

    def need_whole_district(self) -> None:
        if self.schools is not None:
            raise Forbidden("This needs a key of the whole district; this one is for named schools.")

    def refuse_accountability(self) -> None:
        """Diagnostic results inform teaching; nobody is ranked, rated or sanctioned by them."""
        if self.purpose is Purpose.ACCOUNTABILITY:
            raise Forbidden("Diagnostic results are not given for the purpose accountability.", purpose=self.purpose)


class Tokens:
    """Signs and reads the inside token (JWT, HS256).

    A token is used again for the same caller while most of its minute is left, and one that was read is not verified
    anew before it expires: both happen at every question one service asks another.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < 32:
            raise ValueError("the token secret needs at least 32 characters")
        self._secret = secret
        self._signed: OrderedDict[Caller, tuple[int, str]] = OrderedDict()
        self._read: OrderedDict[str, tuple[int, Caller]] = OrderedDict()

    def sign(self, caller: Caller) -> str:
        """A token that speaks for this caller, with at least three quarters of its life before it."""
        now = int(time.time())
        known = self._signed.get(caller)
        if known is not None and 0 <= now - known[0] < _TOKEN_SECONDS // 4:
            return known[1]
        token = self._sign(caller, now)
        _keep(self._signed, caller, (now, token))
        return token

    def _sign(self, caller: Caller, now: int) -> str:
        claims = {
            "sub": caller.subject,
            "dst": caller.district.hex,
            "scp": " ".join(sorted(caller.scopes)),
            "pur": caller.purpose.value,
            "sch": None if caller.schools is None else [school.hex for school in caller.schools],
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def read(self, token: str) -> Caller:
        """The caller a token speaks for; Unauthenticated when it is not ours or has expired."""
        known = self._read.get(token)
        if known is not None and time.time() < known[0] + _CLOCK_SKEW_SECONDS:
            return known[1]
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                leeway=_CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "iat", "sub"]},
            )
            schools = claims["sch"]
            caller = Caller(
                district=UUID(claims["dst"]),
                subject=claims["sub"],
                scopes=frozenset(claims["scp"].split()),
                purpose=Purpose(claims["pur"]),
                schools=None if schools is None else tuple(UUID(school) for school in schools),
            )
        except (jwt.PyJWTError, KeyError, ValueError) as wrong:
            raise Unauthenticated("The inside token does not hold.") from wrong
        _keep(self._read, token, (int(claims["exp"]), caller))
        return caller


def _keep(kept: OrderedDict[_Key, _Kept], key: _Key, what: _Kept) -> None:
    kept[key] = what
    kept.move_to_end(key)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
