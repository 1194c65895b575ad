"""What a cell means, and the repairs that need no guessing.

Each function takes the text of one cell and says what it means in the standard's own spelling. A repair is told, never
silent; what could mean two things is a problem.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from services.roster.domain.columns import STATUSES, Column, Kind

DateOrder = Literal["day-first", "month-first"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_COMPACT = re.compile(r"\d{8}", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})", re.ASCII)
_TURNED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})", re.ASCII)
# PostgreSQL knows no offset of 16 hours, nor any digits but ours.
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-](0\d|1[0-5]):?\d{2})?", re.ASCII)
_EXTENSION = re.compile(r"ext:[a-zA-Z0-9.\-_]+")
_SCHOOL_YEAR = re.compile(r"\d{4}", re.ASCII)
# As many decimals as PostgreSQL itself may write of a number that it keeps.
_NUMBER = re.compile(r"[-+]?(\d{1,15}(\.\d{0,25})?|\.\d{1,25})", re.ASCII)
_WITH_EXPONENT = re.compile(r"[-+]?\d{1,15}(\.\d{0,17})?[eE][-+]?\d{1,3}", re.ASCII)
_COMMA_NUMBER = re.compile(r"[-+]?\d{1,15},\d{1,2}", re.ASCII)
_PAIR = re.compile(r"\{([^{}:]+):([^{}]*)\}")
_PAIRS = re.compile(r"\{[^{}]*\}|[^,{}]+|[{}]")
_TWO_YEARS = re.compile(r"(\d{4})\s*[-/]\s*(\d{2}|\d{4})", re.ASCII)

NUMBERS_END = 1e15
"""Numbers are smaller than this, and greater than its opposite: up to here a computer tells whole ones apart."""
GUARDED = re.compile(r"^'('*[=+@-])")
"""Text that a spreadsheet would compute, but for its apostrophe; our own exports write it so."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What is not as it should be: a rule, what to do (or what was done), and whether it could be mended."""

    rule: str
    remedy: str
    repaired: bool = True


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a cell means; None is an empty cell. `turned`: a date whose order only the whole column can tell."""

    value: str | None
    slips: tuple[Slip, ...] = ()
    turned: bool = False

    @property
    def refused(self) -> bool:
        return any(not slip.repaired for slip in self.slips)


_NOTHING = Meaning(None)
_REQUIRED = Meaning(None, (Slip("required", "Fill this cell: the standard requires it.", repaired=False),))
_DONE_WITHOUT = Meaning(None, (Slip("required", "Read without it; files are to fill this cell."),))
_IN_BULK = Slip("empty-in-bulk", "Read all the same; leave it empty in a bulk file.")
_TRIMMED = Slip("surrounding-space", "Read without the space around it.")


def unguarded(text: str) -> str:
    """Text without the apostrophe that told a spreadsheet not to compute it, as spreadsheets read it."""
    return GUARDED.sub(r"\1", text) if text.startswith("'") else text


def meaning(column: Column, text: str) -> Meaning:
    """What this cell of this column means."""
    bare = text.strip()
    if not bare:
        return _NOTHING if not column.required else _DONE_WITHOUT if column.dispensable else _REQUIRED
    match column.kind:
        case Kind.TEXT:
            found = Meaning(unguarded(bare))
        case Kind.KEY:
            found = Meaning(bare, (_TRIMMED,) if bare != text else ())
        case Kind.KEYS | Kind.LIST:
            found = _list(unguarded(bare) if column.kind is Kind.LIST else bare, required=column.required)
        case Kind.IDS:
            found = _ids(bare)
        case Kind.SCALE:
            found = _scale(bare)
        case Kind.DATE:
            found = _date(bare)
        case Kind.MOMENT:
            found = _moment(bare, required=column.required)
        case Kind.BOOLEAN:
            found = _boolean(bare)
        case Kind.CODE:
            found = _code(column, bare)
        case Kind.CODES:
            found = _codes(column, bare)
        case Kind.YEAR:
            found = _school_year(bare)
        case Kind.NUMBER:
            found = _number(bare)
    if column.empty_in_bulk:
        return Meaning(found.value, (_IN_BULK, *found.slips), found.turned)
    return found


def _list(text: str, *, required: bool) -> Meaning:
    parts = [part.strip() for part in text.split(",")]
    kept = ",".join(part for part in parts if part)
    if not kept and required:
        return _REQUIRED
    if not all(parts):
        return Meaning(kept or None, (Slip("empty-list-member", "Read without the empty member."),))
    return Meaning(kept)


def _ids(text: str) -> Meaning:
    """`{type:identifier}`s; what is not of that form says nothing of whose identifier it is."""
    parts = [part.strip() for part in _PAIRS.findall(text) if part.strip()]
    kept = ",".join(part for part in parts if _PAIR.fullmatch(part))
    if kept.count("{") == len(parts):
        return Meaning(kept)
    return Meaning(kept or None, (Slip("user-ids", "Left out what is not written as {type:identifier}."),))


def _scale(text: str) -> Meaning:
    """`{from:to}`s, as the JSON they are kept as."""
    parts = [part.strip() for part in _PAIRS.findall(text) if part.strip()]
    pairs = [found.groups() for part in parts if (found := _PAIR.fullmatch(part))]
    if not pairs or len(pairs) < len(parts):
        return Meaning(None, (Slip("score-scale", "Write each value as {from:to}, with commas between.", False),))
    return Meaning(
        json.dumps([{"itemValueLHS": one.strip(), "itemValueRHS": other.strip()} for one, other in pairs])
    )  # fmt: skip


def _number(text: str) -> Meaning:
    if _NUMBER.fullmatch(text):
        return Meaning(text)
    if _WITH_EXPONENT.fullmatch(text) and abs(found := float(text)) < NUMBERS_END:
        return Meaning(repr(found), (Slip("number", f"Read as {found:g}; write it without an exponent."),))
    if _COMMA_NUMBER.fullmatch(text):
        read = text.replace(",", ".")
        return Meaning(read, (Slip("number", f"Read as {read}."),))
    remedy = f"Write a number below {NUMBERS_END:,.0f}, with a point before its decimals."
    return Meaning(None, (Slip("number", remedy, repaired=False),))


def _codes(column: Column, text: str) -> Meaning:
    """A list of words, each of them known."""
    listed = _list(text, required=column.required)
    kept, slips = [], list(listed.slips)
    for part in (listed.value or "").split(","):
        found = _code(column, part) if part else _NOTHING
        slips += found.slips
        if found.value is not None:
            kept.append(found.value)
    return Meaning(",".join(kept) or None, tuple(slips))


def _boolean(text: str) -> Meaning:
    if text in ("true", "false"):
        return Meaning(text)
    if text.lower() in ("true", "false"):
        return Meaning(text.lower(), (Slip("letter-case", f"Read as {text.lower()}."),))
    return Meaning(None, (Slip("boolean", "Write true or false.", repaired=False),))


def _code(column: Column, text: str) -> Meaning:
    if text in column.codes or (column.extensible and _EXTENSION.fullmatch(text)):
        return Meaning(text)
    alike = [code for code in column.codes if code.lower() == text.lower()]
    if alike:
        return Meaning(alike[0], (Slip("letter-case", f"Read as {alike[0]}."),))
    if column.codes is STATUSES and text.lower() == "inactive":
        # The standard itself: inactive was removed in 1.1 and is to be read so.
        return Meaning("tobedeleted", (Slip("status-inactive", "Read as tobedeleted."),))
    allowed = ", ".join(sorted(column.codes)) + (" or ext:…" if column.extensible else "")
    return Meaning(None, (Slip("code", f"Write one of: {allowed}.", repaired=False),))


def _school_year(text: str) -> Meaning:
    if _SCHOOL_YEAR.fullmatch(text):
        return Meaning(text)
    if years := _TWO_YEARS.fullmatch(text):
        first, second = years.groups()
        ends = int(second) if len(second) == 4 else int(first[:2] + second)
        if ends == int(first) + 1:
            return Meaning(str(ends), (Slip("school-year", f"Read as {ends}, the year in which it ends."),))
    return Meaning(None, (Slip("school-year", "Write the year in which the school year ends: YYYY.", repaired=False),))


def _day(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


_NO_DATE = Meaning(None, (Slip("date", "Write a date that exists as YYYY-MM-DD.", repaired=False),))
_NO_MOMENT = Meaning(None, (Slip("date-time", "Left out; write YYYY-MM-DDThh:mm:ss.sssZ."),))
_NEEDS_MOMENT = Meaning(None, (Slip("date-time", "Write YYYY-MM-DDThh:mm:ss.sssZ.", repaired=False),))


def _date(text: str) -> Meaning:
    if _DATE.fullmatch(text):
        return Meaning(text) if _day(*text.split("-")) else _NO_DATE
    if _TURNED.fullmatch(text):
        return Meaning(text, turned=True)
    if _MOMENT.fullmatch(text):
        day = text[:10]
        if _day(*day.split("-")):
            return Meaning(day, (Slip("date-with-time", f"Read as {day}."),))
    if found := _YEAR_FIRST.fullmatch(text):
        other = _day(*found.groups())
    elif _COMPACT.fullmatch(text):
        other = _day(text[:4], text[4:6], text[6:])
    else:
        other = None
    return Meaning(other, (Slip("date-format", f"Read as {other}."),)) if other else _NO_DATE


def _moment(text: str, *, required: bool) -> Meaning:
    """When the source last changed the row. A bulk file should not say, a delta must; else what cannot be read is left
    out."""
    nothing = _NEEDS_MOMENT if required else _NO_MOMENT
    if _MOMENT.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return nothing
        if moment.tzinfo is None:
            return Meaning(f"{text}Z", (Slip("date-time-zone", "Read as UTC."),))
        return Meaning(text)
    if _TURNED.fullmatch(text):
        return Meaning(text, turned=True)
    if _DATE.fullmatch(text) and _day(*text.split("-")):
        return Meaning(f"{text}T00:00:00Z", (Slip("date-time", "Read as the beginning of that day, UTC."),))
    return nothing


def date_order(dates: Iterable[str]) -> DateOrder | None:
    """Which order the dates of a column are written in, when some can only be read one way and none only the other."""
    day_first = month_first = False
    for text in dates:
        found = _TURNED.fullmatch(text)
        if found is None:
            continue
        first, second, year = found.groups()
        as_day, as_month = _day(year, second, first), _day(year, first, second)
        day_first |= as_day is not None and as_month is None
        month_first |= as_month is not None and as_day is None
    if day_first == month_first:
        return None
    return "day-first" if day_first else "month-first"


def turn(text: str, order: DateOrder | None) -> str | None:
    """A date such as 15/06/2023 as YYYY-MM-DD. Without an order only what both orders read alike."""
    found = _TURNED.fullmatch(text)
    if found is None:
        return None
    first, second, year = found.groups()
    as_day, as_month = _day(year, second, first), _day(year, first, second)
    if order is None:
        return as_day if as_day == as_month else None
    return as_day if order == "day-first" else as_month
