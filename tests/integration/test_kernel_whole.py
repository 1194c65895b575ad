"""Imports that are taken whole: in one transaction, held for a person, only reported, taken back; two at once."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared import crash
from shared.auth import SCOPES, Caller, Purpose, Tokens
from shared.db import Database, Transaction
from shared.errors import Conflict
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from shared.http import build_app
from shared.imports import DRY_RUN, SWITCH, Imports, Job, Report, SameKeyOtherFile, Verdict, deciding, report_of
from tests.integration.test_kernel import Lines, a_placement, body_of, outbox
from tests.integration.work import at_work

FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER = UUID("22222222-2222-4222-8222-222222222222")
THIRD = UUID("33333333-3333-4333-8333-333333333333")
TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")


def a_caller(district: UUID = DISTRICT, scopes: frozenset[str] = SCOPES) -> Caller:
    return Caller(district, "key:someone", scopes, Purpose.ADMINISTRATION)


class Letters:
    """Every line is a row and is announced: `bad` breaks a rule, `doubtful` asks a person, `slow` waits."""

    kind = "letters"
    in_order = True
    options: Mapping[str, tuple[str, ...]] = {DRY_RUN: SWITCH, "order": ("up", "down")}

    def __init__(self) -> None:
        self.taken: list[tuple[UUID, Mapping[str, str], bool]] = []
        self.let_go = asyncio.Event()
        self.waiting = asyncio.Event()
        self.mistakes = 0

    async def take(self, job: Job, tx: Transaction) -> Verdict:
        self.taken.append((tx.caller.district, dict(job.options), job.approved))
        if self.mistakes:
            self.mistakes -= 1
            raise RuntimeError("a mistake of ours")
        lines = [line async for piece in job.chunks() for line in piece.decode().splitlines()]
        for number, line in enumerate(lines, 1):
            if line == "bad":
                job.problem(file="letters", line=number, value=line, rule="not-bad", remedy="Say something good.")
            elif line == "doubtful" and not job.approved:
                job.hold(file="letters", line=number, value=line, rule="doubt", remedy="Look, and approve it.")
            elif line.startswith("="):
                job.repair(file="letters", line=number, value=line, rule="sign", remedy="Taken as it is.")
            elif line == "slow":
                job.progress(number, len(lines))
                job.merging()
                self.waiting.set()
                await self.let_go.wait()
        job.counts.added = len(lines)
        job.summary["lines"] = len(lines)
        tx.announce(roster.StudentsPlaced, [a_placement(line.ljust(16).encode()) for line in lines])
        await tx.run(
            "INSERT INTO inbox (listener, envelope, type, facts) VALUES ('letters', gen_random_uuid(), $1, 1)",
            str(job.id),
        )
        if job.is_on(DRY_RUN):
            return Verdict.REPORTED
        return Verdict.HELD if job.holds else Verdict.APPLIED

    async def undo(self, job: Job, tx: Transaction) -> Mapping[str, Any]:
        if self.mistakes:
            self.mistakes -= 1
            raise ZeroDivisionError
        tx.announce(roster.StudentsPlaced, [a_placement(b"undone".ljust(16))])
        return {"came_back": 3}


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> Database:
    return await fresh_database("kernel")


class World:
    """The imports of a service, with a door."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.letters = Letters()
        self.imports = Imports(database, [self.letters, Lines()])
        app = build_app(name="kernel", database=database, tokens=TOKENS, routers=[self.imports.router])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kernel")

    async def ask(self, method: str, path: str, *, caller: Caller | None = None, body: str = "") -> httpx.Response:
        headers = {"authorization": f"Bearer {TOKENS.sign(caller or a_caller())}"}
        return await self.http.request(method, path, headers=headers, content=body)

    async def stage(self, text: str, *, district: UUID = DISTRICT, **options: str) -> UUID:
        return await self.imports.stage(a_caller(district), "letters", body_of(text), False, None, options)

    async def load(self, text: str, *, district: UUID = DISTRICT, **options: str) -> Report:
        import_id = await self.stage(text, district=district, **options)
        await self.imports.advance(import_id, district)
        return await self.report(import_id, district)

    async def report(self, import_id: UUID, district: UUID = DISTRICT) -> Report:
        async with self.database.reading(a_caller(district)) as tx:
            return await report_of(tx, import_id)

    async def rows(self, table: str) -> int:
        async with self.database.system() as tx:
            return int(await tx.fetchval(f"SELECT count(*) FROM {table}"))

    async def until(self, import_id: UUID, state: str, district: UUID = DISTRICT) -> Report:
        async with asyncio.timeout(20):
            while True:
                found = await self.report(import_id, district)
                if found.state == state:
                    return found
                await asyncio.sleep(0.02)


