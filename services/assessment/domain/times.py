"""Times as files write them."""

import re
from datetime import UTC, datetime, timedelta

_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{8}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EARLIEST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LATEST = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _MICROSECOND


def microseconds(text: str) -> int | None:
    """A time of RFC 3339, with offset and at most microseconds, in microseconds since 1970 UTC; None if it is none."""
    if not _RFC_3339.match(text):
        return None
    try:
        at = (datetime.fromisoformat(text.upper()) - _EPOCH) // _MICROSECOND
    except ValueError:
        return None
    # In UTC a time near the ends of the calendar can lie outside it: `instant` must be able to say it.
    return at if EARLIEST <= at <= LATEST else None


def instant(microseconds_: int) -> datetime:
    """The same time, as PostgreSQL and JSON speak of it."""
    return _EPOCH + timedelta(microseconds=microseconds_)


def microseconds_of(at: datetime) -> int:
    """And back."""
    return (at - _EPOCH) // _MICROSECOND
