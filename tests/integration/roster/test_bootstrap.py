"""Who begins to listen late takes the present state and listens from its moment: it knows what everybody else knows."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.json_format import ParseDict

from services.roster.api.facts import FORMAT, TYPES
from services.roster.handlers import ClosuresImport
from shared.auth import SCOPES, Caller
from shared.db import Transaction
from shared.errors import Forbidden, Invalid
from shared.events import class_of, facts_of
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from shared.imports import Imports
from shared.outbox import listen_from
from tests.integration.roster.archives import BEGAN, ENDED, ENDS, TODAY, a_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, RosterService, a_caller, an_id

NOW = (TODAY - datetime(1970, 1, 1).date()).days  # noqa: DTZ001  # a day, not a moment
Fact = tuple[str, Any]


@dataclass
class Consumer:
    """Keeps what facts say is so; what has ended, or is over, it forgets."""

    organisations: dict[bytes, Any] = field(default_factory=dict)
    people: dict[tuple[bytes, bool], Any] = field(default_factory=dict)
    placed: dict[bytes, Any] = field(default_factory=dict)
    enrollments: dict[tuple[bytes, str], Any] = field(default_factory=dict)
    absorbed: dict[bytes, Any] = field(default_factory=dict)
    closures: dict[bytes, Any] = field(default_factory=dict)
    described: dict[bytes, Any] = field(default_factory=dict)

    def hear(self, facts: Iterable[Fact]) -> "Consumer":
        for type, fact in facts:
            getattr(self, f"_{type.rpartition('.')[2]}", lambda _: None)(fact)
        return self

    def state(self) -> dict[str, Any]:
        """Everything, comparable; the ids of facts are no part of it."""
        return {
            place: {key: _without_id(fact) for key, fact in sorted(getattr(self, place).items())}
            for place in self.__dataclass_fields__
        }

    def _OrganisationsChanged(self, fact: Any) -> None:
        _keep(self.organisations, fact.organisation, fact, is_so=not fact.ended)

    def _PeopleJoined(self, fact: Any) -> None:
        _keep(self.people, (fact.person, fact.as_student), pb.PersonJoined(places=fact.places), is_so=True)

    _PeopleMoved = _PeopleJoined

    def _PeopleLeft(self, fact: Any) -> None:
        self.people.pop((fact.person, fact.as_student), None)

    def _StudentsPlaced(self, fact: Any) -> None:
        _keep(self.placed, fact.student, fact, is_so=bool(fact.places))

    def _EnrollmentsChanged(self, fact: Any) -> None:
        _keep(self.enrollments, (fact.person, fact.enrollment), fact, is_so=not fact.ended)

    def _PeopleMerged(self, fact: Any) -> None:
        _keep(self.absorbed, fact.absorbed, pb.PersonMerged(person=fact.person), is_so=not fact.undone)

    def _PeopleSplit(self, fact: Any) -> None:
        _keep(self.absorbed, fact.other, pb.PersonMerged(person=fact.person), is_so=fact.undone)

    def _ClosuresChanged(self, fact: Any) -> None:
        is_over = fact.HasField("end_day") and fact.end_day <= NOW
        _keep(self.closures, fact.closure, fact, is_so=not (fact.withdrawn or is_over))

    def _DemographicsRecorded(self, fact: Any) -> None:
        _keep(self.described, fact.person, fact, is_so=not fact.ended)


def _keep(place: dict[Any, Any], key: Any, fact: Any, *, is_so: bool) -> None:
    if is_so:
        place[key] = fact
    else:
        place.pop(key, None)


def _without_id(fact: Any) -> Any:
    copy = type(fact)()
    copy.CopyFrom(fact)
    copy.ClearField("id")
    return copy


class Told:
    """A bootstrap as it came."""

    def __init__(self, text: str) -> None:
        self.head, *lines, self.end = (json.loads(line) for line in text.splitlines())
        self.facts: list[Fact] = [(one["type"], _parsed(one)) for one in lines]

    @property
    def listen_from(self) -> datetime:
        return datetime.fromisoformat(self.head["listen_from"])

    def of(self, event: Any) -> list[Any]:
        return [fact for type, fact in self.facts if type == event.DESCRIPTOR.full_name]


def _parsed(line: dict[str, Any]) -> Any:
    fact = class_of(line["type"])().facts.add()  # type: ignore[attr-defined]  # every event has facts
    return ParseDict(line["fact"], fact)


async def bootstrap(roster: RosterService, caller: Caller | None = None, **params: str) -> Told:
    async with roster.client.stream("GET", "/exports/roster-facts", caller or a_caller(), params=params) as answer:
        assert answer.is_success, await answer.aread()
        return Told((await answer.aread()).decode())


async def outbox(roster: RosterService, since: datetime | None = None) -> list[Fact]:
    """What was announced, in the order in which it is sent."""
    async with roster.database.system() as tx:
        rows = await tx.fetch(
            "SELECT type, payload FROM outbox WHERE district = $1 AND ($2::timestamptz IS NULL OR created_at >= $2) "
            "ORDER BY id",
            DISTRICT, since,
        )  # fmt: skip
    return [(row["type"], fact) for row in rows for fact in facts_of(row["type"], row["payload"])]


async def an_hour_passes(roster: RosterService) -> None:
    """What was announced so far was announced an hour ago."""
    async with roster.database.system() as tx:
        await tx.run("UPDATE outbox SET created_at = created_at - interval '1 hour'")


async def close(roster: RosterService, text: str) -> None:
    async def body() -> Any:
        yield f"school,class,begin,end,modality,reason\n{text}".encode()

    imports = Imports(roster.database, [ClosuresImport()])
    import_id = await imports.stage(a_caller(), "closures", body(), False, None, {})
    await imports.advance(import_id, DISTRICT)


async def much_happens(roster: RosterService) -> None:
    """Imports that bring, change and end records of every kind, a merger that stands, and one that does not."""
    await roster.load(a_roster(students=60).zip())
    changed = a_roster(students=60).drop("users", "s000").drop("roles", "r-s000").drop("enrollments", "e-s000")
    changed.drop("demographics", "s000", "s002").put("demographics", "s004,,,2016-05-01", "s004,,,")
    changed.put("enrollments", "e-s001,,,class-south,south", "e-s001,,,class-north,north")
    changed.put("enrollments", "class-south,south,s015,student", "class-south,south,s017,student")
    changed.put("orgs", "School south,school", "School of the south,school")
    changed.put("enrollments", f"e-s003,,,class-south,south,s003,student,,{BEGAN},{ENDS}",
                f"e-s003,,,class-south,south,s003,student,,{BEGAN},{ENDED}")  # fmt: skip
    await roster.load(changed.zip())
    await close(roster, f"north,,{BEGAN},{ENDS},remote,Flood\nsouth,,{BEGAN},{ENDED},,Snow\nsouth,,{ENDS},,paper,\n")
    await roster.ask("/identity/merges", {"person": "s005", "absorbed": "s007", "force": True})
    undone = await roster.ask("/identity/merges", {"person": "s006", "absorbed": "s008", "force": True})
    await roster.ask(f"/identity/{undone['id']}:undo", {})
    await split(roster, "s018", "s018-b")
    parted = await split(roster, "s022", "s022-b")
    await roster.ask(f"/identity/{parted['id']}:undo", {})
    await roster.ask("/identity/merges", {"person": "s024", "absorbed": "s026", "force": True})
    await roster.ask("/identity/splits", {"person": "s024", "sourced_ids": ["s026"]})


async def split(roster: RosterService, person: str, other: str) -> Any:
    """Somebody who was never known apart bears the person's enrolment from here on."""
    body = {"person": person, "sourced_ids": [f"e-{person}"], "sourced_id": other}
    return await roster.ask("/identity/splits", body)


