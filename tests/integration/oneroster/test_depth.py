"""What a page costs: the same wherever it begins, also after something changed. Counted in pages of PostgreSQL."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from services.roster.store.oneroster import lists
from shared.auth import Caller
from shared.db import Plans, Transaction
from shared.looking import NAMED, Look
from tests.integration.oneroster.conftest import ROSTERING, Rest, a_caller
from tests.integration.oneroster.district import Change, small_district

USERS = f"{ROSTERING}/users"
AT_MOST = 2.0
"""How much more the deepest page may cost than the first."""


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which collections are walked through, as it happens."""
    seen: list[str] = []
    walked = lists.walked

    async def counted(tx: Transaction, question: Any, *rest: Any) -> Any:
        seen.append(question.collection.name)
        return await walked(tx, question, *rest)

    monkeypatch.setattr(lists, "walked", counted)
    return seen


async def _people(rest: Rest, count: int) -> None:
    """People u0000000, u0000001 … with a role each."""
    async with rest.district.change() as change:
        district = rest.district.caller.district
        await change.add("orgs", "school")
        await change.tx.run(
            """
            WITH made AS (
                INSERT INTO people (district_id, id, sourced_id, status, is_student, is_teacher, enabled, given_name,
                    family_name, user_ids, grades, agent_ids, revision, since)
                SELECT $1, gen_random_uuid(), 'u' || lpad(n::text, 7, '0'), 'active', true, false, true, 'Given',
                    'Family', '{}', '{07}', '{}', $2, $2
                FROM generate_series(0, $3 - 1) n RETURNING id, sourced_id)
            INSERT INTO roles (district_id, sourced_id, status, person_id, org_id, role, role_type, revision, since)
            SELECT $1, 'r' || m.sourced_id, 'active', m.id, o.id, 'student', 'primary', $2, $2
            FROM made m, orgs o
            """,
            district, change.number, count,
        )  # fmt: skip


async def _elsewhere(change: Change) -> None:
    """A hundred more schools, with a class each, and those people dealt into them. The planner knows of them."""
    await change.tx.run(
        """
        WITH schools AS (
            INSERT INTO orgs
            SELECT (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(), 'sourced_id', 's' || n))).*
            FROM orgs o, generate_series(0, 99) n WHERE o.sourced_id = 'south'
            RETURNING id, sourced_id),
        classes AS (
            INSERT INTO classes
            SELECT (jsonb_populate_record(c, jsonb_build_object(
                'id', gen_random_uuid(), 'sourced_id', 'c' || substr(s.sourced_id, 2), 'school_id', s.id))).*
            FROM classes c, schools s WHERE c.sourced_id = 'south-7a'
            RETURNING id, sourced_id, school_id)
        INSERT INTO enrollments (district_id, sourced_id, status, person_id, class_id, school_id, role, revision, since)
        SELECT p.district_id, 'e' || p.sourced_id, 'active', p.id, c.id, c.school_id, 'student', $1, $1
        FROM people p JOIN classes c ON c.sourced_id = 'c' || substr(p.sourced_id, 2)::int % 100
        WHERE p.sourced_id LIKE 'u0%'
        """,
        change.number,
    )
    await change.tx.run("ANALYZE orgs, classes, people, roles, enrollments, placements")


async def _plan(
    rest: Rest, path: str, monkeypatch: pytest.MonkeyPatch, caller: Caller | None = None, reads: int = 1
) -> dict[str, Any]:
    """What PostgreSQL does for the statement that makes the answer, which is read so often."""
    said: list[tuple[str, tuple[Any, ...]]] = []

    def heard(fetchrow: Any) -> Any:
        async def hear(self: Any, sql: str, *values: Any) -> Any:
            said.append((sql.replace(NAMED, "true"), values))
            return await fetchrow(self, sql, *values)

        return hear

    with monkeypatch.context() as patched:
        for reader in (Transaction, Look):
            patched.setattr(reader, "fetchrow", heard(reader.fetchrow))
        await rest.get(path, caller)
    bodies = [one for one in said if "AS body" in one[0]]
    assert len(bodies) == reads
    sql, values = bodies[-1]
    async with rest.database.looking(caller or a_caller(), Plans.ONCE) as tx:
        row = await tx.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *values)
    plan: dict[str, Any] = json.loads(row)[0]["Plan"]
    return plan


async def _cost(rest: Rest, path: str, monkeypatch: pytest.MonkeyPatch, *, reads: int = 1) -> int:
    """How many of its pages PostgreSQL touches for that statement."""
    plan = await _plan(rest, path, monkeypatch, reads=reads)
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _passed_over(plan: dict[str, Any]) -> int:
    """How many rows were looked at and left out."""
    own = plan.get("Rows Removed by Filter", 0) * plan["Actual Loops"]
    return int(own + sum(_passed_over(part) for part in plan.get("Plans", ())))


