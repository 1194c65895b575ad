"""An upgrade in the middle of an import."""

from collections.abc import Callable

import pytest
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared import crash, migrate
from shared.db import Database
from tests.integration.assessment.conftest import AssessmentService, a_caller, answers
from tests.integration.assessment.test_answers_import import SHEETS


async def to_revision(owner_dsn: str, step: Callable[..., None], revision: str) -> None:
    settings = migrate.config("assessment")
    engine = create_async_engine(owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)

    def climb(connection: Connection) -> None:
        settings.attributes["connection"] = connection
        step(settings, revision)

    async with engine.begin() as connection:
        await connection.run_sync(climb)
    await engine.dispose()


async def test_what_was_staged_in_the_former_shape_is_read_again_after_an_upgrade(
    assessment: AssessmentService, owner_dsn: Callable[[Database], str]
) -> None:
    await assessment.knows_forms()
    import_id = await assessment.stage("answers", answers(*SHEETS))
    with crash.armed("I1", time=2), pytest.raises(crash.Crashed):
        await assessment.finish(import_id)
    kept = await assessment.attempts()
    dsn = owner_dsn(assessment.database)
    await to_revision(dsn, command.downgrade, "assessment_0001")
    async with assessment.database.transaction(a_caller()) as tx:
        await tx.run("UPDATE imports SET state = 'merging', cursor = 3 WHERE id = $1", import_id)

    await migrate.upgrade(dsn, "assessment", f"{assessment.database.name}_app")
    report = await assessment.finish(import_id)

    assert len(kept) == 2
    assert report.state == "applied"
    assert report.counts == {"added": 4, "changed": 0, "unchanged": 2, "refused": 0}
    now = await assessment.attempts()
    assert len(now) == 6
    assert all(row in now for row in kept)
