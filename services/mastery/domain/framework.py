"""Competency frameworks as CASE 1.0 and 1.1 packages (1EdTech): what a package must be, and what is read from it.

Lenient in what it accepts: links to items of other frameworks stay links, and what a package says twice in the same
words counts once. What would leave the hierarchy or the prerequisites in doubt is refused, each problem at its place.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from services.mastery.domain import places

Json = dict[str, Any]  # a JSON object is kept whole, whatever is in it

CHILD_OF = "isChildOf"
PRECEDES = "precedes"
_TYPES = frozenset(
    {
        CHILD_OF, PRECEDES, "isPeerOf", "isPartOf", "exactMatchOf", "isRelatedTo", "replacedBy", "exemplar",
        "hasSkillLevel", "isTranslationOf",
    }
)  # fmt: skip
_OWN_TYPE = re.compile(r"ext:[a-zA-Z0-9.\-_]+")
_IDENTIFIER = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TOP = frozenset({"CFDocument", "CFItems", "CFAssociations", "CFDefinitions"})
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found in the file: where (JSON pointer and line), what stood there, the rule, what to do."""

    pointer: str
    value: str | None
    rule: str
    remedy: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The CFDocument. `definitions` is the package's CFDefinitions, `rest` all else it holds (rubrics, extensions)."""

    identifier: str
    title: str
    source: Json
    definitions: Any  # an object, or with some vendors an empty list
    rest: Json


@dataclass(frozen=True, slots=True)
class Item:
    """A CFItem: `code` its humanCodingScheme, `parent` the item it is a child of, by the hierarchy's associations."""

    identifier: str
    statement: str
    code: str | None
    parent: str | None
    source: Json


@dataclass(frozen=True, slots=True)
class Association:
    """A CFAssociation between two nodes, by their identifiers; `precedes` says the origin comes before."""

    identifier: str
    type: str
    origin: str
    destination: str
    sequence: int | None
    source: Json


@dataclass(frozen=True, slots=True)
class Package:
    """A framework, as far as it is good."""

    document: Document
    items: tuple[Item, ...]
    associations: tuple[Association, ...]


@dataclass(slots=True)
class Reading:
    """The good part of a file (None when there is no framework in it), what was refused, and what was mended.

    `pointers` says where each of the package's items stands, `refused` how many records were.
    """

    package: Package | None = None
    pointers: tuple[str, ...] = ()
    problems: list[Finding] = field(default_factory=list)
    repairs: list[Finding] = field(default_factory=list)
    refused: int = 0

    def refuse(self, pointer: str, value: object, rule: str, remedy: str) -> None:
        self.problems.append(Finding(pointer, _shown(value), rule, remedy))

    def mend(self, pointer: str, value: object, rule: str, remedy: str) -> None:
        self.repairs.append(Finding(pointer, _shown(value), rule, remedy))


def same_identifier(identifier: str) -> str:
    """CASE identifiers are UUIDs: capitals make no difference."""
    return identifier.lower()


def read(raw: bytes) -> Reading:
    """A whole file, validated. Each refused record is counted once, however many rules it breaks."""
    reading = Reading()
    text = _text(raw, reading)
    if text is None:
        return reading
    try:
        package = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        remedy = f"The file is not JSON, or was cut off ({wrong.msg}). Export it again and upload all of it."
        reading.problems.append(Finding(f"column {wrong.colno}", None, "json", remedy, wrong.lineno))
        return reading
    _package(package, reading)
    if reading.problems or reading.repairs:
        try:
            lines = places.lines(text)
        except RecursionError:  # nested deeper than Python reads; that is among the problems
            lines = {}
        reading.problems = [_placed(found, lines) for found in reading.problems]
        reading.repairs = [_placed(found, lines) for found in reading.repairs]
    return reading


def _text(raw: bytes, reading: Reading) -> str | None:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        column = wrong.start - raw.rfind(b"\n", 0, wrong.start)
        remedy = "The file is not UTF-8 here. Save it as UTF-8."
        reading.problems.append(
            Finding(f"column {column}", repr(raw[wrong.start : wrong.end]), "not-utf8", remedy, line)
        )
        return None


