"""What is answered, to whom: the ledger explained, other schools and districts, purposes and scopes."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from services.mastery import contract, events
from services.mastery.domain.model import DEFAULT
from shared.auth import Caller, Purpose
from shared.db import Database
from shared.errors import Forbidden, Invalid
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from tests.integration.mastery.conftest import (
    DISTRICT,
    OTHER_DISTRICT,
    MasteryService,
    a_caller,
    a_form,
    a_placement,
    a_uuid,
    an_attempt,
)

FORM = a_form("A", [["add"], ["add", "sub"], ["sub"]])
TODAY = date.today().toordinal() - date(1970, 1, 1).toordinal()  # noqa: DTZ011  # as the database's current_date
STUDENT_TABLES = ("sheets", "mastery", "placements")
POLICIES = [
    *[(table, "district") for table in ("frameworks", "competencies", "associations", "forms", "administrations")],
    *[(table, policy) for table in STUDENT_TABLES for policy in ("district", "school")],
    ("snapshots", "district"),
    *[(table, policy) for table in ("snapshot_areas", "withheld") for policy in ("district", "school")],
]


async def furnished(mastery: MasteryService, district: Any = DISTRICT) -> None:
    """Ada goes to north, Ben to south, Eve was at north until yesterday; each has a sheet."""
    await mastery.knows(FORM, district=district)
    await mastery.places(
        a_placement("ada", ("north", None, None)),
        a_placement("ben", ("south", TODAY, None)),
        a_placement("eve", ("north", 0, TODAY)),
        district=district,
    )
    await mastery.scored(*[an_attempt(one, "A", [1, 0, 1], 10) for one in ("ada", "ben", "eve")], district=district)


async def test_evidence_explains_what_is_believed_to_the_last_bit(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 20_000_000), an_attempt("ada", "A", [1, 1, 254], 10_000_001))

    page = (await mastery.evidence_of("ada"))["ada"]

    entries = contract.EvidencePage.model_validate(page).items
    assert [entry.item for entry in entries] == ["A-1", "A-2", "A-2", "A-3"] * 2
    assert [entry.score for entry in entries] == [1, 1, 1, 0, 1, 0, 0, 1]
    assert entries[0].completed_at == datetime(1970, 1, 1, 0, 0, 10, 1, tzinfo=UTC)
    assert (entries[0].modality, entries[0].administration) == ("paper", a_uuid("adm fall"))
    assert (page["total"], page["has_next"]) == (8, False)
    believed = (await mastery.mastery_of("ada"))["ada"]
    for name in ("add", "sub"):
        mine = [entry for entry in entries if entry.competency == a_uuid(name)]
        assert (mine[0].before, len(mine)) == (0.3, believed[name][1])
        assert [entry.before for entry in mine[1:]] == [entry.after for entry in mine[:-1]]
        assert mine[-1].after == believed[name][0]


async def test_evidence_comes_in_pages(mastery: MasteryService) -> None:
    await furnished(mastery)
    whole = (await mastery.evidence_of("ada", "ben"))["ben"]["items"]

    paged = [(await mastery.evidence_of("ada", "ben", first=3, after=after))["ben"] for after in (0, 3, 6)]

    assert [one for page in paged for one in page["items"]] == whole
    assert [page["has_next"] for page in paged] == [True, False, False]


async def test_a_student_without_evidence_is_unknown_and_not_zero(mastery: MasteryService) -> None:
    await mastery.places(a_placement("ada", ("north", None, None)))
    asked = {"students": [str(a_uuid("ada")), str(a_uuid("nobody"))], "competencies": [str(a_uuid("add"))]}

    found = await mastery.client.post("/mastery:batch-list", asked, a_caller())

    [ada] = [contract.StudentMastery.model_validate(one) for one in found]
    unknown = contract.Mastery(
        competency=a_uuid("add"), probability=None, lower=None, upper=None, level="unknown", evidence_count=0,
        last_evidence_at=None, model_version=DEFAULT.version,
    )  # fmt: skip
    assert ada.mastery == [unknown]
    assert (await mastery.evidence_of("ada"))["ada"]["total"] == 0


async def test_competencies_come_as_they_were_asked_for(mastery: MasteryService) -> None:
    await furnished(mastery)
    asked = {"students": [str(a_uuid("ada"))], "competencies": [str(a_uuid(one)) for one in ("sub", "mul", "add")]}

    [found] = await mastery.client.post("/mastery:batch-list", asked, a_caller())

    answered = contract.StudentMastery.model_validate(found).mastery
    assert [one.competency for one in answered] == [a_uuid(one) for one in ("sub", "mul", "add")]
    assert [one.probability is None for one in answered] == [False, True, False]
    assert answered[0].last_evidence_at == datetime(1970, 1, 1, 0, 0, 0, 10, tzinfo=UTC)


async def columns_of(
    mastery: MasteryService, *students: str, competencies: list[str] | None = None, caller: Caller | None = None
) -> contract.MasteryColumns:
    asked = {
        "students": [str(a_uuid(student)) for student in students],
        "competencies": None if competencies is None else [str(a_uuid(one)) for one in competencies],
    }
    found = await mastery.client.post("/mastery:columns", asked, caller or a_caller())
    return contract.MasteryColumns.model_validate(found)


async def a_framework(mastery: MasteryService, **codes: str | None) -> None:
    """Competencies that are in a framework here, with their codes."""
    async with mastery.database.transaction(Caller.system(DISTRICT, "test")) as tx:
        for name, code in codes.items():
            await tx.run(
                "INSERT INTO competencies SELECT $1, $2, $1, $3, $4, $5, NULL, true, '{}'",
                DISTRICT, a_uuid(name), name, f"Can {name}", code,
            )  # fmt: skip


@pytest.mark.parametrize("competencies", [None, ["sub", "mul", "add"]])
async def test_columns_say_what_the_list_says(mastery: MasteryService, competencies: list[str] | None) -> None:
    await a_framework(mastery, add="2", sub="1")
    await furnished(mastery)
    await mastery.knows(a_form("M", [["mul"], ["add"]]))
    await mastery.scored(an_attempt("ben", "M", [1, 254], 5))
    everyone = ("ben", "nobody", "ada", "ben")
    asked = {
        "students": [str(a_uuid(one)) for one in everyone],
        "competencies": None if competencies is None else [str(a_uuid(one)) for one in competencies],
    }
    listed = await mastery.client.post("/mastery:batch-list", asked, a_caller())

    answer = await columns_of(mastery, *everyone, competencies=competencies)

    assert answer.competencies == [a_uuid(one) for one in competencies or ("sub", "add", "mul")]
    assert {(one.id, one.statement, one.code) for one in answer.known} == {
        (a_uuid("add"), "Can add", "2"),
        (a_uuid("sub"), "Can sub", "1"),
    }
    assert [student.student for student in answer.students] == [a_uuid("ben"), a_uuid("ada")]
    for student, expected in zip(answer.students, listed, strict=True):
        named = contract.StudentMastery.model_validate(expected)
        cells = zip(
            [answer.competencies[place] for place in student.places],
            student.probabilities,
            student.lowers,
            student.uppers,
            student.levels,
            student.evidence_counts,
            [events.moment(one) for one in student.last_evidence],
            strict=True,
        )
        assert student.student == named.student
        assert list(cells) == [
            (
                one.competency, one.probability, one.lower, one.upper, one.level, one.evidence_count,
                one.last_evidence_at,
            )
            for one in named.mastery
            if one.evidence_count
        ]  # fmt: skip
        assert {one.model_version for one in named.mastery} == {student.model_version}


async def test_columns_leave_what_is_unknown_out_and_name_a_competency_once(mastery: MasteryService) -> None:
    await furnished(mastery)
    await mastery.places(a_placement("new", ("north", None, None)))

    answer = await columns_of(mastery, "new", "ada", competencies=["mul", "add", "add"])

    assert answer.competencies == [a_uuid("mul"), a_uuid("add")]
    assert [(one.student, one.places) for one in answer.students] == [(a_uuid("new"), []), (a_uuid("ada"), [1])]


async def test_a_school_sees_the_students_placed_there_today(mastery: MasteryService) -> None:
    await furnished(mastery)
    everyone = ("ada", "ben", "eve")

    for schools, seen in ((["north"], {"ada"}), (["south", "north"], {"ada", "ben"}), (["west"], set()), ([], set())):
        caller = a_caller(schools=schools)
        assert set(await mastery.mastery_of(*everyone, caller=caller)) == seen
        columns = await columns_of(mastery, *everyone, caller=caller)
        assert {one.student for one in columns.students} == {a_uuid(one) for one in seen}
        assert bool(columns.competencies) == bool(seen)
        assert set(await mastery.evidence_of(*everyone, caller=caller)) == seen
        assert await mastery.count(caller) == (len(seen), 4 * len(seen))


async def test_a_placement_replaces_what_was_known_of_the_student(mastery: MasteryService) -> None:
    await furnished(mastery)

    await mastery.places(a_placement("ada", ("south", None, None), ("west", None, TODAY + 2)))

    assert set(await mastery.mastery_of("ada", caller=a_caller(schools=["north"]))) == set()
    assert set(await mastery.mastery_of("ada", caller=a_caller(schools=["west"]))) == {"ada"}
    await mastery.places(a_placement("ada"))
    assert set(await mastery.mastery_of("ada", caller=a_caller(schools=["south"]))) == set()


async def test_another_district_sees_nothing(mastery: MasteryService) -> None:
    await furnished(mastery)
    stranger = a_caller(OTHER_DISTRICT)

    assert await mastery.mastery_of("ada", caller=stranger) == {}
    assert (await columns_of(mastery, "ada", caller=stranger)).students == []
    assert await mastery.evidence_of("ada", caller=stranger) == {}
    assert await mastery.count(stranger) == (0, 0)


@pytest.mark.parametrize("path", ["/mastery:batch-list", "/mastery:columns", "/evidence:batch-list", "/evidence:count"])
async def test_no_diagnostic_result_is_given_for_accountability_or_without_the_scope(
    mastery: MasteryService, path: str
) -> None:
    await furnished(mastery)

    def ask(caller: Caller) -> Any:
        asked = {"students": [str(a_uuid("ada"))], "first": 10}
        return (
            mastery.client.get(path, caller) if path == "/evidence:count" else mastery.client.post(path, asked, caller)
        )

    with pytest.raises(Forbidden):
        await ask(a_caller(purpose=Purpose.ACCOUNTABILITY))
    with pytest.raises(Forbidden):
        await ask(a_caller(scopes=["roster:read", "assessment:read"]))
    await ask(a_caller())


async def test_more_than_is_allowed_at_once_is_refused(mastery: MasteryService) -> None:
    students = [str(a_uuid("ada"))] * 1_001

    with pytest.raises(Invalid):
        await mastery.client.post("/evidence:batch-list", {"students": students, "first": 1}, a_caller())
    with pytest.raises(Invalid):
        await mastery.client.post("/evidence:batch-list", {"students": students[:1], "first": 101}, a_caller())


async def isolation_holds(mastery: MasteryService) -> None:
    """Two districts and two schools see their own rows, and only those; nobody writes another's."""
    everyone = ("ada", "ben", "eve")
    for district in (DISTRICT, OTHER_DISTRICT):
        async with mastery.database.transaction(Caller.system(district, "test")) as tx:
            for table in dict.fromkeys(table for table, _ in POLICIES):
                rows = await tx.fetch(f"SELECT DISTINCT district_id FROM {table}")
                assert [row["district_id"] for row in rows] == [district], table
        for schools, seen in ((["north"], {"ada"}), (["south"], {"ben"}), (None, set(everyone))):
            caller = a_caller(district, schools=schools)
            async with mastery.database.reading(caller) as tx:
                for table in STUDENT_TABLES:
                    rows = await tx.fetch(f"SELECT DISTINCT student_id FROM {table}")
                    assert {row["student_id"] for row in rows} == {a_uuid(one) for one in seen}, table
                rows = await tx.fetch("SELECT organisation_id FROM snapshot_areas")
                shown = schools or ["north", "south", "town"]
                assert {row["organisation_id"] for row in rows} == {a_uuid(one) for one in shown}
                assert await tx.fetchval("SELECT count(*) FROM withheld") == (1 if schools is None else 0)


