"""Nobody sees another district's row, and a school's key sees its own people of today. Each policy is needed."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from services.roster.handlers import RosterImport
from shared.db import Database
from shared.migrate import NotSafe, check_row_level_security
from tests.integration.roster.archives import BEGAN, ENDED, ENDS, Roster, a_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, RosterService, a_caller, an_id

FreshDatabase = Callable[[str], Awaitable[Database]]
OwnerDsn = Callable[[Database], str]

WHOLE = {
    "orgs": 3, "academic_sessions": 2, "courses": 1, "classes": 2, "people": 7, "roles": 7, "enrollments": 7,
    "demographics": 5, "crosswalk": 29, "placements": 7,
}  # fmt: skip
"""What a key of the district sees: two schools, two teachers, five students."""
NORTH = {
    "orgs": 1, "academic_sessions": 2, "courses": 1, "classes": 1, "people": 3, "roles": 3, "enrollments": 3,
    "demographics": 2, "crosswalk": 8, "placements": 4,
}  # fmt: skip
"""What a key of the school north sees: its class, its teacher, two students; not the one who left."""
SCHOOL_POLICIES = sorted(set(WHOLE) - {"academic_sessions", "courses"})


def _files() -> Roster:
    """Five students; the last, of north, left yesterday."""
    return a_roster(students=5).put("enrollments", f"s004,student,,{BEGAN},{ENDS}", f"s004,student,,{BEGAN},{ENDED}")


@pytest.fixture
async def two_districts(fresh_database: FreshDatabase) -> RosterService:
    service = RosterService(await fresh_database("roster"), RosterImport())
    for district in (DISTRICT, OTHER_DISTRICT):
        await service.load(_files().zip(), district=district)
    return service


async def _seen(roster: RosterService, *schools: str) -> dict[str, int]:
    caller = a_caller(schools=schools or None)
    counts = {}
    for table in WHOLE:
        rows = await roster.look(f"SELECT district_id FROM {table}", caller=caller)
        strangers = [row for row in rows if row["district_id"] != DISTRICT]
        counts[table] = len(rows) if not strangers else -len(strangers)
    return counts


async def _is_isolated(roster: RosterService) -> bool:
    """Every kind of caller sees exactly what is theirs."""
    return await _seen(roster) == WHOLE and await _seen(roster, "north") == NORTH


class TestIsolation:
    async def test_each_caller_sees_exactly_what_is_theirs(self, two_districts: RosterService) -> None:
        assert await _seen(two_districts) == WHOLE
        assert await _seen(two_districts, "north") == NORTH

    async def test_a_key_of_both_schools_sees_the_people_of_both(self, two_districts: RosterService) -> None:
        seen = await _seen(two_districts, "north", "south")

        assert (seen["people"], seen["classes"], seen["orgs"]) == (6, 2, 2)

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
        self, two_districts: RosterService, owner_dsn: OwnerDsn
    ) -> None:
        await _as_owner(owner_dsn(two_districts.database), "CREATE TABLE open_to_all (district_id uuid)")

        with pytest.raises(NotSafe, match="open_to_all"):
            await check_row_level_security(two_districts.database.dsn)


class TestEachPolicyIsNeeded:
    @pytest.mark.parametrize("table", sorted(WHOLE))
    async def test_without_the_district_policy_the_probe_fails(
        self, two_districts: RosterService, owner_dsn: OwnerDsn, table: str
    ) -> None:
        await _as_owner(owner_dsn(two_districts.database), f"DROP POLICY district ON {table}")

        assert not await _is_isolated(two_districts)

    @pytest.mark.parametrize("table", sorted(WHOLE))
    async def test_with_a_district_policy_that_lets_all_through_the_probe_fails(
        self, two_districts: RosterService, owner_dsn: OwnerDsn, table: str
    ) -> None:
        await _as_owner(owner_dsn(two_districts.database), f"ALTER POLICY district ON {table} USING (true)")

        assert not await _is_isolated(two_districts)

    @pytest.mark.parametrize("table", SCHOOL_POLICIES)
    async def test_without_the_school_policy_the_probe_fails(
        self, two_districts: RosterService, owner_dsn: OwnerDsn, table: str
    ) -> None:
        await _as_owner(owner_dsn(two_districts.database), f"DROP POLICY school ON {table}")

        assert not await _is_isolated(two_districts)

    async def test_no_policy_was_forgotten_here(self, two_districts: RosterService) -> None:
        rows = await two_districts.look("""
            SELECT tablename, policyname FROM pg_policies WHERE tablename NOT IN ('imports', 'import_findings')
        """)

        assert {(row["tablename"], row["policyname"]) for row in rows} == {
            *((table, "district") for table in WHOLE),
            *((table, "school") for table in SCHOOL_POLICIES),
        }


async def _as_owner(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
