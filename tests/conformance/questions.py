"""Queries and bodies: mostly such as a client of this district would send, and some as the schemas alone allow."""

import random
from dataclasses import dataclass
from typing import Any

from tests.conformance.district import WRITTEN, District, Place, Row

_LIMITS = (1, 2, 5, 10, 50, 100, 500, 10_000)
_SCALARS = ("string", "number", "integer")
_SCORE_STATUSES = ("exempt", "fully graded", "not submitted", "partially graded", "submitted", "ext:late")
_PAST_THE_END = 0.1
_LONG_AGO = "2001-09-01T00:00:00.000Z"


def list_query(fields: dict[str, dict[str, Any]], place: Place, rng: random.Random) -> dict[str, Any]:
    """A query for a list, by its real fields and with values that are in it."""
    query: dict[str, Any] = {}
    if rng.random() < 0.6:
        query["limit"] = rng.choice(_LIMITS)
    sortable = [name for name, schema in fields.items() if schema.get("type") in _SCALARS]
    if sortable and rng.random() < 0.4:
        query["sort"] = rng.choice(sortable)
        if rng.random() < 0.7:
            query["orderBy"] = rng.choice(("asc", "desc"))
    if rng.random() < 0.4:
        query |= object_query(fields, rng)
    if place.rows and rng.random() < 0.5:
        query["filter"] = _filter(fields, rng.choice(place.rows), rng)
    elif rng.random() < 0.4:
        last = max(place.total - 1, 0)
        query["offset"] = place.total + 5 if rng.random() < _PAST_THE_END else rng.choice((0, last // 2, last))
    return query


def object_query(fields: dict[str, dict[str, Any]], rng: random.Random) -> dict[str, Any]:
    """A query for one object: a choice of its fields."""
    return {"fields": rng.sample(list(fields), rng.randint(1, len(fields)))} if fields else {}


def _filter(fields: dict[str, dict[str, Any]], row: Row, rng: random.Random) -> str:
    """One clause or two that this row fulfils, or of which it fulfils one."""
    clauses = _clauses(fields, row)
    first = rng.choice(clauses)
    match rng.choice(("one", "and", "or")):
        case "one":
            return first
        case "and":
            return f"{first} AND {rng.choice(clauses)}"
        case _:
            return f"{first} OR sourcedId='nobody has this'"


def _clauses(fields: dict[str, dict[str, Any]], row: Row) -> list[str]:
    found = ["status='active'", f"dateLastModified>'{_LONG_AGO}'", "sourcedId!='nobody has this'"]
    for name, schema in fields.items():
        value = row.get(name)
        if isinstance(value, dict) and "sourcedId" in value:
            found += [f"{name}.sourcedId='{value['sourcedId']}'"] if _is_plain(value["sourcedId"]) else []
        elif isinstance(value, list) and value and isinstance(value[0], str):
            found += [f"{name}~'{value[0]}'"] if _is_plain(value[0]) else []
        elif isinstance(value, str | int | float) and not isinstance(value, bool) and _is_plain(str(value)):
            found.append(f"{name}='{value}'")
            if schema.get("type") in _SCALARS and "enum" not in schema:
                found += [f"{name}>='{value}'", f"{name}<='{value}'"]
            if isinstance(value, str) and len(value) > 3 and "format" not in schema and "enum" not in schema:
                found.append(f"{name}~'{value[1:-1]}'")
    return found


def _is_plain(value: str) -> bool:
    return bool(value) and "'" not in value and value == value.strip()


def mended(body: Any, district: District, holes: dict[str, str], rng: random.Random) -> Any:
    """A body as a client of this district would send it: its references lead to what is there and belongs together,
    its object is the one the path names, and its texts can be kept."""
    return _mended(body, "", _Sense(district, district.together(holes, rng), holes, rng))


@dataclass(frozen=True, slots=True)
class _Sense:
    district: District
    together: dict[str, str]
    holes: dict[str, str]
    rng: random.Random

    def referred(self, name: str) -> str | None:
        return self.together.get(name) or self.district.referred(name, self.rng)


def _mended(body: Any, name: str, sense: _Sense) -> Any:
    match body:
        case list():
            return [_mended(one, name, sense) for one in body]
        case str() if name == "scoreStatus":
            return sense.rng.choice(_SCORE_STATUSES)
        case str():
            return body.replace("\0", "")
        case dict():
            made = {key.replace("\0", ""): _mended(value, key, sense) for key, value in body.items()}
            if "href" in made:
                there = sense.referred(name)
                made |= {} if there is None else {"sourcedId": there}
            elif "sourcedId" in made:
                made["sourcedId"] = sense.holes.get("sourcedId") or f"{WRITTEN}{sense.rng.randint(1, 10**9)}"
            return made
        case _:
            return body