def _package(package: object, reading: Reading) -> None:
    if not isinstance(package, dict) or not isinstance(package.get("CFDocument"), dict):
        remedy = "Send a CASE CFPackage: a JSON object with CFDocument, CFItems and CFAssociations."
        reading.refuse("", type(package).__name__, "not-a-package", remedy)
        return
    records = {}
    for name in ("CFItems", "CFAssociations"):
        records[name] = package.get(name) or []
        if not isinstance(records[name], list):
            reading.refuse(f"/{name}", records[name], "type", f"{name} must be an array.")
            return
    document = package["CFDocument"]
    rest = {name: value for name, value in package.items() if name not in _TOP}
    definitions = package.get("CFDefinitions")
    keepable = _keepable(definitions, "/CFDefinitions", reading) and _keepable(rest, "", reading)
    if not (_sound(document, "/CFDocument", ("creator", "title"), reading) and keepable):
        return
    items = _distinct("CFItems", ("fullStatement",), records["CFItems"], reading)
    nodes = {key: item["identifier"] for key, (_, item) in items.items()}
    root = same_identifier(document["identifier"])
    if root in items:
        reading.refuse("/CFDocument/identifier", root, "duplicate-identifier", "An item has the document's identifier.")
        return
    listed = _distinct("CFAssociations", ("associationType",), records["CFAssociations"], reading)
    good = list(_associations(listed.values(), root, nodes, reading))
    for kind, rule in ((CHILD_OF, "hierarchy-cycle"), (PRECEDES, "precedes-cycle")):
        good = _without_cycles(good, kind, rule, reading)
    associations = tuple(association for _, association in good)
    reading.pointers = tuple(pointer for pointer, _ in items.values())
    parents = _parents(associations, root)
    reading.package = Package(
        Document(document["identifier"], document["title"], document, definitions, rest),
        tuple(
            Item(
                identifier=source["identifier"],
                statement=source["fullStatement"],
                code=source.get("humanCodingScheme") or None,
                parent=nodes.get(parents.get(key, "")),
                source=source,
            )
            for key, (_, source) in items.items()
        ),
        associations,
    )


def _distinct(
    kind: str, required: tuple[str, ...], records: list[Any], reading: Reading
) -> dict[str, tuple[str, Json]]:
    """Sound records by identifier, with their pointers. Twice in the same words is mended, in other words refused."""
    kept: dict[str, tuple[str, Json]] = {}
    for position, record in enumerate(records):
        pointer = f"/{kind}/{position}"
        if not _sound(record, pointer, required, reading):
            reading.refused += 1
            continue
        first = kept.setdefault(same_identifier(record["identifier"]), (pointer, record))
        if first[0] == pointer:
            continue
        if first[1] == record:
            remedy = f"The same as {first[0]}, word for word; it counts once."
            reading.mend(f"{pointer}/identifier", record["identifier"], "duplicate-identifier", remedy)
        else:
            remedy = f"{first[0]} has this identifier and says something else. Give each its own, or remove one."
            reading.refuse(f"{pointer}/identifier", record["identifier"], "duplicate-identifier", remedy)
            reading.refused += 1
    return kept


def _sound(record: object, pointer: str, required: tuple[str, ...], reading: Reading) -> bool:
    """Has what CASE requires of every record, as text, and nothing that cannot be kept."""
    if not isinstance(record, dict):
        reading.refuse(pointer, record, "type", "This must be a JSON object.")
        return False
    before = len(reading.problems)
    for name in ("identifier", "uri", "lastChangeDateTime", *required):
        value = record.get(name)
        if value is None or value == "":
            reading.refuse(f"{pointer}/{name}", None, "required", f"CASE requires {name}. Add it.")
        elif not isinstance(value, str) or not value.strip():
            reading.refuse(f"{pointer}/{name}", value, "type", f"{name} must be text.")
    if len(reading.problems) > before:
        return False
    if not _IDENTIFIER.fullmatch(record["identifier"]):
        remedy = "An identifier is a UUID: 8-4-4-4-12 hexadecimal digits."
        reading.refuse(f"{pointer}/identifier", record["identifier"], "identifier", remedy)
    if not _is_moment(record["lastChangeDateTime"]):
        remedy = "A moment is written as in 2026-08-31T14:05:00Z."
        reading.refuse(f"{pointer}/lastChangeDateTime", record["lastChangeDateTime"], "date-time", remedy)
    if not isinstance(record.get("humanCodingScheme", ""), str | None):
        remedy = "humanCodingScheme must be text."
        reading.refuse(f"{pointer}/humanCodingScheme", record["humanCodingScheme"], "type", remedy)
    return len(reading.problems) == before and _keepable(record, pointer, reading)


def _keepable(value: object, pointer: str, reading: Reading) -> bool:
    """PostgreSQL keeps no NUL character; what is nested hundreds deep is not CASE."""
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:
        reading.refuse(pointer, None, "nesting", "This is nested deeper than 250 levels. CASE needs fewer than ten.")
        return False
    if b"\\u0000" in text:
        reading.refuse(pointer, None, "nul", "There is a NUL character (\\u0000) in it. Remove it.")
        return False
    return True