async def test_each_policy_is_needed(mastery: MasteryService, owner_dsn: Callable[[Database], str]) -> None:
    for district in (DISTRICT, OTHER_DISTRICT):
        await furnished(mastery, district)
        async with mastery.database.transaction(Caller.system(district, "test")) as tx:
            for sql in (
                "INSERT INTO frameworks SELECT $1, $1, '', '', '{}', '{}', '{}'",
                "INSERT INTO competencies SELECT $1, $1, $1, '', '', NULL, NULL, true, '{}'",
                "INSERT INTO associations SELECT $1, $1, $1, '', '', $1, $1, NULL, '{}'",
                "INSERT INTO snapshots SELECT $1, $1, now(), 10, ''",
                "INSERT INTO withheld SELECT $1, $1, $1, true, NULL, 3, 1, 30",
            ):
                await tx.run(sql, district)
            await tx.run_many(
                "INSERT INTO snapshot_areas SELECT $1, $1, $2, $1, $3, NULL, NULL, NULL, true",
                [(district, a_uuid(one), one != "town") for one in ("north", "south", "town")],
            )
    await isolation_holds(mastery)
    owner = await asyncpg.connect(owner_dsn(mastery.database))
    there = await owner.fetch("SELECT tablename, policyname FROM pg_policies WHERE tablename NOT LIKE 'import%'")
    unread = {("mergers", "district")}  # no caller reads it: only what the handlers hear goes there
    assert {(row["tablename"], row["policyname"]) for row in there} == set(POLICIES) | unread

    for table, policy in POLICIES:
        dropped = owner.transaction()
        definition = await owner.fetchrow(
            "SELECT * FROM pg_policies WHERE tablename = $1 AND policyname = $2", table, policy
        )
        assert definition is not None
        await dropped.start()
        await owner.execute(f"DROP POLICY {policy} ON {table}")
        await dropped.commit()
        with pytest.raises(AssertionError):
            await isolation_holds(mastery)
        check = "" if definition["with_check"] is None else f"WITH CHECK ({definition['with_check']})"
        await owner.execute(
            f"CREATE POLICY {policy} ON {table} AS {definition['permissive']} FOR {definition['cmd']}"
            f" USING ({definition['qual']}) {check}"
        )
    await owner.close()
    await isolation_holds(mastery)