async def more_happens(roster: RosterService) -> None:
    """Some of it is taken back, and others come, go and move."""
    later = a_roster(students=64).drop("users", "s009").drop("roles", "r-s009").drop("enrollments", "e-s009")
    later.drop("demographics", "s009").put("enrollments", "e-s011,,,class-south,south", "e-s011,,,class-north,north")
    await roster.load(later.zip())
    await close(roster, f"north,,{BEGAN},{ENDS},paper,Flood\n")
    await roster.ask("/identity/merges", {"person": "s012", "absorbed": "s014", "force": True})
    parted = await split(roster, "s028", "s028-b")
    await roster.ask(f"/identity/{parted['id']}:undo", {})


async def test_who_begins_late_knows_what_who_always_listened_knows(roster: RosterService) -> None:
    await much_happens(roster)
    await an_hour_passes(roster)

    told = await bootstrap(roster)
    await more_happens(roster)

    heard = await outbox(roster, told.listen_from)
    always = Consumer().hear(await outbox(roster))
    late = Consumer().hear([*told.facts, *heard])
    assert 0 < len(heard) < len(await outbox(roster))
    assert _now_or_later(late) == _now_or_later(always)
    assert all(late.state().values())


async def test_the_present_state_alone_is_what_all_facts_so_far_come_to(roster: RosterService) -> None:
    await much_happens(roster)

    told = await bootstrap(roster)

    assert _now_or_later(Consumer().hear(told.facts)) == _now_or_later(Consumer().hear(await outbox(roster)))
    assert {type.rpartition(".")[2] for type, _ in told.facts} == set(TYPES)