@pytest.fixture
async def world(database: Database) -> World:
    return World(database)


class TestOneTransaction:
    async def test_applies_all_of_it(self, world: World) -> None:
        found = await world.load("one\ntwo\n")

        assert (found.state, found.verdict, found.counts["added"]) == ("applied", "accepted", 2)
        assert found.summary == {"lines": 2}
        assert await world.rows("inbox") == 1
        assert sum(one.facts for one in await outbox(world.database)) == 2
        assert await world.rows("stage.uploads") == await world.rows("stage.queue") == 0

    @pytest.mark.parametrize("text", ["one\nbad\n", "one\ndoubtful\n"])
    async def test_undoes_all_of_it_when_it_is_not_applied_and_its_report_stays(self, world: World, text: str) -> None:
        found = await world.load(text)

        assert found.state in ("refused", "held")
        assert len(found.problems) + len(found.holds) == 1
        assert found.summary == {"lines": 2}
        assert await world.rows("inbox") == 0
        assert await outbox(world.database) == []

    @pytest.mark.parametrize("point", ["I1", "I2", "W1"])
    async def test_begins_again_after_a_death_anywhere(self, world: World, point: str) -> None:
        import_id = await world.stage("one\n=two\n")

        with crash.armed(point, time=5 if point == "W1" else 1), pytest.raises(crash.Crashed):
            await world.imports.advance(import_id, DISTRICT)
        await world.imports.advance(import_id, DISTRICT)

        found = await world.report(import_id)
        assert (found.state, found.counts["added"], found.repair_count) == ("applied", 2, 1)
        assert await world.rows("inbox") == 1
        assert sum(one.facts for one in await outbox(world.database)) == 2

    async def test_fails_by_a_mistake_of_ours_and_holds_up_nobody(self, world: World) -> None:
        world.letters.mistakes = 1
        wrong, right = await world.stage("one\n"), await world.stage("two\n")

        async with at_work(world.imports.work()):
            await world.until(right, "applied")

        assert (await world.report(wrong)).verdict == "failed"
        assert await world.rows("stage.uploads") == 0

    async def test_is_given_up_when_processes_end_over_it_again_and_again(self, world: World) -> None:
        import_id = await world.stage("one\n")
        async with world.database.transaction(a_caller()) as tx:
            await tx.run("UPDATE imports SET attempts = 20")

        await world.imports._worker._attempt(import_id, DISTRICT)

        assert (await world.report(import_id)).state == "failed"
        assert world.letters.taken == []

    async def test_is_not_done_again_by_a_worker_that_lost_its_lock(self, world: World) -> None:
        import_id = await world.stage("slow\n")
        first = asyncio.create_task(world.imports.advance(import_id, DISTRICT))
        await world.letters.waiting.wait()

        second = asyncio.create_task(world.imports.advance(import_id, DISTRICT))
        await asyncio.sleep(0.2)
        world.letters.let_go.set()
        done = await asyncio.gather(first, second, return_exceptions=True)

        assert done[0] is None
        assert (await world.report(import_id)).state == "applied"
        assert await world.rows("inbox") == 1

    async def test_shows_how_far_it_is_while_it_goes_on(self, world: World) -> None:
        import_id = await world.stage("one\nslow\nthree\n")
        working = asyncio.create_task(world.imports.advance(import_id, DISTRICT))

        shown = await world.until(import_id, "merging")
        world.letters.let_go.set()
        await working

        assert (shown.done, shown.total, shown.verdict) == (2, 3, None)
        assert (await world.report(import_id)).state == "applied"


