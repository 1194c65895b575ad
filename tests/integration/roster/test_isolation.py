"""Nobody sees another district's row, and a school's key sees its own people of today. Each policy is needed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from deploy.postgres import Server
from shared.db import Database
from shared.migrate import NotSafe, check_row_level_security
from tests.integration.roster.archives import BEGAN, ENDED, ENDS, TODAY, Roster, a_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, RosterService, a_caller, an_id

Connection = Any
OwnerDsn = Callable[[Database], str]

WHOLE = {
    "orgs": 3, "academic_sessions": 2, "courses": 1, "classes": 2, "people": 7, "roles": 7, "enrollments": 7,
    "demographics": 5, "crosswalk": 15, "placements": 7,
}  # fmt: skip
"""What a key of the district sees: two schools, two teachers, five students."""
NORTH = {
    "orgs": 1, "academic_sessions": 2, "courses": 1, "classes": 1, "people": 3, "roles": 3, "enrollments": 3,
    "demographics": 2, "crosswalk": 8, "placements": 4,
}  # fmt: skip
"""What a key of the school north sees: its class, its teacher, two students; not the one who left."""
OF_A_SCHOOL = (
    "assessment_line_item_objectives", "assessment_line_items", "assessment_result_objectives", "assessment_results",
    "attendance", "attendance_history", "class_resources", "closures", "closures_history", "enrollments_history",
    "line_item_objectives", "line_item_scales", "line_items", "result_objectives", "result_scales", "results",
    "roles_history", "score_scales", "scored_attempts", "standings", "user_profiles", "user_resources",
)  # fmt: skip
"""Of these a school's key sees what is of its people and classes; a row for each school is put there."""
OF_THE_WHOLE_ALONE = ("identity_changes", "identity_events", "identity_reviews")
"""What is decided about people is nothing that a school's key sees."""
OF_ALL_SCHOOLS = (
    "assessed_competencies", "assessed_forms", "assessed_items", "categories", "course_resources", "mergers",
    "resources",
)  # fmt: skip
"""These name nobody (a merger: two ids); a school's key sees what its district has of them."""
ONE_OF_A_DISTRICT = ("guard_settings", "revisions")
WHOLE |= {
    **dict.fromkeys((*OF_A_SCHOOL, *OF_THE_WHOLE_ALONE, *OF_ALL_SCHOOLS), 2), **dict.fromkeys(ONE_OF_A_DISTRICT, 1)
}  # fmt: skip
NORTH |= {
    **dict.fromkeys(OF_A_SCHOOL, 1), **dict.fromkeys(OF_THE_WHOLE_ALONE, 0), **dict.fromkeys(OF_ALL_SCHOOLS, 2),
    **dict.fromkeys(ONE_OF_A_DISTRICT, 1),
}  # fmt: skip
OPEN_TO_SCHOOLS = {"academic_sessions", "courses", *OF_ALL_SCHOOLS, *ONE_OF_A_DISTRICT}
SCHOOL_POLICIES = sorted(set(WHOLE) - OPEN_TO_SCHOOLS)
KERNEL = {"imports", "import_findings"}
"""Every service has these; they have a test of their own."""
ANYTHING = {
    "bigint": 1, "boolean": False, "bytea": b"", "date": TODAY, "double precision": 0.0, "integer": 1, "jsonb": "{}",
    "smallint": 1, "text": "x", "timestamp with time zone": datetime.now(UTC), "ARRAY": [],
}  # fmt: skip


def _files() -> Roster:
    """Five students; the last, of north, left yesterday."""
    return a_roster(students=5).put("enrollments", f"s004,student,,{BEGAN},{ENDS}", f"s004,student,,{BEGAN},{ENDED}")


@pytest.fixture(scope="module")
async def two_districts(lasting_roster: RosterService, postgres: Server) -> RosterService:
    """The same files in two districts, and a row for each school in every other table. Nothing here changes it."""
    database = lasting_roster.database.dsn.rpartition("/")[2]
    owner = await asyncpg.connect(postgres.admin_dsn.rpartition("/")[0] + f"/{database}")
    for district in (DISTRICT, OTHER_DISTRICT):
        await lasting_roster.load(_files().zip(), district=district)
        for school, student in (("north", "s000"), ("south", "s001")):
            for table in (*OF_A_SCHOOL, *OF_THE_WHOLE_ALONE, *OF_ALL_SCHOOLS):
                await _put(owner, table, district, school, student)
        await _put(owner, "guard_settings", district, "north", "s000")
    await owner.close()
    return lasting_roster


async def _put(owner: Connection, table: str, district: UUID, school: str, student: str) -> None:
    """A row of a school, its class and a student of it; what else it must hold is anything."""
    said = {
        "district_id": district,
        "sourced_id": f"{table}-{school}",
        "person_id": an_id("user", student, district),
        "school_id": an_id("org", school, district),
        "org_id": an_id("org", school, district),
        "class_id": an_id("class", f"class-{school}", district),
        "line_item": f"line_items-{school}",
        "result": f"results-{school}",
        "assessment_line_item": f"assessment_line_items-{school}",
        "assessment_result": f"assessment_results-{school}",
    }
    columns = await owner.fetch(
        """
        SELECT column_name AS name, data_type AS type, is_nullable = 'NO' AS is_needed FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER'
          AND (column_default IS NULL OR column_name = ANY ($2))
        """,
        table, list(said),
    )  # fmt: skip
    row = {
        column["name"]: said[column["name"]]
        if column["name"] in said
        else uuid4()
        if column["type"] == "uuid"
        else f"{school}"
        if column["type"] == "text"
        else ANYTHING[column["type"]]
        for column in columns
        if column["is_needed"] or column["name"] in said
    }
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await owner.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