async def test_nobody_keeps_an_enrolment_that_is_somebody_elses_now(roster: RosterService) -> None:
    await much_happens(roster)

    heard = Consumer().hear(await outbox(roster))

    rows = await roster.look("SELECT person_id, sourced_id FROM enrollments WHERE status = 'active'")
    assert set(heard.enrollments) == {(row["person_id"].bytes, row["sourced_id"]) for row in rows}


async def test_who_begins_late_knows_whom_every_key_of_before_leads_to(roster: RosterService) -> None:
    await roster.load(a_roster(30).zip())
    await roster.ask("/identity/merges", {"person": "s000", "absorbed": "s002", "force": True})
    await roster.ask("/identity/merges", {"person": "s004", "absorbed": "s000", "force": True})
    parted = await split(roster, "s006", "s006-b")
    await roster.ask(f"/identity/{parted['id']}:undo", {})  # what was told of the other is the person's
    await split(roster, "s008", "s008-b")

    told = await bootstrap(roster)

    ada, eve, gus = (an_id("user", name).bytes for name in ("s002", "s000", "s006"))
    assert {key: fact.person for key, fact in Consumer().hear(told.facts).absorbed.items()} == {
        ada: eve, eve: an_id("user", "s004").bytes, UUID(parted["other"]).bytes: gus,
    }  # fmt: skip
    [again] = told.of(pb.PeopleSplit)
    revisions = [int.from_bytes(fact.id[:8], "big") for fact in (*told.of(pb.PeopleMerged), again)]
    assert again.undone
    assert 0 < revisions[0] < revisions[1] < revisions[2]


async def test_hearing_again_what_was_told_already_does_no_harm(roster: RosterService) -> None:
    await much_happens(roster)
    told = await bootstrap(roster)

    late = Consumer().hear([*told.facts, *await outbox(roster)])

    assert _now_or_later(late) == _now_or_later(Consumer().hear(told.facts))


def _now_or_later(consumer: Consumer) -> dict[str, Any]:
    """Its state, without people who are nowhere any more since their last day has simply passed."""
    for key, fact in list(consumer.people.items()):
        if all(place.HasField("end_day") and place.end_day <= NOW for place in fact.places):
            del consumer.people[key]
    return consumer.state()