class TestTwoDistricts:
    async def test_are_imported_at_once_and_a_slow_one_does_not_hold_up_a_fast_one(self, world: World) -> None:
        slow = await world.stage("slow\n")
        fast = await world.stage("one\n", district=OTHER)

        async with at_work(world.imports.work()):
            await world.until(fast, "applied", OTHER)
            meanwhile = (await world.report(slow)).state
            world.letters.let_go.set()
            await world.until(slow, "applied")

        assert meanwhile in ("validating", "merging")

    async def test_never_means_two_imports_of_one(self, world: World) -> None:
        slow, behind = await world.stage("slow\n"), await world.stage("one\n")
        fast = await world.stage("one\n", district=OTHER)

        async with at_work(world.imports.work()):
            await world.until(fast, "applied", OTHER)
            await asyncio.sleep(0.3)
            waiting = (await world.report(behind)).state
            world.letters.let_go.set()
            await world.until(behind, "applied")

        assert waiting == "staged"
        assert (await world.report(slow)).state == "applied"


class TestAHeldImport:
    async def test_waits_for_a_person_with_its_files(self, world: World) -> None:
        found = await world.load("one\ndoubtful\n")

        assert (found.state, found.verdict, found.hold_count) == ("held", "held", 1)
        assert [(one.line, one.rule, one.remedy) for one in found.holds] == [(2, "doubt", "Look, and approve it.")]
        assert found.kept_until is not None
        assert found.kept_until - found.updated_at > timedelta(days=29)
        assert await world.rows("stage.uploads") == 1
        assert await world.rows("stage.queue") == 0

    async def test_is_applied_when_it_is_approved_and_who_did_is_kept(self, world: World) -> None:
        held = await world.load("one\ndoubtful\n")

        answer = await world.ask("POST", f"/imports/{held.id}:approve")
        await world.imports.advance(held.id, DISTRICT)

        found = await world.report(held.id)
        assert (answer.status_code, answer.json()["state"]) == (200, "staged")
        assert (found.state, found.approved_by, found.holds, found.kept_until) == ("applied", "key:someone", [], None)
        assert found.approved_at is not None
        assert world.letters.taken[-1] == (DISTRICT, {}, True)
        assert await world.rows("stage.uploads") == await world.rows("stage.kept") == 0

    async def test_is_refused_when_it_is_rejected(self, world: World) -> None:
        held = await world.load("doubtful\n")

        await world.ask("POST", f"/imports/{held.id}:reject")

        found = await world.report(held.id)
        assert (found.state, found.verdict, found.rejected_by) == ("refused", "refused", "key:someone")
        assert await world.rows("stage.uploads") == await world.rows("stage.kept") == await world.rows("inbox") == 0

    async def test_is_given_up_after_thirty_days(self, world: World) -> None:
        held, younger = await world.load("doubtful\n"), await world.load("doubtful\n")
        async with world.database.system() as tx:
            await tx.run("UPDATE stage.kept SET until = now() - interval '1 second' WHERE import_id = $1", held.id)

        await deciding.give_up_expired(world.database)

        assert ((await world.report(held.id)).state, (await world.report(younger.id)).state) == ("expired", "held")
        assert await world.rows("stage.uploads") == 1
        assert (await world.ask("POST", f"/imports/{held.id}:approve")).status_code == 409

    @pytest.mark.parametrize("decision", ["approve", "reject", "apply", "undo"])
    async def test_is_decided_about_by_nobody_without_the_scope_the_district_or_the_import(
        self, world: World, decision: str
    ) -> None:
        held = await world.load("doubtful\n")
        path = f"/imports/{held.id}:{decision}"
        reader = a_caller(scopes=SCOPES - {"imports:write"})
        of_school = Caller(DISTRICT, "key:school", SCOPES, Purpose.ADMINISTRATION, (OTHER,))

        assert (await world.ask("POST", path, caller=reader)).status_code == 403
        assert (await world.ask("POST", path, caller=of_school)).status_code == 403
        assert (await world.ask("POST", path, caller=a_caller(OTHER))).status_code == 404
        assert (await world.report(held.id)).state == "held"

    async def test_is_decided_about_once(self, world: World) -> None:
        held = await world.load("doubtful\n")

        answers = [(await world.ask("POST", f"/imports/{held.id}:approve")).status_code for _ in range(2)]

        assert answers == [200, 409]
        assert await world.rows("stage.queue") == 1