def _associations(
    listed: Iterable[tuple[str, Json]], root: str, nodes: Mapping[str, str], reading: Reading
) -> Iterator[tuple[str, Association]]:
    """The associations that hold, with their pointers."""
    for pointer, source in listed:
        before = len(reading.problems)
        kind = source["associationType"]
        if kind not in _TYPES and not _OWN_TYPE.fullmatch(kind):
            remedy = f"Use one of {', '.join(sorted(_TYPES))}, or a word of your own that begins with ext:"
            reading.refuse(f"{pointer}/associationType", kind, "association-type", remedy)
        sequence = source.get("sequenceNumber")
        if sequence is not None and (type(sequence) is not int or not -(2**31) <= sequence < 2**31):
            reading.refuse(
                f"{pointer}/sequenceNumber", sequence, "type", "sequenceNumber must be a 32-bit whole number."
            )
        ends = [_end(source, name, pointer, reading) for name in ("originNodeURI", "destinationNodeURI")]
        if len(reading.problems) == before:
            _check_ends(pointer, source, root, nodes, reading)
        if len(reading.problems) == before:
            yield pointer, Association(source["identifier"], kind, ends[0], ends[1], sequence, source)
        else:
            reading.refused += 1


def _end(source: Json, name: str, pointer: str, reading: Reading) -> str:
    link = source.get(name)
    identifier = link.get("identifier") if isinstance(link, dict) else None
    if not isinstance(identifier, str) or not identifier.strip():
        remedy = f"CASE requires {name} with identifier, title and uri. Add it."
        reading.refuse(f"{pointer}/{name}", link, "required", remedy)
        return ""
    return same_identifier(identifier)


def _check_ends(pointer: str, source: Json, root: str, nodes: Mapping[str, str], reading: Reading) -> None:
    """The hierarchy stays inside the package; any other association has one end in it at least."""
    origin, destination = source["originNodeURI"]["identifier"], source["destinationNodeURI"]["identifier"]
    origin_inside = same_identifier(origin) in nodes
    destination_inside = same_identifier(destination) in nodes
    kind = source["associationType"]
    if kind == CHILD_OF:
        if not origin_inside:
            remedy = "The child is not an item of this package. Add the item, or remove the association."
            reading.refuse(f"{pointer}/originNodeURI/identifier", origin, "dangling-reference", remedy)
        if not destination_inside and same_identifier(destination) != root:
            remedy = (
                "The parent is neither an item nor the document of this package. Add it, or remove the association."
            )
            reading.refuse(f"{pointer}/destinationNodeURI/identifier", destination, "dangling-reference", remedy)
    elif not (origin_inside or destination_inside or root in (same_identifier(origin), same_identifier(destination))):
        remedy = "Neither end is in this package. Add the items, or remove the association."
        reading.refuse(f"{pointer}/originNodeURI/identifier", origin, "dangling-reference", remedy)
    elif kind == PRECEDES and not (origin_inside and destination_inside):
        end, outside = ("destinationNodeURI", destination) if origin_inside else ("originNodeURI", origin)
        remedy = "This item is not in the package. The association is kept, and no prerequisite follows from it."
        reading.mend(f"{pointer}/{end}/identifier", outside, "outside-the-package", remedy)


def _without_cycles(
    associations: list[tuple[str, Association]], kind: str, rule: str, reading: Reading
) -> list[tuple[str, Association]]:
    """All but those that close a circle, found by depth-first search in the file's order, each said once."""
    edges: dict[str, list[tuple[str, Association]]] = {}
    for pointer, association in associations:
        if association.type == kind:
            edges.setdefault(association.origin, []).append((pointer, association))
    closing = set()
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        path = [start]
        walk = [iter(edges[start])]
        on_path = {start}
        while walk:
            edge = next(walk[-1], None)
            if edge is None:
                walk.pop()
                leaving = path.pop()
                on_path.discard(leaving)
                done.add(leaving)
                continue
            pointer, association = edge
            if association.destination in on_path:
                circle = [*path[path.index(association.destination) :], association.destination]
                remedy = f"These items follow each other in a circle ({kind}). Remove one of the associations."
                reading.refuse(pointer, " > ".join(circle), rule, remedy)
                reading.refused += 1
                closing.add(pointer)
            elif association.destination not in done:
                path.append(association.destination)
                on_path.add(association.destination)
                walk.append(iter(edges.get(association.destination, ())))
    return [one for one in associations if one[0] not in closing]


def _parents(associations: Iterable[Association], root: str) -> dict[str, str]:
    """Each child's parent. Of several, the one with the lowest sequence number and identifier, wherever they stand."""
    best: dict[str, tuple[bool, bool, int, str, str]] = {}
    for one in associations:
        if one.type == CHILD_OF:
            last = one.destination == root  # a place under an item says more than one under the document
            rank = (last, one.sequence is None, one.sequence or 0, same_identifier(one.identifier), one.destination)
            best[one.origin] = min(best.get(one.origin, rank), rank)
    return {child: rank[-1] for child, rank in best.items()}


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _placed(found: Finding, lines: Mapping[str, int]) -> Finding:
    top = "/".join(found.pointer.split("/")[:3])
    line = lines.get(top, lines.get("/".join(found.pointer.split("/")[:2])))
    return Finding(found.pointer, found.value, found.rule, found.remedy, line)


def _shown(value: object) -> str | None:
    """What stood there, short enough to show."""
    if value is None:
        return None
    if not isinstance(value, str | int | float):
        return f"({type(value).__name__})"
    text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
