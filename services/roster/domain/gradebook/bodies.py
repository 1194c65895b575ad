"""Bodies of PUT and POST: JSON in, records out, or every rule that is broken with its place.

A body may leave out status and dateLastModified; whatever else it holds beside the fields of its kind is ignored, for
extensions belong in `metadata`. A reference needs its sourcedId alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid5

import orjson

from services.roster.domain.gradebook import values
from services.roster.domain.gradebook.kinds import Objectives, Reference, Shape, Target
from services.roster.domain.gradebook.values import Reader, Wrong

_SHOWN = 10
_MISSING = "is missing"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where in the body, e.g. `lineItems[3].dueDate`."""

    place: str
    rule: str

    def __str__(self) -> str:
        return f"{self.place} {self.rule}"


class Malformed(ValueError):
    """The body is not JSON."""


class Refused(ValueError):
    """The body breaks rules."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        super().__init__("; ".join(map(str, problems[:_SHOWN])) + more)


@dataclass(frozen=True, slots=True)
class Objective:
    """A learning objective, and what was reached in it."""

    source: str
    name: str
    score: float | None = None
    text_score: str | None = None


@dataclass(frozen=True, slots=True)
class Pointer:
    """A reference as it was written: where, and which record it names."""

    place: str
    reference: Reference
    sourced_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as a body says it. `columns` are its values; what it points at is not looked up yet.

    `objectives` is None where this version of the standard has no word for them.
    """

    place: str
    sourced_id: str
    status: str
    modified_at: datetime | None
    metadata: dict[str, Any]
    columns: Mapping[str, Any]
    pointers: tuple[Pointer, ...]
    objectives: tuple[Objective, ...] | None


@dataclass(slots=True)
class _Reading:
    problems: list[Problem] = field(default_factory=list)

    def value(self, place: str, read: Reader, value: Any) -> Any:
        try:
            return read(value)
        except Wrong as wrong:
            self.problems.append(Problem(place, str(wrong)))
            return None

    def fail(self, place: str, rule: str) -> None:
        self.problems.append(Problem(place, rule))


def one(body: bytes, shape: Shape, sourced_id: str) -> Record:
    """The record of a PUT at this sourcedId. Raises Malformed or Refused."""
    reading = _Reading()
    reading.value("the sourcedId of the path", values.identifier, sourced_id)
    said = _member(body, shape.kind.value, dict)
    record = _record(reading, said, shape, shape.kind.value, sourced_id)
    own = said.get("sourcedId")
    if own is not None and own != sourced_id:
        reading.fail(f"{shape.kind.value}.sourcedId", f"must be the path's, {sourced_id}, or left out")
    if reading.problems:
        raise Refused(reading.problems)
    return record


def many(
    body: bytes, shape: Shape, district: UUID, within: str, implied: Mapping[str, str]
) -> tuple[list[Record], list[tuple[str, str]]]:
    """The records of a POST `within` a path, with sourcedIds of ours; and each pair of supplied and allocated.

    `implied`: references (by field) that the path says already; a record may leave them out, and not contradict them.

    The allocated sourcedId follows from what was sent: the same request again, because its answer was lost, writes the
    same records again, while a supplied sourcedId that is used anew for another record takes nothing away.
    """
    reading = _Reading()
    said = _member(body, shape.plural, list)
    records, pairs, seen = [], [], dict[str, int]()
    for number, each in enumerate(said):
        place = f"{shape.plural}[{number}]"
        if not isinstance(each, dict):
            reading.fail(place, "must be an object")
            continue
        supplied = each.get("sourcedId")
        if supplied is None:
            supplied, salt = "", f"#{number}"
        else:
            supplied, salt = reading.value(f"{place}.sourcedId", values.identifier, supplied) or "", ""
            if supplied and seen.setdefault(supplied, number) != number:
                reading.fail(f"{place}.sourcedId", f"is that of {shape.plural}[{seen[supplied]}]")
        content = reading.value(place, values.plain, each)
        allocated = str(uuid5(district, f"post:{within}:{salt}:{content}"))
        records.append(_record(reading, each, shape, place, allocated, implied))
        pairs.append((supplied, allocated))
    if reading.problems:
        raise Refused(reading.problems)
    return records, pairs


