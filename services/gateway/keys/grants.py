"""Who may give which key: nobody gives what they do not have."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from shared.auth import SCOPES, Caller, Purpose
from shared.errors import Forbidden, Invalid

NAMESPACE = UUID("b3f5c1de-6a0e-5d61-9c0b-2f8c6d1e7a44")
"""Every district's id is uuid5 of its slug in this namespace; never change it."""


def district_id(slug: str) -> UUID:
    return uuid5(NAMESPACE, slug)


@dataclass(frozen=True, slots=True)
class District:
    """A tenant."""

    id: UUID
    slug: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key may do. `schools` None is the whole district; no `networks` is any."""

    name: str
    scopes: frozenset[str]
    purpose: Purpose
    schools: tuple[UUID, ...] | None
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it is kept."""

    id: str
    district: UUID
    grant: Grant
    digest: bytes
    previous_digest: bytes | None
    previous_until: datetime | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at

    def digests(self, now: datetime) -> Sequence[bytes]:
        """The secrets that hold now: two while one replaces the other."""
        if self.previous_digest is not None and self.previous_until is not None and now < self.previous_until:
            return self.digest, self.previous_digest
        return (self.digest,)

    def admits(self, address: str | None) -> bool:
        """Whether the key may be used from this address."""
        if not self.grant.networks:
            return True
        try:
            at = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        return any(at in ipaddress.ip_network(network) for network in self.grant.networks)

    def caller(self) -> Caller:
        grant = self.grant
        return Caller(self.district, f"key:{self.id}", grant.scopes, grant.purpose, grant.schools)


def check_scopes(scopes: frozenset[str]) -> None:
    if unknown := sorted(scopes - SCOPES):
        raise Invalid(f"There is no scope {unknown[0]}; there are {', '.join(sorted(SCOPES))}.")
    if not scopes:
        raise Invalid("A key needs at least one scope.")


def check_networks(networks: Sequence[str]) -> tuple[str, ...]:
    """Networks in their usual notation; Invalid when one is none."""
    found = []
    for network in networks:
        try:
            found.append(str(ipaddress.ip_network(network)))
        except ValueError:
            raise Invalid(f"{network[:50]!r} is not a network such as 192.0.2.0/24 or 2001:db8::/32.") from None
    return tuple(found)


def check_gives(giver: Caller, grant: Grant) -> None:
    """Forbidden when the giver would give more than it has."""
    giver.need("keys:admin")
    if lacking := sorted(grant.scopes - giver.scopes):
        raise Forbidden(f"This key lacks the scope {lacking[0]}, and cannot give it.")
    if giver.purpose not in (grant.purpose, Purpose.ADMINISTRATION):
        raise Forbidden(f"A key for {giver.purpose.value} gives keys for the same purpose only.")
    if giver.schools is not None and (grant.schools is None or not set(grant.schools) <= set(giver.schools)):
        raise Forbidden("A key for named schools gives keys for those schools only.")


def reaches(caller: Caller, record: KeyRecord) -> bool:
    """Whether the caller may see and end this key: its own district's, and not wider than its own schools."""
    if record.district != caller.district:
        return False
    schools = record.grant.schools
    return caller.schools is None or (schools is not None and set(schools) <= set(caller.schools))
