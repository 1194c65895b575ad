"""The grammar of `filter`: `field OP 'value'`, at most two of them joined by AND or OR.

Values stand in quotes, a quote inside is doubled or escaped by a backslash. What clients send in practice is read too:
double quotes, bare words, spaces around the operator, `and` in small letters.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from services.roster.domain.oneroster.refusals import Refused

_CLAUSE = re.compile(
    r"""\s*(?P<path>[^\s=!<>~'"]+)\s*(?P<op>!=|>=|<=|=|>|<|~)\s*
    (?:'(?P<single>(?:[^'\\]|''|\\.)*)'(?!')|"(?P<double>(?:[^"\\]|""|\\.)*)"(?!")|(?P<bare>[^\s'"]+))""",
    re.VERBOSE | re.DOTALL,
)
_JOIN = re.compile(r"\s+(AND|OR)\s+", re.IGNORECASE)
_ESCAPED = re.compile(r"""\\(.)|''|\"\"""", re.DOTALL)
_MOST_CLAUSES = 2


@dataclass(frozen=True, slots=True)
class Clause:
    """A field, how it is compared, and with what."""

    path: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for: every clause, or any of them."""

    clauses: tuple[Clause, ...]
    any: bool = False

    def mentions(self, *paths: str) -> bool:
        """Whether one of these fields is asked about."""
        return any(clause.path in paths for clause in self.clauses)


def unfit(what: str) -> Refused:
    return Refused(400, "invalid_filter_field", what)


def parse(text: str) -> Filter:
    """The filter this says. Raises Refused."""
    clauses, joins, at = [], [], 0
    while True:
        found = _CLAUSE.match(text, at)
        if found is None:
            raise unfit("A filter is a field, one of = != > >= < <= ~ and a value in quotes.")
        clauses.append(Clause(found["path"], found["op"], _value(found)))
        at = found.end()
        if not text[at:].strip():
            break
        join = _JOIN.match(text, at)
        if join is None:
            raise unfit("Two conditions of a filter are joined by AND or OR.")
        joins.append(join[1].upper())
        at = join.end()
        if len(clauses) == _MOST_CLAUSES:
            raise unfit("A filter has at most two conditions.")
    return Filter(tuple(clauses), any=joins == ["OR"])


def _value(found: re.Match[str]) -> str:
    quoted = found["single"] if found["single"] is not None else found["double"]
    if quoted is None:
        return str(found["bare"])
    quote = "'" if found["single"] is not None else '"'
    if "\\" not in quoted and quote * 2 not in quoted:
        return quoted
    return _ESCAPED.sub(lambda escape: escape[1] or (quote if escape[0] == quote * 2 else escape[0]), quoted)


def moment(value: str) -> datetime:
    """A date, or a date and time with or without parts of a second and a zone; without one it is UTC."""
    text = value.strip()
    if re.fullmatch(r".*\d \d\d:?\d\d", text) and "T" in text:
        text = "+".join(text.rsplit(" ", 1))  # a plus that somebody forgot to encode
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise unfit(f"{value[:60]!r} is no date and time of ISO 8601.") from None


def day(value: str) -> date:
    """A date; of a date and time, its date."""
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        return moment(value).date()


def truth(value: str) -> bool:
    if value.strip().lower() not in ("true", "false"):
        raise unfit("A boolean is 'true' or 'false'.")
    return value.strip().lower() == "true"


def number(value: str) -> float:
    try:
        read = float(value)
    except ValueError:
        raise unfit(f"{value[:60]!r} is no number.") from None
    if read != read or read in (float("inf"), float("-inf")):
        raise unfit("A number is finite.")
    return read
