"""Two people who are one, one who is two, and all of it taken back, row by row."""

from typing import Any
from uuid import UUID

import pytest

from services.roster.store.identity import merging
from shared.auth import SCOPES
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from tests.integration.roster.archives import BEGAN, TODAY, Roster, a_roster
from tests.integration.roster.conftest import OTHER_DISTRICT, RosterService, a_caller, an_id

_ROWS = (
    "people", "demographics", "roles", "enrollments", "crosswalk", "mergers", "placements", "roles_history",
    "enrollments_history",
)  # fmt: skip
_OF_CHANGES = "- '{revision,since,id}'::text[]"
ADA, BEN = an_id("user", "s000"), an_id("user", "s001")


async def image(roster: RosterService) -> dict[str, list[str]]:
    """Every row that merging could touch, but for the numbers of changes (placements have no name but a number)."""
    return {
        place: sorted(
            row["image"]
            for row in await roster.look(
                f"SELECT (to_jsonb(t) {_OF_CHANGES if place != 'people' else _OF_CHANGES.replace(',id', '')})::text"
                f" AS image FROM {place} t"
            )
        )
        for place in _ROWS
    }


async def heard(roster: RosterService, event: Any) -> list[Any]:
    """The facts of one type that were announced, oldest first."""
    async with roster.database.system() as tx:
        rows = await tx.fetch(
            "SELECT payload FROM outbox WHERE type = $1 ORDER BY id", event.DESCRIPTOR.full_name
        )  # fmt: skip
    return [fact for row in rows for fact in event.FromString(row["payload"]).facts]


async def merged(roster: RosterService, person: str = "s000", absorbed: str = "s001", **more: Any) -> Any:
    return await roster.ask("/identity/merges", {"person": person, "absorbed": absorbed, **{"force": True, **more}})


def with_agents(roster: Roster) -> Roster:
    """The second student is (oddly) an agent of the third, so that there is somebody who refers to them."""
    return roster.put("users", "{LDAP:2},Given2,Family002,,,,,,,4", '{LDAP:2},Given2,Family002,,,,,,"s001,s000",4')


async def test_everything_of_the_absorbed_belongs_to_the_person_who_stays(roster: RosterService) -> None:
    await roster.load(with_agents(a_roster(4)).zip())

    event = await merged(roster)

    assert event["kind"] == "merged"
    held = await roster.look("SELECT sourced_id FROM enrollments WHERE person_id = $1 ORDER BY 1", ADA)
    assert [row["sourced_id"] for row in held] == ["e-s000", "e-s001"]
    assert await roster.look("SELECT FROM roles WHERE person_id = $1", BEN) == []
    [ended] = await roster.look("SELECT status, metadata::json ->> 'mergedInto' AS into FROM people WHERE id = $1", BEN)
    assert ended == {"status": "tobedeleted", "into": "s000"}
    [names] = await roster.look(
        "SELECT array_agg(sourced_id::text ORDER BY sourced_id) AS names FROM crosswalk WHERE row_id = $1", ADA
    )
    assert names["names"] == ["s000", "s001"]
    [third] = await roster.look("SELECT agent_ids FROM people WHERE sourced_id = 's002'")
    assert third["agent_ids"] == [ADA]
    placed = await roster.look("SELECT school_id FROM placements WHERE person_id = $1", ADA)
    assert {row["school_id"] for row in placed} == {an_id("org", "north"), an_id("org", "south")}
    assert await roster.look("SELECT FROM placements WHERE person_id = $1", BEN) == []


