"""Nobody sees another district's row, and a school's key sees its own people of today. Each policy is needed."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from deploy.postgres import Server
from shared.db import Database
from shared.migrate import NotSafe, check_row_level_security
from tests.integration.roster.archives import BEGAN, ENDED, ENDS, Roster, a_roster
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
SCHOOL_POLICIES = sorted(set(WHOLE) - {"academic_sessions", "courses"})


def _files() -> Roster:
    """Five students; the last, of north, left yesterday."""
    return a_roster(students=5).put("enrollments", f"s004,student,,{BEGAN},{ENDS}", f"s004,student,,{BEGAN},{ENDED}")


@pytest.fixture(scope="module")
async def two_districts(lasting_roster: RosterService) -> RosterService:
    """The same files in two districts. The tests here leave it as it is."""
    for district in (DISTRICT, OTHER_DISTRICT):
        await lasting_roster.load(_files().zip(), district=district)
    return lasting_roster


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
        assert {policy for policy in policies if policy[0] in WHOLE} == {
            *((table, "district") for table in WHOLE),
            *((table, "school") for table in SCHOOL_POLICIES),
        }
        assert {table for table, name in policies if name == "district"} == {table for table, _ in policies}
