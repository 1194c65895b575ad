"""Everybody is called something else: who is certain goes on, who is not is asked about, and all can be undone."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from services.roster.store import identity, revisions
from shared.auth import Caller
from shared.db import Database, Transaction
from tests.integration.roster.migration import Migration, Pupil, a_migration

FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
CALLER = Caller.system(DISTRICT, "import:test")
_USERS = """
    line int, refused boolean, sourced_id text COLLATE "C", status text, user_ids text, given_name text,
    family_name text, identifier text, user_master_identifier text, preferred_given_name text
"""
_DEMOGRAPHICS = 'line int, refused boolean, sourced_id text COLLATE "C", status text, birth_date text'
_ROWS = (
    "people", "demographics", "crosswalk", "orgs", "academic_sessions", "courses", "classes", "identity_reviews",
)  # fmt: skip


def an_id(name: str) -> UUID:
    return uuid5(DISTRICT, f"sis:user:{name}")


async def knows(tx: Transaction, people: Iterable[Pupil], revision: int = 1) -> None:
    """These people are on the roster."""
    rows = [
        (an_id(p.sourced_id), p.sourced_id, p.given, p.family, p.local, p.state, [p.user_ids] if p.user_ids else [])
        for p in people
    ]
    await tx.run_many(
        """
        INSERT INTO people (district_id, id, sourced_id, status, metadata, revision, since, is_student, is_teacher,
                            enabled, given_name, family_name, identifier, user_master_identifier, user_ids, grades,
                            agent_ids)
        VALUES (current_setting('app.district')::uuid, $1, $2, 'active', '{}', 1, 1, true, false, true, $3, $4, $5, $6,
                $7, '{}', '{}')
        """,
        rows,
    )
    await tx.run_many(
        """
        INSERT INTO crosswalk (district_id, source, type, sourced_id, row_id, begin_on)
        VALUES (current_setting('app.district')::uuid, 'sis', 'user', $2, $1, '2024-08-01')
        """,
        [row[:2] for row in rows],
    )
    await tx.run_many(
        """
        INSERT INTO demographics (district_id, person_id, sourced_id, status, metadata, revision, since, birth_on)
        VALUES (current_setting('app.district')::uuid, $1, $2, 'active', '{}', 1, 1, $3)
        """,
        [(an_id(p.sourced_id), p.sourced_id, p.born) for p in people if p.born],
    )


async def comes(tx: Transaction, people: Iterable[Pupil]) -> None:
    """A file with these people is staged."""
    await tx.temp("s_users", _USERS)
    await tx.temp("s_demographics", _DEMOGRAPHICS)
    await tx.copy(
        "s_users",
        ["line", "refused", "sourced_id", "given_name", "family_name", "identifier", "user_master_identifier",
         "user_ids"],
        [(n, False, p.sourced_id, p.given, p.family, p.local, p.state, p.user_ids) for n, p in enumerate(people, 2)],
    )  # fmt: skip
    await tx.copy(
        "s_demographics",
        ["line", "refused", "sourced_id", "birth_date"],
        [(n, False, p.sourced_id, p.born.isoformat()) for n, p in enumerate(people, 2) if p.born],
    )
    await tx.run("ANALYZE s_users, s_demographics")


async def image(database: Database) -> dict[str, list[Any]]:
    """Every row that an identity is about, but for the number of its last change."""
    async with database.reading(CALLER) as tx:
        return {
            place: sorted(
                row["image"]
                for row in await tx.fetch(f"SELECT (to_jsonb(t) - 'revision')::text AS image FROM {place} t")
            )
            for place in _ROWS
        }


async def meaning(tx: Transaction) -> dict[str, UUID]:
    """Whom each name means today."""
    rows = await tx.fetch("SELECT sourced_id, row_id FROM crosswalk WHERE source = 'sis' AND end_on IS NULL")
    return {row["sourced_id"]: row["row_id"] for row in rows}


async def check(database: Database, migration: Migration) -> str:
    """Nobody is confused, nearly all go on, the doubtful are asked about, the undoing is exact; how many of each."""
    async with database.transaction(CALLER) as tx:
        await knows(tx, migration.before)
    before = await image(database)
    import_id = uuid4()

    async with database.transaction(CALLER) as tx:
        await comes(tx, migration.after)
        found = await identity.recognise(tx, import_id, bulk={"users"}, unknown={"users"})
        named = await meaning(tx)

    confused = {
        name for name, was in migration.truth.items() if name in named and (was is None or named[name] != an_id(was))
    }
    assert confused == set()
    others = [name for name, was in migration.truth.items() if was is not None and name not in migration.look_alikes]
    attached = sum(name in named for name in others)
    assert attached >= 0.999 * len(others)
    assert found.reattached["users"] == sum(name in named for name in migration.truth)
    assert found.reviews > 0
    asked = set(await _asked(database))
    strangers = {name for name, was in migration.truth.items() if was is None}
    assert strangers <= asked

    async with database.transaction(CALLER) as tx:
        number = await revisions.begin(tx)
        undone = await identity.undo_import(tx, import_id, number)
        await revisions.stamp(tx, number)

    assert undone == found.reattached["users"]
    assert await image(database) == before
    return (
        f"{attached:,} of {len(others):,} who are like nobody else reattached, {len(confused)} of all confused, "
        f"{found.reviews:,} on the list, {undone:,} undone row by row"
    )


async def _asked(database: Database) -> Sequence[str]:
    async with database.reading(CALLER) as tx:
        return [row["sourced_id"] for row in await tx.fetch("SELECT sourced_id FROM identity_reviews")]


async def test_two_thousand_new_names_with_fifty_look_alikes(fresh_database: FreshDatabase) -> None:
    await check(await fresh_database("roster"), a_migration(2_000, 50))


@pytest.mark.long
@pytest.mark.parametrize("seed", [7, 8, 9])
async def test_twenty_thousand_new_names_with_five_hundred_look_alikes(
    fresh_database: FreshDatabase, seed: int
) -> None:
    said = await check(await fresh_database("roster"), a_migration(20_000, 500, seed))
    print(f"seed {seed}: {said}")  # noqa: T201  # for the report


ADA = Pupil("S1", "Ada", "O'Neill", date(2012, 3, 4), "77001", "1001")


async def recognised(database: Database, known: Sequence[Pupil], now: Sequence[Pupil]) -> tuple[dict[str, UUID], Any]:
    async with database.transaction(CALLER) as tx:
        await knows(tx, known)
        await comes(tx, now)
        await identity.recognise(tx, uuid4(), bulk={"users"}, unknown={"users"})
        return await meaning(tx), await tx.fetch(
            "SELECT sourced_id, candidate_id, reason, agrees FROM identity_reviews"
        )


async def test_who_is_still_named_is_nobody_elses_former_self(fresh_database: FreshDatabase) -> None:
    double = Pupil("S2", "Ada", "O'Neill", date(2012, 3, 4), "77001", "1001")

    named, reviews = await recognised(await fresh_database("roster"), [ADA], [ADA, double])

    assert named == {"S1": an_id("S1")}
    assert reviews == []


async def test_an_id_of_the_state_among_user_ids_is_claimed_like_any_other(fresh_database: FreshDatabase) -> None:
    left = Pupil("S1", "Ada", "O'Neill", date(2012, 3, 4), None, "1001", "{State:77001}")
    known = Pupil("S2", "Ben", "Okafor", date(2011, 1, 2), None, "1002", "{State:77002}")
    claims_it_now = Pupil("S2", "Ben", "Okafor", date(2011, 1, 2), None, "1002", "{State:77001},{LDAP:ben}")
    comes_new = Pupil("N1", "Ada", "O'Neill", date(2012, 3, 4), None, "1003", "{State:77001}")

    named, reviews = await recognised(await fresh_database("roster"), [left, known], [claims_it_now, comes_new])

    assert "N1" not in named
    assert [(row["sourced_id"], row["reason"]) for row in reviews] == [("N1", "state-id-shared")]


async def test_of_two_who_could_be_her_neither_is_guessed(fresh_database: FreshDatabase) -> None:
    again = [
        Pupil(name, "Ada", "O'Neill", date(2012, 3, 4), "77001", local) for name, local in (("A", "1"), ("B", "2"))
    ]

    named, reviews = await recognised(await fresh_database("roster"), [ADA], again)

    assert named == {"S1": an_id("S1")}
    assert sorted((row["sourced_id"], row["reason"]) for row in reviews) == [
        ("A", "state-id-shared"), ("B", "state-id-shared"),
    ]  # fmt: skip
