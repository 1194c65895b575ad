"""Who is calling, and how that travels inside: a signed token that lives for a minute."""

import time
from dataclasses import dataclass
from enum import StrEnum
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
    """Signs and reads the inside token (JWT, HS256)."""

    def __init__(self, secret: str) -> None:
        if len(secret) < 32:
            raise ValueError("the token secret needs at least 32 characters")
        self._secret = secret

    def sign(self, caller: Caller) -> str:
        now = int(time.time())
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
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                leeway=_CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "iat", "sub"]},
            )
            schools = claims["sch"]
            return Caller(
                district=UUID(claims["dst"]),
                subject=claims["sub"],
                scopes=frozenset(claims["scp"].split()),
                purpose=Purpose(claims["pur"]),
                schools=None if schools is None else tuple(UUID(school) for school in schools),
            )
        except (jwt.PyJWTError, KeyError, ValueError) as wrong:
            raise Unauthenticated("The inside token does not hold.") from wrong
