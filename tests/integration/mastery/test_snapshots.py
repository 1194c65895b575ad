"""Snapshots count everybody once, say nothing of small groups, and are taken when they are due."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from services.mastery.handlers.snapshots import Snapshots
from services.mastery.peers import Roster
from shared import crash
from shared.auth import Caller, Purpose, Tokens
from shared.client import ServiceClient
from shared.errors import Forbidden
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from tests.integration.mastery.conftest import (
    DISTRICT,
    OTHER_DISTRICT,
    SECRET,
    MasteryService,
    a_caller,
    a_form,
    a_placement,
    a_uuid,
    an_administration,
    an_attempt,
)
from tests.integration.work import at_work

FORM = a_form("A", [["add"], ["sub"]])
NOT_REACHED = 253
SCHOOLS = {"north": 12, "south": 30, "small": 4}
TREE = [("district", None), *((school, "district") for school in SCHOOLS)]
HIDDEN = {
    "learners": None, "strength": None, "need": None, "need_lower": None, "need_upper": None, "suppressed": True,
}  # fmt: skip


class RosterStandIn:
    """Answers for the roster, unless it is away; of some districts it tells what cannot be read."""

    def __init__(self) -> None:
        self.is_away = False
        self.confuses: set[UUID] = set()
        self.asked: list[UUID] = []
        self.tree: Sequence[tuple[str, str | None]] = TREE
        self.app = FastAPI()
        self.app.add_api_route("/organisations:tree", self._tree, methods=["POST"])

    async def _tree(self, request: Request) -> Any:
        asking = Tokens(SECRET).read(request.headers["authorization"].removeprefix("Bearer ")).district
        self.asked.append(asking)
        if self.is_away:
            return JSONResponse({"code": "UNAVAILABLE", "detail": "away"}, 503)
        if asking in self.confuses:
            return [{"id": "not an id", "parent": None, "type": "school"}]
        return [
            {
                "id": str(a_uuid(name)),
                "parent": str(a_uuid(parent)) if parent else None,
                "type": "school" if parent else "district",
            }
            for name, parent in self.tree
        ]


class District:
    """A mastery service whose snapshots the test takes by hand."""

    def __init__(self, mastery: MasteryService, roster: RosterStandIn, job: Snapshots) -> None:
        self.mastery = mastery
        self.roster = roster
        self.job = job

    async def learns(self, schools: dict[str, int] = SCHOOLS, *, at: int = 10) -> None:
        """This many students of each school do the form: every third fails, every second has not reached the end."""
        await self.mastery.knows(FORM)
        for school, students in schools.items():
            names = [f"{school}{number}" for number in range(students)]
            await self.mastery.places(
                *(a_placement(name, (school, None, None), ("other", None, None)) for name in names)
            )
            await self.mastery.scored(
                *(
                    an_attempt(name, "A", [number % 3 > 0, NOT_REACHED if number % 2 else 1], at)
                    for number, name in enumerate(names)
                )
            )

    async def snapshot(self, caller: Caller | None = None) -> None:
        """Ask for a snapshot, and take it."""
        await self.mastery.client.post("/snapshots", {}, caller or an_administrator())
        await self.job.take_due()

    async def areas(
        self, *organisations: str, within: Sequence[str] | None = None, caller: Caller | None = None
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """Figures by organisation and competency."""
        found = await self.mastery.client.post(
            "/areas:batch-list",
            {
                "organisations": [str(a_uuid(one)) for one in organisations or [name for name, _ in TREE]],
                "within": None if within is None else [str(a_uuid(one)) for one in within],
            },
            caller or a_caller(),
        )
        return {
            _name(one["organisation"]): {_name(area.pop("competency")): area for area in one["areas"]} for one in found
        }

    async def look(self, sql: str, district: UUID = DISTRICT) -> list[Any]:
        async with self.mastery.database.reading(Caller.system(district, "test")) as tx:
            return [tuple(row) for row in await tx.fetch(sql)]

    async def comes_due(self, at: datetime) -> None:
        """Time passes: what is due at this moment is due now."""
        async with self.mastery.database.system() as tx:
            touched = await tx.changed(
                "UPDATE stage.snapshots_due SET due_at = now() - interval '1 second' WHERE due_at = $1", at
            )
        assert touched == 1


def an_administrator(district: UUID = DISTRICT) -> Caller:
    return a_caller(district, purpose=Purpose.ADMINISTRATION)


def _name(id_: str) -> str:
    return UUID(id_).bytes.rstrip(b".").decode()


@pytest.fixture
async def district(mastery: MasteryService) -> AsyncIterator[District]:
    roster = RosterStandIn()
    client = ServiceClient("http://roster", Tokens(SECRET), transport=httpx.ASGITransport(roster.app))
    yield District(mastery, roster, Snapshots(mastery.database, Roster(client), threshold=10))
    await client.close()


class TestTheFigures:
    async def test_are_what_plain_counting_gives(self, district: District) -> None:
        await district.learns()
        names = [f"{school}{number}" for school, students in SCHOOLS.items() for number in range(students)]
        believed = await district.mastery.mastery_of(*names)

        await district.snapshot()

        found = await district.areas("south", "district")
        for organisation, its in (("south", "south"), ("district", "")):
            known = [one["add"][0] for name, one in believed.items() if name.startswith(its)]
            ends = [found[organisation]["add"].pop(end) for end in ("need_lower", "need_upper")]
            assert 0 <= ends[0] < found[organisation]["add"]["need"] < ends[1] <= 1
            assert found[organisation]["add"] == {
                "learners": len(known),
                "strength": pytest.approx(sum(known) / len(known), abs=0.0051),
                "need": pytest.approx(sum(p < 0.5 for p in known) / len(known), abs=0.0051),
                "suppressed": False,
            }
        assert found["south"]["add"]["learners"] == 30
        assert found["district"]["sub"]["learners"] == 23

    async def test_of_a_small_school_are_hidden_and_so_is_what_would_tell_them(self, district: District) -> None:
        await district.learns()

        await district.snapshot()

        add = {organisation: areas["add"] for organisation, areas in (await district.areas()).items()}
        assert add["small"] == add["north"] == HIDDEN
        assert [add[one]["learners"] for one in ("south", "district")] == [30, 46]
        stored = await district.look("SELECT learners, strength, need FROM snapshot_areas WHERE suppressed")
        assert set(stored) == {(None, None, None)}

    async def test_are_the_same_when_nothing_has_changed(self, district: District) -> None:
        await district.learns()
        await district.snapshot()
        first, withheld = await district.areas(), await district.look("SELECT * FROM withheld ORDER BY 1, 2, 3, 4")

        await district.snapshot()

        assert await district.areas() == first
        assert await district.look("SELECT * FROM withheld ORDER BY 1, 2, 3, 4") == withheld
        assert await district.look("SELECT count(*) FROM snapshots") == [(2,)]

    async def test_leave_out_what_was_withdrawn(self, district: District) -> None:
        await district.learns({"south": 30})
        attempt = an_attempt("south0", "A", [0, 1], 10, version=2)
        attempt.withdrawn = True

        await district.mastery.scored(attempt)
        await district.snapshot()

        assert (await district.areas("south"))["south"]["add"]["learners"] == 29

    async def test_count_only_who_is_placed_today(self, district: District) -> None:
        await district.learns({"south": 30})
        await district.mastery.places(a_placement("south0", ("south", None, 1)), a_placement("south1"))

        await district.snapshot()

        assert (await district.areas("south"))["south"]["add"]["learners"] == 28

    async def test_can_be_asked_for_a_part_of_a_framework(self, district: District) -> None:
        await district.learns({"south": 30})
        await district.snapshot()
        async with district.mastery.database.transaction(Caller.system(DISTRICT, "test")) as tx:
            await tx.run(
                """
                INSERT INTO associations VALUES
                    ($1, $2, $2, 'a', 'isChildOf', $2, $3, 1, '{}'), ($1, $3, $3, 'b', 'isChildOf', $3, $4, 1, '{}'),
                    ($1, $4, $4, 'c', 'precedes', $5, $4, 1, '{}')
                """,
                DISTRICT, a_uuid("add"), a_uuid("arithmetic"), a_uuid("maths"), a_uuid("sub"),
            )  # fmt: skip

        assert set((await district.areas("south", within=["maths"]))["south"]) == {"add"}
        assert await district.areas("south", within=["poetry"]) == {}


class TestWhoMayAsk:
    async def test_a_key_of_named_schools_sees_these_alone(self, district: District) -> None:
        await district.learns()
        await district.snapshot()

        assert set(await district.areas(caller=a_caller(schools=["south"]))) == {"south"}
        assert await district.areas(caller=a_caller(schools=["other"])) == {}
        assert await district.look("SELECT count(*) FROM withheld") != [(0,)]
        async with district.mastery.database.reading(a_caller(schools=["small"])) as tx:
            assert await tx.fetch("SELECT * FROM withheld") == []

    async def test_another_district_sees_nothing(self, district: District) -> None:
        await district.learns()
        await district.snapshot()

        assert await district.areas(caller=a_caller(OTHER_DISTRICT)) == {}
        assert await district.mastery.client.get("/snapshots/latest", a_caller(OTHER_DISTRICT)) == {
            "taken_at": None, "due_at": None
        }  # fmt: skip

    @pytest.mark.parametrize(
        "caller", [a_caller(purpose=Purpose.ACCOUNTABILITY), a_caller(scopes=["roster:read"])], ids=["purpose", "scope"]
    )
    async def test_figures_are_not_for_every_key(self, district: District, caller: Caller) -> None:
        with pytest.raises(Forbidden):
            await district.areas(caller=caller)
        with pytest.raises(Forbidden):
            await district.mastery.client.get("/snapshots/latest", caller)

    @pytest.mark.parametrize(
        "caller",
        [a_caller(), a_caller(purpose=Purpose.ADMINISTRATION, schools=["south"])],
        ids=["instruction", "a school"],
    )
    async def test_a_snapshot_is_asked_for_by_the_districts_administration(
        self, district: District, caller: Caller
    ) -> None:
        with pytest.raises(Forbidden):
            await district.mastery.client.post("/snapshots", {}, caller)


class TestWhenTheyAreTaken:
    async def test_when_an_administration_closes(self, district: District) -> None:
        closes = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        planned = an_administration("fall")
        planned.closes_at = int(closes.timestamp()) * 1_000_000
        await district.mastery.hears(assessment.AdministrationPlanned, planned)
        await district.learns({"south": 30})
        async with district.mastery.database.system() as tx:  # `learns` plans a window that closed in 1970
            await tx.run("DELETE FROM stage.snapshots_due WHERE due_at < now()")

        await district.job.take_due()
        assert await district.look("SELECT 1 FROM snapshots") == []
        await district.comes_due(closes)
        await district.job.take_due()

        assert (await district.areas("south"))["south"]["add"]["learners"] == 30

    async def test_every_night_from_the_first_forms_on(self, district: District) -> None:
        await district.mastery.hears(assessment.FormPublished, FORM)
        (first,) = await district.look("SELECT due_at FROM stage.snapshots_due")
        await district.comes_due(first[0])

        await district.job.take_due()

        (second,) = await district.look("SELECT due_at FROM stage.snapshots_due")
        assert (second[0].astimezone(UTC).hour, second[0].minute) == (2, 0)
        assert timedelta(0) < second[0] - datetime.now(UTC) <= timedelta(days=1)

    async def test_at_once_when_asked_for_while_the_job_runs(self, district: District) -> None:
        await district.learns({"south": 30})

        async with at_work(district.job.work()):
            asked = await district.mastery.client.post("/snapshots", {}, an_administrator())
            for _ in range(400):
                if (await district.mastery.client.get("/snapshots/latest", a_caller()))["taken_at"]:
                    break
                await asyncio.sleep(0.05)

        assert asked["due_at"] is not None
        assert (await district.areas("south"))["south"]["add"]["learners"] == 30

    async def test_once_although_two_processes_look(self, district: District) -> None:
        await district.learns({"south": 30})
        await district.mastery.client.post("/snapshots", {}, an_administrator())

        await asyncio.gather(*(district.job.take_due() for _ in range(2)))

        assert await district.look("SELECT count(*) FROM snapshots") == [(1,)]

    async def test_later_when_the_roster_is_away(self, district: District) -> None:
        await district.learns({"south": 30})
        district.roster.is_away = True
        await district.snapshot()
        assert await district.areas() == {}
        assert await district.look("SELECT 1 FROM stage.snapshots_due WHERE due_at <= now()") != []

        district.roster.is_away = False
        await district.job.take_due()

        assert (await district.areas("south"))["south"]["add"]["learners"] == 30

    async def test_again_after_ever_longer_waits_when_they_fail(self, district: District) -> None:
        await district.mastery.client.post("/snapshots", {}, an_administrator())
        district.roster.confuses.add(DISTRICT)

        waits = []
        for _ in range(6):
            before = datetime.now(UTC)
            await district.job.take_due()
            await district.job.take_due()
            [(due,)] = await district.look("SELECT due_at FROM stage.snapshots_due")
            waits.append(round((due - before) / timedelta(minutes=1)))
            await district.comes_due(due)

        assert waits == [1, 5, 15, 30, 60, 60]
        assert len(district.roster.asked) == 6
        district.roster.confuses.clear()
        await district.job.take_due()
        assert await district.look("SELECT count(*) FROM snapshots") == [(1,)]
        district.roster.confuses.add(DISTRICT)
        before = datetime.now(UTC)
        await district.snapshot()
        [(due,)] = await district.look("SELECT min(due_at) FROM stage.snapshots_due")
        assert due - before < timedelta(minutes=2)  # what went well in between starts the waits anew

    async def test_of_the_other_districts_when_they_fail_for_one(self, district: District) -> None:
        district.roster.confuses.add(DISTRICT)
        for one in (DISTRICT, OTHER_DISTRICT):
            await district.mastery.client.post("/snapshots", {}, an_administrator(one))

        for _ in range(3):
            await district.job.take_due()

        assert district.roster.asked == [DISTRICT, OTHER_DISTRICT]
        assert await district.look("SELECT count(*) FROM snapshots", OTHER_DISTRICT) == [(1,)]
        assert await district.look("SELECT count(*) FROM snapshots") == [(0,)]

    async def test_at_once_when_asked_for_although_the_last_failed(self, district: District) -> None:
        district.roster.confuses.add(DISTRICT)
        await district.snapshot()
        district.roster.confuses.clear()

        await district.snapshot()

        assert await district.look("SELECT count(*) FROM snapshots") == [(1,)]

    async def test_anew_after_a_kill_which_leaves_the_former_one(self, district: District) -> None:
        await district.learns({"south": 30})
        await district.snapshot()
        await district.learns({"south": 40}, at=20)

        with crash.armed("S1"), pytest.raises(crash.Crashed):
            await district.snapshot()
        assert (await district.areas("south"))["south"]["add"]["learners"] == 30
        await district.job.take_due()

        assert (await district.areas("south"))["south"]["add"]["learners"] == 40

    async def test_and_kept_for_a_week_and_the_last_of_each_month(self, district: District) -> None:
        await district.learns({"south": 30})
        month = "date_trunc('month', now() - interval '100 days')"
        for taken_at in (
            "now() - interval '3 days'",
            f"{month} + interval '5 days'",
            f"{month} + interval '6 days'",
            "now() - interval '1000 days'",
        ):
            await district.snapshot()
            async with district.mastery.database.transaction(Caller.system(DISTRICT, "test")) as tx:
                await tx.run(f"UPDATE snapshots SET taken_at = {taken_at} WHERE taken_at > now() - interval '1 hour'")

        await district.snapshot()

        kept = await district.look("SELECT id FROM snapshots")
        assert len(kept) == 3  # today's, that of three days ago, and the last of its month
        assert set(await district.look("SELECT DISTINCT snapshot_id FROM snapshot_areas")) == set(kept)