class TestOvertakenByANewerOne:
    @pytest.mark.parametrize(("decision", "options"), [("approve", {}), ("apply", {"dry_run": "true"})])
    async def test_is_not_taken_up_again(self, world: World, decision: str, options: dict[str, str]) -> None:
        older = await world.load("doubtful\n", **options)
        newer = await world.load("one\n")

        answer = await world.ask("POST", f"/imports/{older.id}:{decision}")

        assert answer.status_code == 409
        assert f"letters-{newer.id}, has been applied since" in answer.json()["detail"]
        assert "send this one again" in answer.json()["detail"]
        assert (await world.report(older.id)).state == older.state
        assert await world.rows("stage.queue") == 0

    async def test_that_still_waits_is_not_let_past(self, world: World) -> None:
        older = await world.load("doubtful\n")
        newer = await world.stage("one\n")

        answer = await world.ask("POST", f"/imports/{older.id}:approve")

        assert answer.status_code == 409
        assert f"letters-{newer}, is under way" in answer.json()["detail"]

    async def test_is_taken_up_when_the_newer_one_changed_nothing(self, world: World) -> None:
        older = await world.load("doubtful\n")
        undone = await world.load("one\n")
        await world.ask("POST", f"/imports/{undone.id}:undo")
        await world.imports.advance(undone.id, DISTRICT)
        await world.load("bad\n")
        await world.load("doubtful\n")
        await world.load("one\n", dry_run="true")
        await world.stage("two\n", dry_run="true")
        await world.load("one\n", district=OTHER)

        assert (await world.ask("POST", f"/imports/{older.id}:approve")).status_code == 200

    async def test_is_taken_up_where_files_do_not_speak_of_everything(self, world: World) -> None:
        world.letters.in_order = False
        older = await world.load("doubtful\n")
        await world.load("one\n")

        assert (await world.ask("POST", f"/imports/{older.id}:approve")).status_code == 200


class TestADryRun:
    async def test_changes_nothing_and_can_be_applied(self, world: World) -> None:
        reported = await world.load("one\n", dry_run="true")
        nothing = await world.rows("inbox")

        await world.ask("POST", f"/imports/{reported.id}:apply")
        await world.imports.advance(reported.id, DISTRICT)

        found = await world.report(reported.id)
        assert (reported.state, reported.verdict, nothing) == ("reported", "reported", 0)
        assert (found.state, found.options, await world.rows("inbox")) == ("applied", {}, 1)

    async def test_that_is_applied_is_held_like_any_other(self, world: World) -> None:
        reported = await world.load("doubtful\n", dry_run="true")

        await world.ask("POST", f"/imports/{reported.id}:apply")
        await world.imports.advance(reported.id, DISTRICT)

        assert (await world.report(reported.id)).state == "held"

    async def test_is_not_applied_when_its_files_are_gone(self, world: World) -> None:
        reported = await world.load("one\n", dry_run="true")
        async with world.database.system() as tx:
            await tx.run("UPDATE stage.kept SET until = now() - interval '1 second'")
        await deciding.give_up_expired(world.database)

        answer = await world.ask("POST", f"/imports/{reported.id}:apply")

        assert (answer.status_code, (await world.report(reported.id)).state) == (409, "reported")


