"""What assessment answers, and to whom."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.assessment import contract
from shared.auth import Caller, Purpose
from shared.db import Database
from shared.errors import Forbidden, Invalid
from shared.migrate import NotSafe, check_row_level_security
from tests.integration.assessment.conftest import (
    DISTRICT,
    OTHER_DISTRICT,
    TODAY,
    AssessmentService,
    a_caller,
    a_sheet,
    an_id,
)
from tests.unit.assessment.examples import forms_file

DISTRICT_TABLES = ("forms", "form_versions", "administrations", "administration_forms")
STUDENT_TABLES = ("attempts", "attempt_history", "placements")
POLICIES = [
    *[(table, "district") for table in DISTRICT_TABLES],
    *[(table, policy) for table in STUDENT_TABLES for policy in ("district", "school")],
]


async def furnished(assessment: AssessmentService) -> None:
    """In both districts Ada goes to north, Ben to south, Eve was at north until yesterday; all have sheets."""
    for district in (DISTRICT, OTHER_DISTRICT):
        await assessment.knows_forms(district=district)
        await assessment.places("ada", ("north", None, None), district=district)
        await assessment.places("ben", ("south", TODAY, None), district=district)
        await assessment.places("eve", ("north", 0, TODAY), district=district)
        students = ("ada", "ben", "eve")
        await assessment.answered(*[a_sheet(student) for student in students], district=district)
        await assessment.answered(*[a_sheet(student, modality="paper") for student in students], district=district)


async def visible(assessment: AssessmentService, caller: Caller) -> dict[str, set[Any]]:
    """Whose rows the caller sees in each table: districts, or (district, student)."""
    found: dict[str, set[Any]] = {}
    for table in DISTRICT_TABLES:
        found[table] = {row["district_id"] for row in await assessment.look(f"SELECT * FROM {table}", caller=caller)}
    for table in STUDENT_TABLES:
        rows = await assessment.look(f"SELECT * FROM {table}", caller=caller)
        found[table] = {(row["district_id"], row["student_id"]) for row in rows}
    return found


def expected(students: Iterable[str], placed: Iterable[str]) -> dict[str, set[Any]]:
    """What a caller of the first district ought to see."""
    theirs = {(DISTRICT, an_id("student", student)) for student in students}
    return {
        **{table: {DISTRICT} for table in DISTRICT_TABLES},
        "attempts": theirs,
        "attempt_history": theirs,
        "placements": {(DISTRICT, an_id("student", student)) for student in placed},
    }


async def test_a_district_sees_its_own_and_a_school_its_enrolled_students(assessment: AssessmentService) -> None:
    await furnished(assessment)

    everyone = ("ada", "ben", "eve")
    assert await visible(assessment, a_caller()) == expected(everyone, everyone)
    assert await visible(assessment, a_caller(schools=["north"])) == expected(["ada"], ["ada", "eve"])
    assert await visible(assessment, a_caller(schools=["south"])) == expected(["ben"], ["ben"])
    assert await visible(assessment, a_caller(schools=["elsewhere"])) == expected([], [])
    assert await visible(assessment, a_caller(schools=[])) == expected([], [])


async def test_no_policy_can_be_spared(assessment: AssessmentService, owner_dsn: Callable[[Database], str]) -> None:
    """Without any one of them the district's or the school's callers see more, or nothing, of that table."""
    await furnished(assessment)
    right = [await visible(assessment, caller) for caller in (a_caller(), a_caller(schools=["north"]))]
    owner = await asyncpg.connect(owner_dsn(assessment.database))

    for table, policy in POLICIES:
        definition = await owner.fetchrow(
            "SELECT permissive, cmd, qual, with_check FROM pg_policies WHERE tablename = $1 AND policyname = $2",
            table,
            policy,
        )
        assert definition is not None
        await owner.execute(f"DROP POLICY {policy} ON {table}")
        if policy == "district":  # without any permissive policy nothing is seen; with an open one, everything
            await owner.execute(f"CREATE POLICY open ON {table} USING (true)")
        wrong = [await visible(assessment, caller) for caller in (a_caller(), a_caller(schools=["north"]))]
        await owner.execute(f"DROP POLICY IF EXISTS open ON {table}")
        check = f"WITH CHECK ({definition['with_check']})" if definition["with_check"] else ""
        await owner.execute(
            f"CREATE POLICY {policy} ON {table} AS {definition['permissive']} FOR {definition['cmd']} "
            f"USING ({definition['qual']}) {check}"
        )
        assert [seen[table] for seen in wrong] != [seen[table] for seen in right], f"{policy} on {table}"
    assert right == [await visible(assessment, caller) for caller in (a_caller(), a_caller(schools=["north"]))]
    policies = await owner.fetch("SELECT tablename, policyname FROM pg_policies")
    await owner.close()
    ours = {(row["tablename"], row["policyname"]) for row in policies} - {
        ("imports", "district"),
        ("import_findings", "district"),
        ("mergers", "district"),  # no caller reads it: only what the handlers hear goes there
    }
    assert ours == set(POLICIES)


async def test_a_row_cannot_be_written_into_another_district(assessment: AssessmentService) -> None:
    await furnished(assessment)

    for table in (*DISTRICT_TABLES, *STUDENT_TABLES):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with assessment.database.transaction(a_caller()) as tx:
                await tx.run(f"UPDATE {table} SET district_id = $1", OTHER_DISTRICT)


async def test_an_added_table_without_policy_is_not_served(
    assessment: AssessmentService, owner_dsn: Callable[[Database], str]
) -> None:
    await check_row_level_security(assessment.database.dsn)
    owner = await asyncpg.connect(owner_dsn(assessment.database))
    await owner.execute("CREATE TABLE forgotten (id int)")
    await owner.close()

    with pytest.raises(NotSafe, match="forgotten"):
        await check_row_level_security(assessment.database.dsn)


async def test_abilities_are_given_to_those_who_may_have_them(assessment: AssessmentService) -> None:
    await furnished(assessment)
    everyone = ("ada", "ben", "eve")

    assert set(await assessment.abilities(*everyone)) == set(everyone)
    assert set(await assessment.abilities(*everyone, caller=a_caller(schools=["north"]))) == {"ada"}
    assert await assessment.abilities("nobody") == {}
    theirs = {"students": [str(an_id("student", "ada", OTHER_DISTRICT))]}
    assert await assessment.client.post("/abilities:batch-list", theirs, a_caller()) == []
    with pytest.raises(Forbidden):
        await assessment.abilities("ada", caller=a_caller(purpose=Purpose.ACCOUNTABILITY))
    with pytest.raises(Forbidden):
        await assessment.abilities("ada", caller=a_caller(scopes={"roster:read"}))


async def test_abilities_stand_in_the_order_of_evidence(assessment: AssessmentService) -> None:
    await assessment.knows_forms(forms_file("administrations", 1, "id", "2026-Check"))
    at = "2026-09-15T14:30:00Z"
    await assessment.answered(
        f"2026-fall,ada,M4-B,{at},paper,,,,A",
        f"2026-fall,ada,M4-A,{at},paper,B,,,",
        f"2026-Check,ada,M4-A,{at},paper,C,,,",
        "2026-fall,ada,M4-A,2026-09-15T14:29:59.999999Z,paper,D,,,",
    )

    found = [contract.Ability.model_validate(each) for each in (await assessment.abilities("ada"))["ada"]]

    codes = {row["id"]: row["code"] for row in await assessment.look("SELECT id, code FROM administrations")}
    assert [(codes[each.administration], each.form, each.raw_score) for each in found] == [
        ("2026-fall", "M4-A", 0),
        ("2026-Check", "M4-A", 0),
        ("2026-fall", "M4-A", 1),
        ("2026-fall", "M4-B", 1),
    ]


async def test_administrations_by_key_and_by_page(assessment: AssessmentService) -> None:
    document = forms_file()
    window = document["administrations"][1]
    document["administrations"] = [
        {**window, "id": f"a{number}", "opensAt": f"2026-0{1 + number % 3}-01T00:00:00Z"} for number in range(7)
    ]
    await assessment.knows_forms(document)
    await assessment.knows_forms(district=OTHER_DISTRICT)

    seen: list[contract.Administration] = []
    after = None
    while True:
        ask = {"first": 3, "after": after}
        page = contract.AdministrationPage.model_validate(
            await assessment.client.post("/administrations:list", ask, a_caller())
        )
        seen += page.items
        if not page.has_next:
            break
        after = str(page.items[-1].id)
    by_key = await assessment.client.post(
        "/administrations:batch-get", {"codes": ["a3", "2026-fall"], "ids": [str(seen[0].id), str(uuid4())]}, a_caller()
    )

    assert len(seen) == 7
    assert [(each.opens_at, each.id) for each in seen] == sorted((each.opens_at, each.id) for each in seen)
    assert {each["code"] for each in by_key} == {"a3", seen[0].code}
    assert by_key[0]["purpose"] == "formative"
    with pytest.raises(Forbidden):
        await assessment.client.post("/administrations:list", {"first": 3}, a_caller(scopes=()))
    with pytest.raises(Invalid):
        await assessment.client.post("/administrations:list", {"first": 101}, a_caller())


async def test_a_new_placement_replaces_the_old_one(assessment: AssessmentService) -> None:
    await furnished(assessment)

    await assessment.places("ada", ("south", None, None), ("east", TODAY + 2, None))

    assert set(await assessment.abilities("ada", "ben", caller=a_caller(schools=["north"]))) == set()
    assert set(await assessment.abilities("ada", "ben", caller=a_caller(schools=["south"]))) == {"ada", "ben"}
    assert set(await assessment.abilities("ada", "ben", caller=a_caller(schools=["east"]))) == set()
