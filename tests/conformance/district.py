"""What a loaded district has to ask for, read through the API itself: places where an operation answers something."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import quote

import httpx

from tests.conformance.official import Described

Row = dict[str, Any]

PLACES = 16
TRIED = 160
ROWS = 400
_HOLE = re.compile(r"\{([A-Za-z]+)\}")
_COLLECTIONS = {
    "class": ("rostering", "classes"), "school": ("rostering", "schools"), "course": ("rostering", "courses"),
    "student": ("rostering", "students"), "teacher": ("rostering", "teachers"), "term": ("rostering", "terms"),
    "user": ("rostering", "users"), "org": ("rostering", "orgs"), "gradingPeriod": ("rostering", "gradingPeriods"),
    "academicSession": ("rostering", "academicSessions"), "category": ("gradebook", "categories"),
    "lineItem": ("gradebook", "lineItems"), "scoreScale": ("gradebook", "scoreScales"),
    "assessmentLineItem": ("gradebook", "assessmentLineItems"),
    "parentAssessmentLineItem": ("gradebook", "assessmentLineItems"),
}  # fmt: skip
"""What a hole in a path, or a reference in an object, is called, and where those are."""
_READ_ONLY = ("assessmentLineItem", "parentAssessmentLineItem")
"""What the district has of these is the platform's own; nobody may add to it."""
WRITTEN = "conformance-"
"""How the sourcedIds begin of what the cases write."""


@dataclass(slots=True)
class Place:
    """Where an operation can be asked: what fills the holes of its path, how many rows there are, and some of them."""

    holes: dict[str, str]
    total: int = 1
    rows: list[Row] = field(default_factory=list)