async def test_the_deepest_page_costs_what_the_first_does(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    await _people(rest, 5_000)
    first = await _cost(rest, f"{USERS}?limit=100", monkeypatch)

    deep = await _cost(rest, f"{USERS}?limit=100&offset=4000", monkeypatch)

    assert deep <= AT_MOST * first, (first, deep)


@pytest.mark.long
async def test_so_it_does_among_half_a_million_also_after_something_changed(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, walks: list[str]
) -> None:
    await _people(rest, 500_000)
    first = await _cost(rest, f"{USERS}?limit=100", monkeypatch)
    walks.clear()
    async with rest.district.change() as change:
        await change.end("people", "u0000007")

    moved = await _cost(rest, f"{USERS}?limit=100&offset=400000", monkeypatch, reads=2)  # and where it was before
    deep = await _cost(rest, f"{USERS}?limit=100&offset=300000", monkeypatch)

    assert moved <= AT_MOST * first, (first, moved)
    assert deep <= AT_MOST * first, (first, deep)
    assert walks == []
    assert (await rest.names(f"{USERS}?limit=1&offset=400000")) == ["u0400001"]


async def test_what_touches_nobody_of_a_list_leaves_it_as_it_is_known(rest: Rest, walks: list[str]) -> None:
    await _people(rest, 1_000)
    await rest.names(f"{USERS}?limit=100")
    walks.clear()
    async with rest.district.change() as change:
        await change.add("categories", "homework", title="Homework")
        await change.change("people", "u0000500", given_name="Changed")
        await change.end("roles", "ru0000007")

    answer = await rest.ask(f"{USERS}?limit=2&offset=800")

    assert [one["sourcedId"] for one in answer.json()["users"]] == ["u0000800", "u0000801"]
    assert answer.headers["x-total-count"] == "1000"
    assert walks == []


async def test_who_joins_and_leaves_is_counted_without_a_walk(rest: Rest, walks: list[str]) -> None:
    await _people(rest, 1_000)
    await rest.names(f"{USERS}?limit=100")
    walks.clear()
    there = [f"u{number:07}" for number in range(1_000)]

    for step in range(8):
        async with rest.district.change() as change:
            for name in there[step * 90 : step * 90 + 6]:
                await change.end("people", name)
            await change.add("people", f"t{step}")
            await change.add("people", f"u0000{step}55a", is_student=True)
        there = sorted({*there, f"t{step}", f"u0000{step}55a"} - set(there[step * 90 : step * 90 + 6]))
        for offset in (0, 333, 700, len(there) - 10):
            answer = await rest.ask(f"{USERS}?limit=10&offset={offset}")
            assert [one["sourcedId"] for one in answer.json()["users"]] == there[offset : offset + 10]
            assert answer.headers["x-total-count"] == str(len(there))

    assert walks == []


async def test_a_revision_that_was_begun_before_the_list_was_known_is_not_missed(rest: Rest) -> None:
    """Revisions are numbered when they begin, and seen in the order in which they are committed."""
    await _people(rest, 300)
    async with rest.district.change() as slow:
        async with rest.district.change() as quick:
            await quick.add("people", "t0")
        assert (await rest.ask(f"{USERS}?limit=10")).headers["x-total-count"] == "301"
        await slow.add("people", "t1")

    answer = await rest.ask(f"{USERS}?limit=2")

    assert answer.headers["x-total-count"] == "302"
    assert [one["sourcedId"] for one in answer.json()["users"]] == ["t0", "t1"]


async def test_where_identities_became_others_the_list_is_walked_through_again(rest: Rest, walks: list[str]) -> None:
    """A person who is called otherwise has left a place in the list that nothing tells of."""
    await _people(rest, 300)
    await rest.names(f"{USERS}?limit=10")
    walks.clear()
    async with rest.district.change() as change:
        await change.tx.run(
            "UPDATE people SET sourced_id = 'a', revision = $1 WHERE sourced_id = 'u0000250'", change.number
        )
        await change.tx.run(
            """
            INSERT INTO identity_events (district_id, id, revision, kind, type, row_id, subject)
            SELECT $1, $2, $3, 'reattached', 'user', id, 'tests' FROM people WHERE sourced_id = 'a'
            """,
            change.tx.caller.district, uuid4(), change.number,
        )  # fmt: skip

    assert await rest.names(f"{USERS}?limit=2&offset=250") == ["u0000249", "u0000251"]
    assert walks == ["users"]


async def test_the_list_of_a_class_follows_its_enrollments(rest: Rest, walks: list[str]) -> None:
    """Another table decides who belongs."""
    async with rest.district.change() as change:
        await small_district(change)
    path = f"{ROSTERING}/classes/north-7a/students?limit=1"
    assert (await rest.ask(path)).headers["x-total-count"] == "3"
    async with rest.district.change() as change:
        await change.end("enrollments", "north-s1-7a")

    assert (await rest.ask(path)).headers["x-total-count"] == "2"
    assert await rest.names(f"{path}&offset=1") == ["north-s2"]


async def test_a_few_are_found_among_many_without_looking_at_the_others(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a reference, by a school, and by a key for a school."""
    await _people(rest, 3_000)
    async with rest.district.change() as change:
        await small_district(change)
        await _elsewhere(change)
    of_school = a_caller(("north",))

    found = {
        path: (
            await _plan(rest, f"{ROSTERING}/{path}", monkeypatch, caller),
            await rest.names(f"{ROSTERING}/{path}", caller),
        )
        for path, caller in (
            ("enrollments?filter=class.sourcedId='north-7a'", None),
            ("enrollments?filter=user.sourcedId='north-s0'", None),
            ("schools/north/students", None),
            ("users", of_school),
            ("enrollments", of_school),
        )
    }

    assert {path: len(names) for path, (_, names) in found.items()} == {
        "enrollments?filter=class.sourcedId='north-7a'": 4,
        "enrollments?filter=user.sourcedId='north-s0'": 1,
        "schools/north/students": 3,
        "users": 4,
        "enrollments": 4,
    }
    assert {path: _passed_over(plan) for path, (plan, _) in found.items() if _passed_over(plan) > 100} == {}
