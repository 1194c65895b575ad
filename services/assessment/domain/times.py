"""Times as files write them."""

import re
from datetime import UTC, datetime, timedelta

_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{8}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(text: str) -> int | None:
    """A time of RFC 3339, with offset and at most microseconds, in microseconds since 1970 UTC; None if it is none."""
    if not _RFC_3339.match(text):
        return None
    try:
        # In UTC, where a time near the ends of the calendar can lie outside it: `instant` must be able to say it.
        return (datetime.fromisoformat(text.upper()).astimezone(UTC) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


def instant(microseconds_: int) -> datetime:
    """The same time, as PostgreSQL and JSON speak of it."""
    return _EPOCH + timedelta(microseconds=microseconds_)


def microseconds_of(at: datetime) -> int:
    """And back."""
    return (at - _EPOCH) // _MICROSECOND