async def test_the_others_hear_of_it(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    before = {event: len(await heard(roster, event)) for event in (pb.EnrollmentsChanged, pb.StudentsPlaced)}

    await merged(roster)

    [fact] = await heard(roster, pb.PeopleMerged)
    assert (fact.person, fact.absorbed, fact.undone) == (ADA.bytes, BEN.bytes, False)
    moved = (await heard(roster, pb.EnrollmentsChanged))[before[pb.EnrollmentsChanged] :]
    assert [(one.enrollment, one.person, one.ended) for one in moved] == [
        ("e-s001", BEN.bytes, True), ("e-s001", ADA.bytes, False),
    ]  # fmt: skip
    placed = (await heard(roster, pb.StudentsPlaced))[before[pb.StudentsPlaced] :]
    assert {one.student: len(one.places) for one in placed} == {ADA.bytes: 2, BEN.bytes: 0}
    [left] = await heard(roster, pb.PeopleLeft)
    assert left.person == BEN.bytes


async def test_both_records_and_what_refers_to_them_have_changed(roster: RosterService) -> None:
    await roster.load(with_agents(a_roster(4)).zip())
    [seen] = await roster.look("SELECT max(number) AS number FROM revisions")

    await merged(roster)

    changed = await roster.look(
        """
        SELECT sourced_id FROM (
            SELECT sourced_id, revision FROM people UNION ALL SELECT sourced_id, revision FROM enrollments
            UNION ALL SELECT sourced_id, revision FROM roles) AS every
        WHERE revision > $1 ORDER BY 1
        """,
        seen["number"],
    )
    assert [row["sourced_id"] for row in changed] == ["e-s001", "r-s001", "s000", "s001", "s002"]
    [stamped] = await roster.look("SELECT max(number) AS number FROM revisions")
    assert stamped["number"] > seen["number"]


async def test_undoing_a_merge_restores_every_row(roster: RosterService) -> None:
    await roster.load(with_agents(a_roster(6)).zip())
    before = await image(roster)

    event = await merged(roster)
    assert await image(roster) != before
    undone = await roster.ask(f"/identity/{event['id']}:undo", {})

    assert await image(roster) == before
    assert undone["undone_by"] == "key:test"
    facts = await heard(roster, pb.PeopleMerged)
    assert [fact.undone for fact in facts] == [False, True]
    assert facts[0].id < facts[1].id
    with pytest.raises(Conflict, match="taken back already"):
        await roster.ask(f"/identity/{event['id']}:undo", {})


async def test_what_was_changed_since_stays_when_a_merge_is_undone(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    event = await merged(roster)
    await roster.load(a_roster(4).put("users", "Given0,", "Adelaide,").zip())

    await roster.ask(f"/identity/{event['id']}:undo", {})

    people = await roster.look("SELECT sourced_id, given_name, status FROM people WHERE is_student ORDER BY 1")
    assert [tuple(row.values()) for row in people[:2]] == [("s000", "Adelaide", "active"), ("s001", "Given1", "active")]


async def test_the_next_file_that_names_both_changes_nothing(roster: RosterService) -> None:
    await roster.load(a_roster(6).zip())
    await merged(roster)
    before = await image(roster)

    report = await roster.load(a_roster(6).zip())

    assert report.problems == []
    assert (report.state, report.counts["changed"], report.counts["added"]) == ("applied", 0, 0)
    assert await image(roster) == before


async def test_a_file_that_names_only_the_absorbed_speaks_of_the_person_who_stays(roster: RosterService) -> None:
    await roster.load(a_roster(30).zip())
    await merged(roster)

    await roster.load(
        a_roster(30).drop("users", "s000,").drop("roles", "r-s000,").drop("enrollments", "e-s000,")
        .drop("demographics", "s000,").put("users", "Given1,", "Benjamin,").zip()
    )  # fmt: skip

    [kept] = await roster.look("SELECT given_name, status, sourced_id FROM people WHERE id = $1", ADA)
    assert kept == {"given_name": "Benjamin", "status": "active", "sourced_id": "s000"}
    [gone] = await roster.look("SELECT status FROM people WHERE id = $1", BEN)
    assert gone["status"] == "tobedeleted"


async def test_who_asks_by_the_absorbed_name_or_id_gets_the_person_who_stays(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    await merged(roster)

    by_name = await roster.ask("/students:batch-get", {"sourced_ids": ["s001"]})
    by_id = await roster.ask("/students:batch-get", {"ids": [str(BEN), str(ADA)]})
    resolved = await roster.ask("/students:resolve", {"sourced_ids": ["s000", "s001"]})

    assert [(one["id"], one["sourced_id"], one["also"]) for one in by_name] == [(str(ADA), "s000", ["s001"])]
    assert [(one["id"], one["absorbed"]) for one in by_id] == [(str(ADA), [str(BEN)])]
    assert resolved["ids"] == ADA.hex + BEN.hex


async def test_merging_into_somebody_who_has_left_shows_the_active_record(roster: RosterService) -> None:
    await roster.load(a_roster(30).zip())
    await roster.load(
        a_roster(30).drop("users", "s000,").drop("roles", "r-s000,").drop("enrollments", "e-s000,")
        .drop("demographics", "s000,").zip()
    )  # fmt: skip
    before = await image(roster)

    event = await merged(roster, force=False)

    [kept] = await roster.look("SELECT sourced_id, given_name, status FROM people WHERE id = $1", ADA)
    assert kept == {"sourced_id": "s001", "given_name": "Given1", "status": "active"}
    [gone] = await roster.look("SELECT sourced_id, status FROM people WHERE id = $1", BEN)
    assert gone == {"sourced_id": "s000", "status": "tobedeleted"}
    await roster.ask(f"/identity/{event['id']}:undo", {})
    assert await image(roster) == before


@pytest.mark.parametrize(
    ("person", "absorbed", "force", "wrong", "says"),
    [
        ("s000", "s000", True, Invalid, "one person already"),
        ("s000", str(ADA), True, Invalid, "one person already"),
        ("s000", "nobody", True, Invalid, "no such person"),
        ("s000", "s001", False, Conflict, "say force"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    lasting_roster: RosterService, person: str, absorbed: str, force: bool, wrong: type[Exception], says: str
) -> None:
    await lasting_roster.load(a_roster(4).zip())

    with pytest.raises(wrong, match=says):
        await merged(lasting_roster, person, absorbed, force=force)


async def test_who_was_absorbed_is_not_merged_again_and_later_events_are_undone_first(roster: RosterService) -> None:
    await roster.load(a_roster(6).zip())
    before = await image(roster)
    first = await merged(roster, "s000", "s001")

    with pytest.raises(Conflict, match="absorbed by"):
        await merged(roster, "s002", str(BEN))
    second = await merged(roster, "s002", "s000")
    with pytest.raises(Conflict, match="take back"):
        await roster.ask(f"/identity/{first['id']}:undo", {})

    assert (await roster.ask("/students:batch-get", {"ids": [str(BEN)]}))[0]["sourced_id"] == "s002"
    await roster.ask(f"/identity/{second['id']}:undo", {})
    await roster.ask(f"/identity/{first['id']}:undo", {})
    assert await image(roster) == before


async def test_one_person_is_two_and_one_again(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    await merged(roster, "s000", "s001")
    before = await image(roster)

    event = await roster.ask("/identity/splits", {"person": "s000", "sourced_ids": ["e-s000"], "sourced_id": "s900"})

    other = UUID(event["other"])
    [held] = await roster.look("SELECT person_id FROM enrollments WHERE sourced_id = 'e-s000'")
    assert held["person_id"] == other
    [fact] = await heard(roster, pb.PeopleSplit)
    assert (fact.person, fact.other, list(fact.sourced_ids)) == (ADA.bytes, other.bytes, ["e-s000", "s900"])
    await roster.ask(f"/identity/{event['id']}:undo", {})
    assert await image(roster) == before


async def test_who_was_absorbed_is_themselves_again_after_a_split(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    await merged(roster, "s000", "s001")

    event = await roster.ask("/identity/splits", {"person": "s000", "sourced_ids": ["s001", "e-s001", "r-s001"]})

    assert event["other"] == str(BEN)
    [ben] = await roster.look("SELECT status, metadata::text AS metadata, is_student FROM people WHERE id = $1", BEN)
    assert ben == {"status": "active", "metadata": "{}", "is_student": True}
    assert await roster.look("SELECT FROM mergers") == []
    report = await roster.load(a_roster(4).zip())
    assert (report.counts["changed"], report.counts["added"]) == (0, 0)


async def test_a_split_that_names_nothing_or_nobody_is_refused(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())

    for body, says in (
        ({"person": "s000", "sourced_ids": ["e-s000"]}, "what the other person is called"),
        ({"person": "s000", "sourced_ids": ["e-s000"], "sourced_id": "s000"}, "name the other one"),
        ({"person": "s000", "sourced_ids": ["e-s000"], "sourced_id": "s001"}, "Somebody else"),
        ({"person": "s000", "sourced_ids": ["nothing", "e-s001"], "sourced_id": "s900"}, "None of these"),
    ):
        with pytest.raises(Invalid, match=says):
            await roster.ask("/identity/splits", body)


async def test_only_a_key_of_the_district_that_may_import_decides(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    body = {"person": "s000", "absorbed": "s001", "force": True}

    with pytest.raises(Forbidden):
        await roster.ask("/identity/merges", body, a_caller(schools=("north",)))
    with pytest.raises(Forbidden):
        await roster.ask("/identity/merges", body, a_caller(scopes=SCOPES - {"imports:write"}))
    with pytest.raises(Invalid):
        await roster.ask("/identity/merges", body, a_caller(OTHER_DISTRICT))
    event = await merged(roster)
    with pytest.raises(NotFound):
        await roster.ask(f"/identity/{event['id']}:undo", {}, a_caller(OTHER_DISTRICT))


async def test_events_are_listed_a_page_at_a_time(roster: RosterService) -> None:
    await roster.load(a_roster(8).zip())
    made = [(await merged(roster, "s000", f"s00{number}"))["id"] for number in (1, 2, 3)]

    first = await roster.client.get("/identity/events", a_caller(), first=2)
    rest = await roster.client.get("/identity/events", a_caller(), first=2, after=first["next"])

    assert [one["id"] for one in (*first["items"], *rest["items"])] == made[::-1]
    assert rest["next"] is None


_MOVED_AWAY = ("users", "roles", "enrollments", "demographics")


def a_newcomer_like(roster: Roster, name: str = "n900") -> Roster:
    """In place of the first student somebody of the same name, born on the same day."""
    roster.drop("users", "s000,").drop("roles", "r-s000,").drop("enrollments", "e-s000,").drop("demographics", "s000,")
    roster.add("users", f"{name},,,true,{name},,Given0,Family000,,,,,,,4,,,,,,,,")
    roster.add("roles", f"r-{name},,,{name},primary,student,{BEGAN},,north,")
    roster.add("enrollments", f"e-{name},,,class-north,north,{name},student,,{BEGAN},")
    return roster.add("demographics", f"{name},,,2016-05-01,female,false,true,false,false,false,false,false,US,NY,,")


async def test_a_person_decides_whether_a_newcomer_is_somebody_known(roster: RosterService) -> None:
    await roster.load(a_roster(30).zip())
    await roster.load(a_newcomer_like(a_roster(30)).zip())
    page = await roster.client.get("/identity/reviews", a_caller())
    [review] = [one for one in page["items"] if one["candidate"]["sourced_id"] == "s000"]
    assert (review["newcomer"]["sourced_id"], review["reason"]) == ("n900", "name-and-birth-date")
    assert {"birthDate", "givenName", "familyName"} <= set(review["agrees"])
    assert review["candidate"]["schools"] == ["School north"]
    before = await image(roster)

    decided = await roster.ask(f"/identity/reviews/{review['id']}:same", {})

    assert decided["decision"] == "same"
    [kept] = await roster.look("SELECT sourced_id, status FROM people WHERE id = $1", ADA)
    assert kept == {"sourced_id": "n900", "status": "active"}
    with pytest.raises(Conflict, match="decided already"):
        await roster.ask(f"/identity/reviews/{review['id']}:different", {})
    report = await roster.load(a_newcomer_like(a_roster(30)).zip())
    assert (report.counts["changed"], report.counts["added"]) == (0, 0)
    events = await roster.client.get("/identity/events", a_caller())
    await roster.ask(f"/identity/{events['items'][0]['id']}:undo", {})
    assert await image(roster) == before


async def test_what_was_said_to_be_different_is_not_asked_again(roster: RosterService) -> None:
    await roster.load(a_roster(30).zip())
    await roster.load(a_newcomer_like(a_roster(30)).zip())
    [review] = (await roster.client.get("/identity/reviews", a_caller()))["items"]

    await roster.ask(f"/identity/reviews/{review['id']}:different", {})
    await roster.load(a_roster(30).zip())
    await roster.load(a_newcomer_like(a_roster(30)).zip())

    assert (await roster.client.get("/identity/reviews", a_caller()))["items"] == []
    [decided] = (await roster.client.get("/identity/reviews", a_caller(), decided=True))["items"]
    assert decided["decision"] == "different"


async def test_people_are_told_as_of_a_day(roster: RosterService) -> None:
    file = with_agents(a_roster(4))
    await roster.load(file.zip())
    third = str(an_id("user", "s002"))

    today = await roster.ask("/people:as-of", {"people": [str(ADA), third], "on": TODAY.isoformat()})
    long_ago = await roster.ask("/people:as-of", {"people": [str(ADA)], "on": "2001-01-01"})

    ada, other = today
    assert [one["sourced_id"] for one in ada["enrollments"]] == ["e-s000"]
    assert ada["schools"] == [str(an_id("org", "north"))]
    assert [one["sourced_id"] for one in ada["children"]] == ["s002"]
    assert [one["sourced_id"] for one in other["guardians"]] == ["s001", "s000"]
    assert (long_ago[0]["enrollments"], long_ago[0]["roles"], long_ago[0]["schools"]) == ([], [], [])


async def test_a_version_that_was_replaced_was_true_until_then(roster: RosterService) -> None:
    await roster.load(a_roster(4).zip())
    await roster.load(a_roster(4).put("enrollments", "e-s000,,,class-north,north", "e-s000,,,class-south,south").zip())
    async with roster.database.transaction(a_caller()) as tx:
        await tx.run("UPDATE enrollments_history SET replaced_on = current_date - 5")

    [then] = await roster.ask("/people:as-of", {"people": [str(ADA)], "on": BEGAN})
    [now] = await roster.ask("/people:as-of", {"people": [str(ADA)], "on": TODAY.isoformat()})

    assert [one["section"] for one in then["enrollments"]] == [str(an_id("class", "class-north"))]
    assert [one["section"] for one in now["enrollments"]] == [str(an_id("class", "class-south"))]


@pytest.mark.parametrize("key", [str(ADA), str(ADA).upper(), "s000"])
async def test_somebody_is_found_without_looking_at_everybody(roster: RosterService, key: str) -> None:
    await roster.load(a_roster(400).zip())

    async with roster.database.transaction(a_caller()) as tx:
        await tx.run("ANALYZE people, crosswalk")  # an import leaves this to autovacuum where there are so few
        await tx.run("SET LOCAL enable_seqscan = off")  # so few are sooner read than looked up
        found = await merging.find(tx, key)
        read = await tx.fetchval(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'people'"
        )

    assert found is not None
    assert found.sourced_id == "s000"
    assert read <= 40  # of 402


async def test_an_id_goes_before_the_same_word_as_a_sourced_id(roster: RosterService) -> None:
    await roster.load(a_roster(4).put("users", "s001,,,", f"{ADA},,,").drop("roles", "r-s001").drop(
        "enrollments", "e-s001").drop("demographics", "s001").zip())  # fmt: skip

    async with roster.database.transaction(a_caller()) as tx:
        found = await merging.find(tx, str(ADA))

    assert found is not None
    assert found.sourced_id == "s000"