def _member(body: bytes, name: str, kind: type) -> Any:
    """What the body holds under its one name."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Malformed(f"The body is not JSON: line {wrong.lineno}, column {wrong.colno}: {wrong.msg}.") from wrong
    form = f'the body is {{"{name}": {"{…}" if kind is dict else "[…]"}}}'
    if not isinstance(said, dict) or said.get(name) is None:
        raise Refused([Problem(name, f"{_MISSING}; {form}")])
    if not isinstance(said[name], kind):
        raise Refused([Problem(name, f"must be {'an object' if kind is dict else 'an array'}; {form}")])
    return said[name]


def _record(
    reading: _Reading,
    said: Mapping[str, Any],
    shape: Shape,
    place: str,
    sourced_id: str,
    implied: Mapping[str, str] = MappingProxyType({}),
) -> Record:
    columns = dict(_columns(reading, said, shape, place))
    status, modified, metadata = said.get("status"), said.get("dateLastModified"), said.get("metadata")
    return Record(
        place=place,
        sourced_id=sourced_id,
        status="active" if status is None else reading.value(f"{place}.status", values.status, status),
        modified_at=None if modified is None else reading.value(f"{place}.dateLastModified", values.moment, modified),
        metadata={} if metadata is None else reading.value(f"{place}.metadata", values.extension, metadata),
        columns=columns,
        pointers=tuple(_pointers(reading, said, shape, place, implied)),
        objectives=None if shape.objectives is None else tuple(_objectives(reading, said, shape.objectives, place)),
    )


def _columns(reading: _Reading, said: Mapping[str, Any], shape: Shape, place: str) -> Iterator[tuple[str, Any]]:
    for known in shape.values:
        value = said.get(known.name)
        if value is not None:
            before = len(reading.problems)
            value = reading.value(f"{place}.{known.name}", known.read, value)
            if len(reading.problems) > before:
                continue
        if value is None and known.required:
            reading.fail(f"{place}.{known.name}", _MISSING)
        yield known.column, value
    if shape.scale_values:
        yield "scale_values", _scale_values(reading, said.get("scoreScaleValue"), f"{place}.scoreScaleValue")


def _scale_values(reading: _Reading, said: Any, place: str) -> list[dict[str, str]]:
    if not isinstance(said, list) or not said:
        reading.fail(place, "must be an array of at least one {itemValueLHS, itemValueRHS}")
        return []
    found = []
    for number, each in enumerate(said):
        if not isinstance(each, dict):
            reading.fail(f"{place}[{number}]", "must be an object")
            continue
        found.append(
            {
                name: reading.value(f"{place}[{number}].{name}", values.text, each.get(name))
                for name in ("itemValueLHS", "itemValueRHS")
            }
        )
    return found


def _pointers(
    reading: _Reading, said: Mapping[str, Any], shape: Shape, place: str, implied: Mapping[str, str]
) -> Iterator[Pointer]:
    for reference in shape.references:
        here, by_path = f"{place}.{reference.name}", implied.get(reference.name)
        value = said.get(reference.name)
        if value is None:
            if by_path is not None:
                yield Pointer(here, reference, by_path)
                continue
            if reference.required:
                reading.fail(here, _MISSING)
            continue
        if not isinstance(value, dict) or value.get("sourcedId") is None:
            reading.fail(here, 'must be {"sourcedId": "…"}')
            continue
        named = reading.value(f"{here}.sourcedId", values.identifier, value["sourcedId"])
        if by_path is not None and named != by_path:
            reading.fail(f"{here}.sourcedId", f"must be the path's, {by_path}, or left out")
        elif named is not None:
            yield Pointer(f"{here}.sourcedId", reference, named)


def _objectives(
    reading: _Reading, said: Mapping[str, Any], form: Objectives, place: str
) -> Iterator[Objective]:  # each once: the last word on it counts
    sets, place = said.get("learningObjectiveSet"), f"{place}.learningObjectiveSet"
    if sets is None:
        return
    if not isinstance(sets, list):
        reading.fail(place, "must be an array")
        return
    found: dict[tuple[str, str], Objective] = {}
    for number, each in enumerate(sets):
        here = f"{place}[{number}]"
        if not isinstance(each, dict) or not isinstance(each.get(form.value), list):
            reading.fail(here, f"must be an object with source and the array {form.value}")
            continue
        source = reading.value(f"{here}.source", values.source, each.get("source"))
        for at, entry in enumerate(each[form.value]):
            one = _objective(reading, source, entry, form, f"{here}.{form.value}[{at}]")
            found[one.source, one.name] = one
    yield from found.values()


def _objective(reading: _Reading, source: str, entry: Any, form: Objectives, place: str) -> Objective:
    if form is Objectives.NAMED:
        return Objective(source, reading.value(place, values.text, entry))
    if not isinstance(entry, dict):
        reading.fail(place, "must be an object with learningObjectiveId")
        return Objective(source, "")
    score, text = entry.get("score"), entry.get("textScore")
    return Objective(
        source,
        reading.value(f"{place}.learningObjectiveId", values.text, entry.get("learningObjectiveId")),
        None if score is None else reading.value(f"{place}.score", values.number, score),
        None if text is None else reading.value(f"{place}.textScore", values.text, text),
    )


def named(records: Sequence[Record]) -> dict[Target, set[str]]:
    """Which records these point at, by kind."""
    wanted: dict[Target, set[str]] = {}
    for record in records:
        for pointer in record.pointers:
            wanted.setdefault(pointer.reference.target, set()).add(pointer.sourced_id)
    return wanted