async def test_what_is_under_way_meanwhile_is_heard_afterwards(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    await an_hour_passes(roster)
    fact = pb.OrganisationChanged(id=b"i" * 16, organisation=b"o" * 16, type="school")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        async with roster.database.alone(a_caller()) as tx:
            await _announce(tx, fact)
            begun.set()
            await go_on.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(slowly())
        await begun.wait()
        async with roster.database.system() as tx:
            began_at = await tx.fetchval(
                "SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        moment = await listen_from(roster.database)
        told = await bootstrap(roster)
        go_on.set()

    assert moment < began_at
    assert fact.organisation not in {one.organisation for one in told.of(pb.OrganisationsChanged)}
    assert ("trellis.events.roster.v1.OrganisationsChanged", fact) in await outbox(roster, told.listen_from)


async def _announce(tx: Transaction, fact: Any) -> None:
    tx.announce(pb.OrganisationsChanged, [fact])
    await tx.flush_announced()


async def test_the_first_line_says_what_it_is_and_the_last_how_much(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())

    told = await bootstrap(roster)

    [latest] = await roster.look("SELECT max(number) AS number FROM revisions")
    assert told.head["format"] == FORMAT == "trellis.roster-facts.v1"
    assert (told.head["district"], told.head["revision"]) == (str(DISTRICT), latest["number"])
    assert told.listen_from < datetime.fromisoformat(told.head["at"])
    assert told.end == {
        "end": {
            "OrganisationsChanged": 3, "PeopleJoined": 6, "StudentsPlaced": 4, "EnrollmentsChanged": 6,
            "PeopleMerged": 0, "PeopleSplit": 0, "ClosuresChanged": 0, "DemographicsRecorded": 4,
        },
        "facts": 23,
    }  # fmt: skip
    assert len(told.facts) == 23


async def test_a_district_without_anything_is_told_too(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())

    told = await bootstrap(roster, a_caller(OTHER_DISTRICT))

    assert told.facts == []
    assert (told.head["revision"], told.end["facts"]) == (0, 0)


async def test_who_is_here_no_more_is_placed_and_has_not_joined(roster: RosterService) -> None:
    files = a_roster(4).put("enrollments", f"s001,student,,{BEGAN},{ENDS}", f"s001,student,,{BEGAN},{ENDED}")
    await roster.load(files.zip())

    told = await bootstrap(roster)

    gone = an_id("user", "s001").bytes
    assert gone not in {fact.person for fact in told.of(pb.PeopleJoined)}
    assert gone in {fact.student for fact in told.of(pb.StudentsPlaced)}


async def test_demographics_are_for_who_may_read_them(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    without = a_caller(scopes=SCOPES - {"demographics:read"})

    told = await bootstrap(roster, without)

    assert told.of(pb.DemographicsRecorded) == []
    assert "DemographicsRecorded" not in told.head["types"]
    with pytest.raises(Forbidden, match="demographics:read"):
        await asked(roster, without, types="DemographicsRecorded")


async def test_only_the_types_asked_for_are_told(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())

    told = await bootstrap(roster, types="StudentsPlaced, OrganisationsChanged")

    assert told.end["end"] == {"OrganisationsChanged": 3, "StudentsPlaced": 4}
    assert len(told.facts) == 7


@pytest.mark.parametrize(
    ("caller", "params", "why"),
    [
        (lambda: a_caller(scopes=frozenset({"imports:write"})), {}, Forbidden),
        (lambda: a_caller(schools=("north",)), {}, Forbidden),
        (a_caller, {"types": "StudentsPlaced,PeopleLeft"}, Invalid),
        (a_caller, {"types": ""}, Invalid),
    ],
)
async def test_it_needs_the_rosters_scope_the_whole_district_and_known_types(
    lasting_roster: RosterService, caller: Callable[[], Caller], params: dict[str, str], why: type[Exception]
) -> None:
    with pytest.raises(why):
        await asked(lasting_roster, caller(), **params)


async def asked(roster: RosterService, caller: Caller, **params: str) -> None:
    """Ask, and raise what is answered instead."""
    await roster.client.get("/exports/roster-facts", caller, **params)