class TestTakenBack:
    async def test_within_thirty_days(self, world: World) -> None:
        applied = await world.load("one\n")

        await world.ask("POST", f"/imports/{applied.id}:undo")
        await world.imports.advance(applied.id, DISTRICT)

        found = await world.report(applied.id)
        assert (found.state, found.verdict, found.undone_by) == ("undone", "accepted", "key:someone")
        assert found.summary == {"lines": 1, "undone": {"came_back": 3}}
        assert found.undone_at is not None

    async def test_says_that_it_failed_until_it_is_done(self, world: World) -> None:
        first, other = await world.load("one\n"), await world.load("two\n")
        await world.ask("POST", f"/imports/{first.id}:undo")
        world.letters.mistakes = 1
        working = asyncio.create_task(world.imports.work())
        try:
            await world.until(first.id, "applied")
        finally:
            working.cancel()

        failed = await world.report(first.id)
        await world.ask("POST", f"/imports/{first.id}:undo")
        await world.imports.advance(first.id, DISTRICT)

        assert (failed.undone_by, failed.undone_at) == (None, None)
        assert failed.summary["undo_failed"]["by"] == "key:someone"
        assert failed.summary["undo_failed"]["reason"].startswith("A mistake of ours")
        assert datetime.fromisoformat(failed.summary["undo_failed"]["at"]).tzinfo is not None
        assert "undo_failed" not in (await world.report(other.id)).summary
        done = await world.report(first.id)
        assert (done.state, done.undone_by) == ("undone", "key:someone")
        assert done.summary == {"lines": 1, "undone": {"came_back": 3}}

    async def test_after_a_death_begins_again(self, world: World) -> None:
        applied = await world.load("one\n")
        await world.ask("POST", f"/imports/{applied.id}:undo")

        with crash.armed("I2"), pytest.raises(crash.Crashed):
            await world.imports.advance(applied.id, DISTRICT)
        await world.imports.advance(applied.id, DISTRICT)

        assert (await world.report(applied.id)).state == "undone"
        assert sum(one.facts for one in await outbox(world.database)) == 2

    async def test_not_later_and_not_twice_and_not_what_was_never_applied(self, world: World) -> None:
        old, undone, held = await world.load("one\n"), await world.load("two\n"), await world.load("doubtful\n")
        async with world.database.transaction(a_caller()) as tx:
            await tx.run("UPDATE imports SET applied_at = now() - interval '31 days' WHERE id = $1", old.id)
        await world.ask("POST", f"/imports/{undone.id}:undo")
        await world.imports.advance(undone.id, DISTRICT)

        for one in (old, undone, held):
            answer = await world.ask("POST", f"/imports/{one.id}:undo")
            assert (answer.status_code, answer.json()["code"]) == (409, Conflict.code)

    async def test_not_by_an_importer_that_cannot(self, world: World) -> None:
        import_id = await world.imports.stage(a_caller(), "lines", body_of("one\n"), False, None)
        await world.imports.advance(import_id, DISTRICT)

        answer = await world.ask("POST", f"/imports/{import_id}:undo")

        assert answer.status_code == 409
        assert "send the file as it was before" in answer.json()["detail"]


class TestOptions:
    async def test_reach_the_importer(self, world: World) -> None:
        await world.ask("POST", "/imports/letters?dry_run=true&order=up&keep_good=true", body="one\n")
        async with world.database.system() as tx:
            import_id = await tx.fetchval("SELECT import_id FROM stage.queue")

        await world.imports.advance(import_id, DISTRICT)

        assert world.letters.taken == [(DISTRICT, {"dry_run": "true", "order": "up"}, False)]
        assert (await world.report(import_id)).options == {"dry_run": "true", "order": "up"}

    @pytest.mark.parametrize(
        ("path", "named"),
        [
            ("/imports/letters?colour=red", "colour"),
            ("/imports/letters?order=sideways", "order"),
            ("/imports/letters?order=up&order=down", "order"),
            ("/imports/lines?dry_run=true", "dry_run"),
        ],
    )
    async def test_that_the_kind_does_not_know_are_refused_by_name(self, world: World, path: str, named: str) -> None:
        answer = await world.ask("POST", path, body="one\n")

        assert (answer.status_code, answer.json()["field"]) == (422, named)
        assert await world.rows("stage.queue") == 0

    async def test_are_part_of_what_an_idempotency_key_stands_for(self, world: World) -> None:
        how = {"order": "up"}
        first = await world.imports.stage(a_caller(), "letters", body_of("one"), False, "key-1", how)

        assert await world.imports.stage(a_caller(), "letters", body_of("one"), False, "key-1", how) == first
        with pytest.raises(SameKeyOtherFile):
            await world.imports.stage(a_caller(), "letters", body_of("one"), False, "key-1", {"order": "down"})

    async def test_of_a_dry_run_are_still_the_same_when_it_was_applied(self, world: World) -> None:
        how = {"order": "up"}
        dry = {**how, DRY_RUN: "true"}
        reported = await world.imports.stage(a_caller(), "letters", body_of("one"), False, "key-1", dry)
        await world.imports.advance(reported, DISTRICT)
        with pytest.raises(SameKeyOtherFile):  # nothing of it is in force: who sends it for real has to know
            await world.imports.stage(a_caller(), "letters", body_of("one"), False, "key-1", how)
        await world.ask("POST", f"/imports/{reported}:apply")

        assert await world.imports.stage(a_caller(), "letters", body_of("one"), False, "key-1", dry) == reported
        with pytest.raises(SameKeyOtherFile):
            await world.imports.stage(
                a_caller(), "letters", body_of("one"), False, "key-1", {DRY_RUN: "true", "order": "down"}
            )

    async def test_keeping_what_is_good_is_one_of_them(self, world: World) -> None:
        await world.imports.stage(a_caller(), "letters", body_of("one"), False, "key-1", {})

        with pytest.raises(SameKeyOtherFile):
            await world.imports.stage(a_caller(), "letters", body_of("one"), True, "key-1", {})