async def _seen(tx: Connection, *schools: str) -> dict[str, int]:
    """How many rows of each table a caller of the first district sees; below zero when some are another's."""
    named = ",".join(str(an_id("org", school)) for school in schools)
    await tx.execute(
        "SELECT set_config('app.district', $1, true), set_config('app.schools', $2, true)", str(DISTRICT), named
    )
    counts = {}
    for table in WHOLE:
        rows = await tx.fetch(f"SELECT district_id FROM {table}")
        strangers = [row for row in rows if row["district_id"] != DISTRICT]
        counts[table] = len(rows) if not strangers else -len(strangers)
    return counts


async def _is_isolated(roster: RosterService, server: Server, *changes: str) -> bool:
    """Whether every kind of caller sees exactly what is theirs, were the schema changed so. It is not changed."""
    database = roster.database.dsn.rpartition("/")[2]
    role = roster.database.dsn.partition("://")[2].partition(":")[0]
    connection = await asyncpg.connect(server.admin_dsn.rpartition("/")[0] + f"/{database}")
    try:
        trying = connection.transaction()
        await trying.start()
        for change in changes:
            await connection.execute(change)
        await connection.execute(f'SET LOCAL ROLE "{role}"')
        is_isolated = await _seen(connection) == WHOLE and await _seen(connection, "north") == NORTH
        await trying.rollback()
        return is_isolated
    finally:
        await connection.close()


class TestIsolation:
    async def test_each_caller_sees_exactly_what_is_theirs(
        self, two_districts: RosterService, postgres: Server
    ) -> None:
        assert await _is_isolated(two_districts, postgres)

    @pytest.mark.parametrize(("schools", "expected"), [(None, WHOLE), (("north",), NORTH)])
    async def test_a_transaction_of_the_service_sees_the_same(
        self, two_districts: RosterService, schools: tuple[str, ...] | None, expected: dict[str, int]
    ) -> None:
        caller = a_caller(schools=schools)

        seen = {table: len(await two_districts.look(f"SELECT 1 FROM {table}", caller=caller)) for table in WHOLE}

        assert seen == expected

    async def test_a_key_of_both_schools_sees_the_people_of_both(self, two_districts: RosterService) -> None:
        people = await two_districts.look("SELECT 1 FROM people", caller=a_caller(schools=("north", "south")))

        assert len(people) == 6

    async def test_a_key_of_no_school_sees_nobody(self, two_districts: RosterService) -> None:
        rows = await two_districts.look("SELECT * FROM people", caller=a_caller(schools=()))

        assert rows == []

    async def test_a_school_of_another_district_opens_nothing(self, two_districts: RosterService) -> None:
        caller = a_caller()
        stranger = type(caller)(
            DISTRICT, "key:test", caller.scopes, caller.purpose, (an_id("org", "north", OTHER_DISTRICT),)
        )

        assert await two_districts.look("SELECT * FROM people", caller=stranger) == []

    async def test_without_a_district_there_is_nothing(self, two_districts: RosterService) -> None:
        connection = await asyncpg.connect(two_districts.database.dsn)
        try:
            for table in WHOLE:
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
        finally:
            await connection.close()

    @pytest.mark.parametrize("table", sorted(WHOLE))
    async def test_nobody_writes_into_another_district(self, two_districts: RosterService, table: str) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with two_districts.database.transaction(a_caller()) as tx:
                await tx.run(f"UPDATE {table} SET district_id = $1", OTHER_DISTRICT)

    async def test_the_database_is_found_safe(self, two_districts: RosterService) -> None:
        await check_row_level_security(two_districts.database.dsn)

    async def test_a_table_without_a_policy_is_refused_at_the_start(
        self, roster: RosterService, owner_dsn: OwnerDsn
    ) -> None:
        owner = await asyncpg.connect(owner_dsn(roster.database))
        await owner.execute("CREATE TABLE open_to_all (district_id uuid)")
        await owner.close()

        with pytest.raises(NotSafe, match="open_to_all"):
            await check_row_level_security(roster.database.dsn)


class TestEachPolicyIsNeeded:
    @pytest.mark.parametrize("table", sorted(WHOLE))
    async def test_without_the_district_policy_the_probe_fails(
        self, two_districts: RosterService, postgres: Server, table: str
    ) -> None:
        assert not await _is_isolated(two_districts, postgres, f"DROP POLICY district ON {table}")

    @pytest.mark.parametrize("table", sorted(WHOLE))
    async def test_with_a_district_policy_that_lets_all_through_the_probe_fails(
        self, two_districts: RosterService, postgres: Server, table: str
    ) -> None:
        assert not await _is_isolated(two_districts, postgres, f"ALTER POLICY district ON {table} USING (true)")

    @pytest.mark.parametrize("table", SCHOOL_POLICIES)
    async def test_without_the_school_policy_the_probe_fails(
        self, two_districts: RosterService, postgres: Server, table: str
    ) -> None:
        assert not await _is_isolated(two_districts, postgres, f"DROP POLICY school ON {table}")

    async def test_no_policy_was_forgotten_here(self, two_districts: RosterService) -> None:
        rows = await two_districts.look("SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public'")

        policies = {(row["tablename"], row["policyname"]) for row in rows}
        assert {policy for policy in policies if policy[0] not in KERNEL} == {
            *((table, "district") for table in WHOLE),
            *((table, "school") for table in SCHOOL_POLICIES),
        }
        assert {table for table, name in policies if name == "district"} == {table for table, _ in policies}
