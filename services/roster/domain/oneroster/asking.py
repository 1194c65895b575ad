"""What a request asks of a collection, read from its query string as it came."""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote_plus

from services.roster.domain.oneroster import filters
from services.roster.domain.oneroster.filters import Filter
from services.roster.domain.oneroster.refusals import Refused, invalid

DEFAULT_LIMIT = 100
MOST = 50_000
"""The longest page. Whoever asks for more is told so: a page cut short in silence loses students."""
_FURTHEST = 2**31 - 1
_LONGEST_FILTER = 4_000
_OURS = ("limit", "offset", "revision")


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of a collection: where, in which order, which rows and fields of them; as of which revision."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    sort: str | None = None
    descending: bool = False
    filter: Filter | None = None
    fields: tuple[str, ...] = ()
    revision: int | None = None
    query: tuple[tuple[str, str], ...] = ()

    def elsewhere(self, offset: int, revision: int) -> str:
        """The query string of another page of the same."""
        pairs = [(name, value) for name, value in self.query if name not in _OURS]
        pairs += [("limit", str(self.limit)), ("offset", str(offset)), ("revision", str(revision))]
        return "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in pairs)


_NOTHING = Asked()


def read(query: str) -> Asked:
    """What this query string asks. Raises Refused."""
    if not query:
        return _NOTHING
    pairs = _pairs(query)
    asked = Asked(query=tuple(pairs), fields=_fields(pairs))
    for name, value in pairs:
        match name:
            case "limit":
                asked = replace(asked, limit=_number(name, value, 1, MOST))
            case "offset":
                asked = replace(asked, offset=_number(name, value, 0, _FURTHEST))
            case "revision":
                asked = replace(asked, revision=_number(name, value, 0, 2**63 - 1))
            case "sort":
                asked = replace(asked, sort=value.strip() or None)
            case "orderBy":
                if value.strip().lower() not in ("asc", "desc", ""):
                    raise invalid("orderBy is asc or desc.")
                asked = replace(asked, descending=value.strip().lower() == "desc")
            case "filter" if value.strip():
                if len(value) > _LONGEST_FILTER:
                    raise filters.unfit(f"A filter has at most {_LONGEST_FILTER} characters.")
                if asked.filter is not None:
                    raise filters.unfit("There is one filter in a request.")
                asked = replace(asked, filter=filters.parse(value))
    return asked


def _pairs(query: str) -> list[tuple[str, str]]:
    pieces: list[list[str]] = []
    is_open = False  # within the quotes of a filter that was not encoded, an ampersand is one
    for part in query.split("&"):
        if is_open:
            pieces[-1].append(part)
        elif part:
            pieces.append([part])
        else:
            continue
        if pieces[-1][0].startswith("filter="):
            is_open ^= (part.count("'") + part.count("%27")) % 2 == 1
    pairs = []
    for piece in pieces:
        name, _, value = "&".join(piece).partition("=")
        decoded = unquote_plus(value)
        if "\0" in decoded:
            raise invalid("A request has no NUL in it.")
        pairs.append((unquote_plus(name), decoded))
    return pairs


def _fields(pairs: list[tuple[str, str]]) -> tuple[str, ...]:
    named = [name.strip() for key, value in pairs if key == "fields" for name in value.split(",")]
    return tuple(dict.fromkeys(name for name in named if name))


def _number(name: str, value: str, least: int, most: int) -> int:
    text = value.strip()
    if not re.fullmatch(r"[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise invalid(f"{name} is a whole number from {least} to {most}.")
    return int(text)


def unknown_field(name: str) -> Refused:
    return Refused(400, "invalid_selection_field", f"There is no field {name[:100]!r} here.")