async def test_nobody_writes_into_another_district(mastery: MasteryService) -> None:
    await furnished(mastery)
    values = {"uuid": "gen_random_uuid()", "jsonb": "'{}'", "boolean": "true", "ARRAY": "'{}'", "bytea": "''"}
    values["timestamp with time zone"] = "now()"

    async def write(table: str) -> None:
        async with mastery.database.transaction(Caller.system(DISTRICT, "test")) as tx:
            columns = await tx.fetch(
                """
                SELECT column_name AS name, data_type AS type FROM information_schema.columns
                WHERE table_name = $1 AND table_schema = 'public' AND is_nullable = 'NO' ORDER BY ordinal_position
                """,
                table,
            )
            names = ", ".join(row["name"] for row in columns)
            given = ", ".join(values.get(row["type"], "'1'") for row in columns)
            await tx.run(f"INSERT INTO {table} ({names}) VALUES ({given})")

    for table in dict.fromkeys(table for table, _ in POLICIES):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await write(table)


async def test_the_purpose_of_a_sheet_does_not_matter_to_what_is_learnt_from_it(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    summative = an_attempt("ben", "A", [1, 0, 1], 10)
    summative.purpose = assessment.PURPOSE_SUMMATIVE

    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 10), summative)

    found = await mastery.mastery_of("ada", "ben")
    assert found["ada"] == found["ben"]


async def test_a_day_that_no_calendar_has_is_parked(mastery: MasteryService) -> None:
    await mastery.hears(roster.StudentsPlaced, a_placement("ada", ("north", -(2**31), None)))

    assert await mastery.lines("parked") == 1