class District:
    """The district a key reaches."""

    def __init__(self, described: list[Described], key: str, *, seed: int) -> None:
        self._addresses = {one.service: one.address for one in described}
        self._http = httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=60)
        self._rng = random.Random(seed)
        self._known: dict[tuple[str, str], list[Row]] = {}
        self._written: dict[tuple[str, str], list[Row]] = {}

    def close(self) -> None:
        self._http.close()

    def rows(self, service: str, collection: str) -> list[Row]:
        """Some rows of a collection, from its beginning and its middle."""
        at = service, collection
        if at not in self._known:
            first, total = self._page(service, collection, limit=ROWS // 2, offset=0)
            more: list[Row] = []
            if total > ROWS:
                more, _ = self._page(service, collection, limit=ROWS // 2, offset=total // 2)
            self._known[at] = first + more
        return self._known[at]

    def referred(self, name: str, rng: random.Random) -> str | None:
        """Some sourcedId that a reference of this name may have; None when it is none of ours or there is none."""
        if name not in _COLLECTIONS:
            return None
        rows = (self.written(*_COLLECTIONS[name]) if name in _READ_ONLY else []) or self.rows(*_COLLECTIONS[name])
        return str(rng.choice(rows)["sourcedId"]) if rows else None

    def written(self, service: str, collection: str) -> list[Row]:
        """Some rows of a collection that the cases have written, once they have."""
        at = service, collection
        if not self._written.get(at):
            query = {"filter": f"sourcedId~'{WRITTEN}'"}
            self._written[at], _ = self._page(service, collection, limit=3 * PLACES, offset=0, **query)
        return self._written[at]

    def together(self, holes: dict[str, str], rng: random.Random) -> dict[str, str]:
        """What the references of one object may be, so that they belong to one line item, and to what a path names."""
        named = {hole.removesuffix("SourcedId"): value for hole, value in holes.items() if hole != "sourcedId"}
        items = self.rows("gradebook", "lineItems")
        fitting = [one for one in items if all(_reference(one, name) in (None, id_) for name, id_ in named.items())]
        if not fitting:
            schools = {one["sourcedId"]: one["school"]["sourcedId"] for one in self.rows("rostering", "classes")}
            of_class = {"school": schools[named["class"]]} if named.get("class") in schools else {}
            return of_class | named
        item = rng.choice(fitting)
        found = {name: one["sourcedId"] for name, one in item.items() if isinstance(one, dict) and "sourcedId" in one}
        of_item = [one for one in self.rows("gradebook", "results") if _reference(one, "class") == found.get("class")]
        if of_item:
            found["student"] = rng.choice(of_item)["student"]["sourcedId"]
        return found | {"lineItem": item["sourcedId"]} | named

    def places(self, service: str, method: str, path: str) -> list[Place]:
        """Places for an operation; for those that read a list, such where the list is not empty."""
        holes = _HOLE.findall(path)
        if method == "delete":
            ours = [Place({"sourcedId": row["sourcedId"]}) for row in self.written(service, path.split("/")[1])]
            return ours + [Place(one) for one in islice(self._fillings(service, path, holes), PLACES)]
        if method == "post":
            return [Place(one) for one in islice(self._graded(holes), 4 * PLACES)]
        if method == "put" or path.endswith("}"):
            return [Place(one) for one in islice(self._fillings(service, path, holes), 4 * PLACES)]
        found: list[Place] = []
        for filling in islice(self._fillings(service, path, holes), TRIED):
            rows, total = self._page(service, filled(path, filling).lstrip("/"), limit=20, offset=0)
            if total:
                found.append(Place(filling, total, rows))
            if len(found) == PLACES or not holes:
                break
        return found or [Place(one) for one in islice(self._fillings(service, path, holes), 1)]

    def _fillings(self, service: str, path: str, holes: list[str]) -> Iterator[dict[str, str]]:
        """What may fill the holes of a path, the likeliest first."""
        match holes:
            case []:
                yield {}
            case ["sourcedId"]:
                for row in self._shuffled(service, path.split("/")[1]):
                    yield {"sourcedId": row["sourcedId"]}
            case [one]:
                for row in self._shuffled(*_COLLECTIONS[one.removesuffix("SourcedId")]):
                    yield {one: row["sourcedId"]}
            case ["schoolSourcedId", "classSourcedId"]:
                for row in self._shuffled("rostering", "classes"):
                    yield {"schoolSourcedId": row["school"]["sourcedId"], "classSourcedId": row["sourcedId"]}
            case ["classSourcedId", "lineItemSourcedId"]:
                for row in self._shuffled("gradebook", "lineItems"):
                    yield {"classSourcedId": row["class"]["sourcedId"], "lineItemSourcedId": row["sourcedId"]}
            case ["classSourcedId", "studentSourcedId"]:
                classes = {row["sourcedId"]: row["class"]["sourcedId"] for row in self.rows("gradebook", "lineItems")}
                for row in self._shuffled("gradebook", "results"):
                    if (of := classes.get(row["lineItem"]["sourcedId"])) is not None:
                        yield {"classSourcedId": of, "studentSourcedId": row["student"]["sourcedId"]}
            case _:
                raise LookupError(f"nobody has said what fills {path}")

    def _graded(self, holes: list[str]) -> Iterator[dict[str, str]]:
        """The holes of a path to a gradebook, filled with what belongs to one line item."""
        for row in self._shuffled("gradebook", "lineItems"):
            found = {hole: _reference(row, hole.removesuffix("SourcedId")) for hole in holes}
            if None not in found.values():
                yield {hole: str(value) for hole, value in found.items()}

    def _shuffled(self, service: str, collection: str) -> list[Row]:
        rows = list(self.rows(service, collection))
        self._rng.shuffle(rows)
        return rows

    def _page(self, service: str, path: str, *, limit: int, offset: int, **query: str) -> tuple[list[Row], int]:
        asked = {"limit": str(limit), "offset": str(offset), **query}
        answer = self._http.get(f"{self._addresses[service]}/{path}", params=asked)
        if answer.status_code != 200:
            return [], 0
        rows: list[Row] = next(iter(answer.json().values()), [])
        return rows, int(answer.headers.get("x-total-count", len(rows)))


def _reference(row: Row, name: str) -> str | None:
    """The sourcedId behind a reference of a line item, or its own; None when it has none of this name."""
    there: str | None = row["sourcedId"] if name == "lineItem" else row.get(name, {}).get("sourcedId")
    return there


def filled(path: str, holes: dict[str, str]) -> str:
    """The path with its holes filled."""
    return _HOLE.sub(lambda hole: quote(holes[hole[1]], safe=""), path)