class TestWhatWasFound:
    async def test_is_kept_by_sort_up_to_a_bound_and_counted_without(self, world: World) -> None:
        found = await world.load("bad\n" * 10_050 + "doubtful\n=1+1\n")

        assert (found.problem_count, found.hold_count, found.repair_count) == (10_050, 1, 1)
        assert (len(found.problems), len(found.holds), len(found.repairs)) == (1_000, 1, 1)
        assert await world.rows("import_findings") == 0  # row-level security: nobody's are seen by nobody
        async with world.database.reading(a_caller()) as tx:
            assert await tx.fetchval("SELECT count(*) FROM import_findings") == 10_002

    async def test_is_paged_in_its_order_and_by_sort(self, world: World) -> None:
        found = await world.load("bad\n=1\nbad\ndoubtful\nbad\n")
        path = f"/imports/{found.id}/findings"

        first = (await world.ask("GET", f"{path}?first=2")).json()
        rest = (await world.ask("GET", f"{path}?after={first['items'][-1]['number']}")).json()
        problems = (await world.ask("GET", f"{path}?sort=problem")).json()

        lines = [one["finding"]["line"] for one in (*first["items"], *rest["items"])]
        assert (lines, first["has_next"], rest["has_next"]) == ([1, 2, 3, 4, 5], True, False)
        assert [one["finding"]["line"] for one in problems["items"]] == [1, 3, 5]

    async def test_comes_as_a_table_in_which_nothing_is_computed(self, world: World) -> None:
        found = await world.load("=SUM(A1)\nbad\n" + "=x\n" * 2_100)

        answer = await world.ask("GET", f"/imports/{found.id}/findings.csv")

        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert len(rows) == 2_102
        assert (rows[0]["sort"], rows[0]["value"]) == ("repair", "'=SUM(A1)")
        assert (rows[1]["sort"], rows[1]["line"], rows[1]["remedy"]) == ("problem", "2", "Say something good.")

    async def test_of_another_district_is_not_there(self, world: World) -> None:
        found = await world.load("bad\n")

        for path in (f"/imports/{found.id}/findings", f"/imports/{found.id}/findings.csv", f"/imports/{found.id}"):
            assert (await world.ask("GET", path, caller=a_caller(OTHER))).status_code == 404


class TestTheLastImports:
    async def test_are_listed_newest_first_and_by_state(self, world: World) -> None:
        loaded = [await world.load(text) for text in ("one\n", "bad\n", "doubtful\n")]
        await world.load("one\n", district=OTHER)

        found = (await world.ask("GET", "/imports")).json()
        held = (await world.ask("GET", "/imports?state=held")).json()
        older = (await world.ask("GET", f"/imports?first=1&before={loaded[2].id}")).json()

        assert [one["id"] for one in found] == [str(one.id) for one in reversed(loaded)]
        assert [one["verdict"] for one in found] == ["held", "refused", "accepted"]
        assert [one["id"] for one in held] == [str(loaded[2].id)]
        assert [one["id"] for one in older] == [str(loaded[1].id)]
        assert (await world.ask("GET", "/imports?first=101")).json() == found

    async def test_are_for_those_who_may_import(self, world: World) -> None:
        reader = a_caller(scopes=SCOPES - {"imports:write"})

        assert (await world.ask("GET", "/imports", caller=reader)).status_code == 403
