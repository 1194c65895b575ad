"""Single values of a JSON body: what is meant, or why it cannot be.

What can be meant in one way only is taken: a number in quotes, a true without them, a date where a moment belongs and
the other way round. NULL and an empty number or date are as if nothing had been said.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import orjson

from services.roster.domain.values import NUMBERS_END

LONGEST_ID = 255  # characters; the standard's own limit for a GUID
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})([Tt ].*)?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}(:?\d{2})?)?)?", re.ASCII)
SCORE_STATUSES = ("exempt", "fully graded", "not submitted", "partially graded", "submitted")
_OWN_WORD = re.compile(r"ext:[a-zA-Z0-9.\-_]+", re.ASCII)
_SOURCE = re.compile(r"case|unknown|/(?!case$)(?!unknown$)[a-z0-9]+", re.ASCII)

Reader = Callable[[Any], Any]


class Wrong(ValueError):
    """The rule a value breaks."""


def text(value: Any) -> str:
    """A text, empty ones too; the database cannot keep the character NUL."""
    if not isinstance(value, str):
        raise Wrong("must be a string")
    if "\0" in value:
        raise Wrong("must not contain the character NUL")
    return value


def identifier(value: Any) -> str:
    """A sourcedId; with control characters no file could carry it, and without the space around it files are read."""
    if not text(value):
        raise Wrong("must not be empty")
    if len(value) > LONGEST_ID:
        raise Wrong(f"must not be longer than {LONGEST_ID} characters")
    if _CONTROL.search(value):
        raise Wrong("must not contain control characters")
    if value != value.strip():
        raise Wrong("must not have space around it")
    return str(value)


def number(value: Any) -> float | None:
    """A number, also one that is written in quotes; empty quotes are none."""
    if isinstance(value, str):
        if not value.strip():
            return None
        if not _NUMBER.fullmatch(value.strip()):
            raise Wrong("must be a number")
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong("must be a number")
    try:
        found = float(value)
    except OverflowError:
        found = float("inf")
    if not abs(found) < NUMBERS_END:
        raise Wrong(f"is too large a number; they are below {NUMBERS_END:,.0f}")
    return found


def day(value: Any) -> date | None:
    """A date (YYYY-MM-DD); of a date-time the date that is written there."""
    if value == "":
        return None
    written = _DATE.fullmatch(value) if isinstance(value, str) else None
    if written is None:
        raise Wrong("must be a date, YYYY-MM-DD")
    if written[2]:
        moment(value)
    try:
        return date.fromisoformat(written[1])
    except ValueError:
        raise Wrong("is not a day of the calendar") from None


def moment(value: Any) -> datetime | None:
    """A date-time (RFC 3339); one without a zone is UTC, a date alone its first moment."""
    if value == "":
        return None
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise Wrong("must be a date-time, e.g. 2026-09-01T08:00:00Z")
    try:
        found = datetime.fromisoformat(value.upper().replace(",", "."))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Wrong("is not a moment of the calendar") from None


def truth(value: Any) -> bool | None:
    """The strings 'true' and 'false' of the standard, and JSON's own."""
    if isinstance(value, bool):
        return value
    found = {"true": True, "false": False, "": None}
    if not isinstance(value, str) or value.lower() not in found:
        raise Wrong("must be 'true' or 'false'")
    return found[value.lower()]


def status(value: Any) -> str:
    """Whether it is there, or to be deleted."""
    if value not in ("active", "tobedeleted"):
        raise Wrong("must be one of active, tobedeleted")
    return str(value)


def score_status(value: Any) -> str:
    """One of the standard's five words, or one of one's own that begins with ext:."""
    if value not in SCORE_STATUSES and not (isinstance(value, str) and _OWN_WORD.fullmatch(value)):
        raise Wrong(f"must be one of {', '.join(SCORE_STATUSES)}, or ext: and a name")
    return str(value)


def source(value: Any) -> str:
    """Who names a learning objective: case, unknown, or /name of a vendor."""
    if not isinstance(value, str) or not _SOURCE.fullmatch(value):
        raise Wrong("must be case, unknown, or / and a name in lower case")
    return value


def extension(value: Any) -> dict[str, Any]:
    """An object whose texts the database can keep; nothing in it is ours to understand."""
    if not isinstance(value, dict):
        raise Wrong("must be an object")
    plain(value)
    _writable(value)
    return value


def plain(value: Any) -> str:
    """A value as JSON, the same for the same content; it can be read much deeper than it can be written."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        raise Wrong("is nested too deeply") from None


def _writable(value: Any) -> None:
    if isinstance(value, str):
        text(value)
    elif isinstance(value, dict):
        for name, one in value.items():
            text(name)
            _writable(one)
    elif isinstance(value, list):
        for one in value:
            _writable(one)
