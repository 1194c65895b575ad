"""A roster's import killed at ten points: begun again, it ends as if nothing had happened, row by row."""

import asyncio
import random
from typing import Any, NamedTuple

import pytest

from shared import crash
from shared.db import Transaction
from tests.integration.roster.archives import BEGAN, ENDS, Roster, a_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, RosterService, a_caller
from tests.integration.roster.rows import Rows, facts_of, rows_of

_PROGRESS = "UPDATE imports SET state = $2, done = $3, total"
"""How a statement begins that is said every half second: slow machines say more of them."""


def _second() -> Roster:
    """Another year's roster: someone new, someone gone, someone who moves, a new name."""
    files = a_roster(students=60).drop("users", "s000,").drop("roles", "r-s000,")
    files.drop("enrollments", "e-s000,").drop("demographics", "s000,")
    files.put("enrollments", "e-s001,,,class-south,south", "e-s001,,,class-north,north")
    files.add("users", "new,,,true,new,,Ada,Lovelace,,,,,,,4,,,,,,,,")
    files.add("enrollments", f"e-new,,,class-north,north,new,student,,{BEGAN},{ENDS}")
    return files.put("users", "Given2,Family002", "Bea,Family002")


async def _rows(roster: RosterService, district: Any) -> Rows:
    """Everything the district has, and what it has announced."""
    async with roster.database.reading(a_caller(district)) as tx:
        found = await rows_of(tx.fetch, district)
    async with roster.database.system() as tx:
        found["facts"] = await facts_of(tx.fetch, district)
    return found


class _Died(BaseException):
    """As if the process had ended here."""


def _die_at(context: pytest.MonkeyPatch, statement: int) -> list[str]:
    """Let the process die at a statement, counted from 1; the list fills with what ran. 0: nobody dies."""
    run, ran = Transaction.run, list[str]()

    async def mortal(tx: Transaction, sql: str, *values: Any) -> str:
        if not sql.lstrip().startswith(_PROGRESS):
            ran.append(sql)
            if len(ran) == statement:
                raise _Died
        return await run(tx, sql, *values)

    context.setattr(Transaction, "run", mortal)
    return ran


class _Undisturbed(NamedTuple):
    """What two imports in a row leave when nobody dies, and how many statements the second one takes."""

    rows: Rows
    statements: int


@pytest.fixture(scope="module")
async def undisturbed(lasting_roster: RosterService) -> _Undisturbed:
    await lasting_roster.load(a_roster(students=60).zip(), district=OTHER_DISTRICT)
    second = await lasting_roster.stage(_second().zip(), district=OTHER_DISTRICT)
    with pytest.MonkeyPatch.context() as counting:
        ran = _die_at(counting, 0)
        await lasting_roster.imports.advance(second, OTHER_DISTRICT)
    assert (await lasting_roster.report(second, OTHER_DISTRICT)).state == "applied"
    return _Undisturbed(await _rows(lasting_roster, OTHER_DISTRICT), len(ran))


@pytest.mark.parametrize("seed", range(7))
async def test_a_death_at_any_statement_leaves_nothing_and_changes_nothing(
    roster: RosterService, undisturbed: _Undisturbed, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await roster.load(a_roster(students=60).zip())
    before = await _rows(roster, DISTRICT)
    import_id = await roster.stage(_second().zip())

    with monkeypatch.context() as dying:
        _die_at(dying, random.Random(seed).randint(1, undisturbed.statements))
        with pytest.raises(_Died):
            await roster.imports.advance(import_id, DISTRICT)
    assert await _rows(roster, DISTRICT) == before
    await roster.imports.advance(import_id, DISTRICT)

    assert (await roster.report(import_id)).state == "applied"
    assert await _rows(roster, DISTRICT) == undisturbed.rows


@pytest.mark.parametrize(("point", "time"), [("I1", 1), ("I1", 2), ("I2", 1), ("I2", 2), ("W1", 2)])
async def test_a_death_at_a_known_point_leaves_nothing_and_changes_nothing(
    roster: RosterService, undisturbed: _Undisturbed, point: str, time: int
) -> None:
    await roster.load(a_roster(students=60).zip())
    before = await _rows(roster, DISTRICT)
    import_id = await roster.stage(_second().zip())

    with crash.armed(point, time=time), pytest.raises(crash.Crashed):
        await roster.imports.advance(import_id, DISTRICT)
    assert await _rows(roster, DISTRICT) == before
    await roster.imports.advance(import_id, DISTRICT)

    assert await _rows(roster, DISTRICT) == undisturbed.rows


async def test_two_districts_at_once_do_not_wait_for_each_other(roster: RosterService) -> None:
    both = [
        (await roster.stage(a_roster(students=60).zip(), district=district), district)
        for district in (DISTRICT, OTHER_DISTRICT)
    ]

    await asyncio.gather(*(roster.imports.advance(import_id, district) for import_id, district in both))

    assert [(await roster.report(*one)).state for one in both] == ["applied", "applied"]
    assert await _rows(roster, DISTRICT) == await _rows(roster, OTHER_DISTRICT)
