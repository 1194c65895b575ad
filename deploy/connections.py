"""How many connections to PostgreSQL a platform opens, counted before it opens the first."""

from collections.abc import Sequence

from shared.runtime import Service

RESERVED_FOR_SUPERUSER = 3
STANDING_PER_SERVICE = 2
"""Outside the pool: the relay's, and one for a check at start. Every job has one more, for what wakes it."""


class TooManyConnections(Exception):
    """PostgreSQL allows fewer connections than the services would open."""


def needed(services: Sequence[Service], *, embedded: bool) -> int:
    """The connections these services open at once, but for those of several imports and exports that happen to go on
    at the same time; on the embedded bus a listener reads from every producer."""
    producers = len(services) - 1 if embedded else 0
    return sum(
        service.database.most_connections
        + STANDING_PER_SERVICE
        + max(1, len(service.jobs))
        + (producers if service.listens else 0)
        for service in services
    )


def check(services: Sequence[Service], max_connections: int, *, embedded: bool) -> None:
    """Refuses to start what would fail later, under load."""
    wanted, allowed = needed(services, embedded=embedded), max_connections - RESERVED_FOR_SUPERUSER
    if wanted > allowed:
        sizes = ", ".join(f"{service.name} {service.database.pool_size}" for service in services)
        raise TooManyConnections(
            f"the services would open up to {wanted} connections, PostgreSQL allows {allowed}; "
            f"lower TRELLIS_<SERVICE>_POOL_SIZE (now {sizes})"
        )
