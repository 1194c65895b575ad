"""Another model: everybody is traced anew from the ledger, and told so; nothing is lost on the way."""

from collections.abc import Callable
from typing import Any

from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.mastery.domain.model import DEFAULT
from services.mastery.handlers.retracing import Retracing
from shared import migrate
from shared.auth import Caller
from shared.db import Database
from tests.integration.mastery.conftest import (
    DISTRICT,
    OTHER_DISTRICT,
    MasteryService,
    a_caller,
    a_form,
    a_placement,
    an_attempt,
)

FORM = a_form("A", [["add"], ["add", "sub"], ["sub"]], b=[[0.5], [-1], [2]])


async def of_an_earlier_model(mastery: MasteryService, district: Any) -> None:
    """As if these beliefs had been left by another model."""
    async with mastery.database.transaction(Caller.system(district, "test")) as tx:
        await tx.run("UPDATE mastery SET model_version = 'an-earlier-one', probabilities = uppers")
    async with mastery.database.system() as tx:
        await tx.run("UPDATE stage.traced SET model_version = 'an-earlier-one' WHERE district_id = $1", district)


async def test_students_of_an_earlier_model_are_traced_anew_and_announced(mastery: MasteryService) -> None:
    for district in (DISTRICT, OTHER_DISTRICT):
        await mastery.knows(FORM, district=district)
        await mastery.scored(
            *[an_attempt(f"s{number}", "A", [1, 0, 1], number) for number in range(1_030)], district=district
        )
    await mastery.scored(an_attempt("s7", "A", [1, 0, 1], 7, version=2, withdrawn=True))
    whole, elsewhere = await mastery.stored(), await mastery.stored(OTHER_DISTRICT)
    said = len(await mastery.announced())
    await of_an_earlier_model(mastery, DISTRICT)
    assert await mastery.stored() != whole

    await Retracing(mastery.database).trace()

    assert await mastery.stored() == whole
    assert await mastery.stored(OTHER_DISTRICT) == elsewhere
    anew = (await mastery.announced())[said:]
    assert len(anew) == 1_029
    assert {one.model_version for one in anew} == {DEFAULT.version}
    await Retracing(mastery.database).trace()
    assert len(await mastery.announced()) == said + 1_029


async def test_until_then_the_answer_names_the_model_it_comes_from(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.places(a_placement("ada", ("north", None, None)), a_placement("ben", ("south", None, None)))
    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 5), an_attempt("ben", "A", [1, 0, 1], 5))
    await of_an_earlier_model(mastery, DISTRICT)
    asked = {"students": await _ids(mastery)}

    await mastery.scored(an_attempt("ben", "A", [1, 1, 1], 6))

    answer = await mastery.client.post("/mastery:columns", asked, a_caller())
    assert {one["model_version"] for one in answer["students"]} == {"an-earlier-one", DEFAULT.version}
    north = await mastery.client.post("/mastery:columns", asked, a_caller(schools=["north"]))
    assert [one["model_version"] for one in north["students"]] == ["an-earlier-one"]


async def _ids(mastery: MasteryService) -> list[str]:
    async with mastery.database.reading(Caller.system(DISTRICT, "test")) as tx:
        return [str(row["student_id"]) for row in await tx.fetch("SELECT student_id FROM mastery")]


async def test_what_the_former_release_believed_can_be_anything_until_it_is_traced_anew(
    mastery: MasteryService, owner_dsn: Callable[[Database], str]
) -> None:
    plain = a_form("A", [["add"], ["add", "sub"], ["sub"]])
    await mastery.knows(plain)
    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 5), an_attempt("ben", "A", [1, 1, 1], 6))
    whole = await mastery.stored()
    dsn = owner_dsn(mastery.database)
    await _down(dsn, "mastery_0004")
    async with mastery.database.transaction(Caller.system(DISTRICT, "test")) as tx:
        await tx.run("UPDATE mastery SET model_version = 'bkt-1:p.30,l.10,g.20,s.10'")

    await migrate.upgrade(dsn, "mastery", f"{mastery.database.name}_app")

    asked = {"students": await _ids(mastery)}
    answer = await mastery.client.post("/mastery:columns", asked, a_caller())
    assert [(one["lowers"], one["uppers"]) for one in answer["students"]] == [([0, 0], [1, 1])] * 2
    await Retracing(mastery.database).trace()
    assert await mastery.stored() == whole


async def _down(owner_dsn: str, revision: str) -> None:
    settings = migrate.config("mastery")
    engine = create_async_engine(owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)

    def climb(connection: Connection) -> None:
        settings.attributes["connection"] = connection
        command.downgrade(settings, revision)

    async with engine.begin() as connection:
        await connection.run_sync(climb)
    await engine.dispose()
