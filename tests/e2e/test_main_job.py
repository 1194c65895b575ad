"""The main job from end to end, in both modes: real files in, what each learner knows out.

`recompute.py` says by plain loops what the platform ought to say; here every student's numbers are compared with it.
"""

import csv
import itertools
import os
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.demo import AnswersFormat, DemoFiles, write_demo
from deploy.cli.door import Door, DoorError, opened
from deploy.cli.load import Kind
from tests.e2e.bad_input import FAULTS, Bad, roster, swap_coordinates
from tests.e2e.conftest import Slug
from tests.e2e.formats import rows_of, sheets
from tests.e2e.harness import (
    FIRST_CLASS,
    Platform,
    ask_class,
    ask_everything,
    differences,
    district,
    load_all,
    load_file,
    roster_table,
    students_of,
)
from tests.e2e.partnerships import everything_declared, load_everything
from tests.e2e.recompute import instant, recompute

STUDENTS = int(os.environ.get("TRELLIS_E2E_STUDENTS", "300"))
MANY_STUDENTS = int(os.environ.get("TRELLIS_E2E_MANY_STUDENTS", "20000"))
SIZES = [STUDENTS, pytest.param(MANY_STUDENTS, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]

ONE_STUDENT = """
query Student($id: ID!, $after: String) {
  student(id: $id) {
    id sourcedId givenName familyName
    abilities { administration { sourcedId purpose } rawScore theta }
    mastery { competency { sourcedId code } probability evidenceCount }
    evidence(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { competency { sourcedId } administration { sourcedId } completedAt modality item score before after }
    }
  }
}
"""


def split(answers: Path, folder: Path, parts: int, seed: int) -> list[Path]:
    """The same sheets in another order, dealt into several files, their columns shuffled too."""
    shuffled = random.Random(seed)
    with answers.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    order = list(range(5)) + shuffled.sample(range(5, len(header)), len(header) - 5)
    shuffled.shuffle(rows)
    written = []
    for part in range(parts):
        path = folder / f"answers-{part + 1}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([header[column] for column in order])
            writer.writerows([row[column] for column in order] for row in rows[part::parts])
        written.append(path)
    return written


@dataclass(frozen=True, slots=True)
class Loaded:
    """A district with everything in it, and what it says of the things that faults are about."""

    name: str
    door: Door
    told: dict[str, Any]


@pytest.fixture(scope="module")
async def loaded(platform: Platform, slug: Slug, demo: DemoFiles) -> AsyncIterator[Loaded]:
    """Shared by the tests that change nothing in it."""
    name = slug()
    async with district(platform, name) as door:
        await load_everything(door, demo)
        told = await told_of(Kind.ANSWERS, door, demo) | await told_of(Kind.PROGRAMME, door, demo)
        yield Loaded(name, door, told)


async def told_of(kind: Kind, door: Door, files: DemoFiles) -> dict[str, Any]:
    """What can be read of that which a file of this kind would change."""
    if kind in (Kind.PROGRAMME, Kind.WILLINGNESS):
        return {"declared": await everything_declared(door, files)}
    return {"class": await ask_class(door, FIRST_CLASS)}


class TestTheMainJob:
    @pytest.mark.parametrize("students", SIZES)
    async def test_every_students_numbers_are_those_of_the_plain_recomputation(
        self, platform: Platform, slug: Slug, tmp_path: Path, students: int
    ) -> None:
        files = write_demo(tmp_path, students, seed=20)
        expected = recompute(files.forms, [files.answers])

        async with district(platform, slug()) as door:
            await load_all(door, files)
            told = await ask_everything(door, files.roster)

        assert differences(told, expected, students_of(files)) == []
        assert len(told) == students
        reasons = {one["reason"] for student in told.values() for one in student["attempts"]}
        assert reasons >= {None, "NOT_CALIBRATED"}

    @pytest.mark.parametrize("form", [AnswersFormat.NDJSON, AnswersFormat.PARQUET])
    async def test_every_format_of_sheets_says_the_same(
        self, platform: Platform, slug: Slug, demo: DemoFiles, tmp_path: Path, form: AnswersFormat
    ) -> None:
        other = write_demo(tmp_path, students=120, seed=11, answers_format=form)

        async with district(platform, slug()) as door:
            await load_all(door, other)
            told = await ask_everything(door, other.roster)
            as_csv = await load_file(door, Kind.ANSWERS, demo.answers)

        assert other.answers.suffix == f".{form.value}"
        assert differences(told, recompute(demo.forms, [demo.answers]), students_of(demo)) == []
        assert as_csv["counts"]["unchanged"] == demo.answers.read_bytes().count(b"\n") - 1
        assert as_csv["counts"]["added"] == as_csv["counts"]["changed"] == 0

    async def test_another_order_two_files_and_twice_give_the_same_bits(
        self, platform: Platform, slug: Slug, demo: DemoFiles, tmp_path: Path
    ) -> None:
        first, second = split(demo.answers, tmp_path, parts=2, seed=5)

        async with district(platform, slug()) as door:
            await load_all(door, demo)
            at_once = await ask_everything(door, demo.roster)
        async with district(platform, slug()) as door:
            await load_all(door, demo, [second, first])
            in_two = await ask_everything(door, demo.roster)
            await load_all(door, demo, [demo.answers, first])
            twice = await ask_everything(door, demo.roster)

        assert in_two == at_once
        assert twice == at_once
        assert differences(at_once, recompute(demo.forms, [demo.answers]), students_of(demo)) == []

    async def test_the_same_files_again_change_nothing(self, loaded: Loaded, demo: DemoFiles) -> None:
        files = {
            Kind.ROSTER: demo.roster,
            Kind.ATTENDANCE: demo.attendance,
            Kind.CLOSURES: demo.closures,
            Kind.FRAMEWORK: demo.framework,
            Kind.FORMS: demo.forms,
            Kind.ANSWERS: demo.answers,
        }

        for kind in (Kind.ATTENDANCE, Kind.CLOSURES):
            await load_file(loaded.door, kind, files[kind])
        again = [(await load_file(loaded.door, kind, file))["counts"] for kind, file in files.items()]

        assert all(counts["unchanged"] > 0 for counts in again)
        assert [(one["added"], one["changed"], one["refused"]) for one in again] == [(0, 0, 0)] * len(files)

    async def test_a_corrected_sheet_replaces_the_old_one_wherever_it_counts(
        self, platform: Platform, slug: Slug, demo: DemoFiles, tmp_path: Path
    ) -> None:
        with demo.answers.open(encoding="utf-8", newline="") as stream:
            header, *rows = csv.reader(stream)
        corrected = tmp_path / "corrected.csv"
        with corrected.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for row in rows[::7]:
                writer.writerow(
                    [*row[:5], *("-" if cell and column % 3 == 0 else cell for column, cell in enumerate(row[5:]))]
                )

        async with district(platform, slug()) as door:
            await load_all(door, demo)
            counts = (await load_file(door, Kind.ANSWERS, corrected))["counts"]
            told = await ask_everything(door, demo.roster)

        assert counts["changed"] + counts["unchanged"] == len(rows[::7])
        assert counts["changed"] > counts["unchanged"]
        assert differences(told, recompute(demo.forms, [demo.answers, corrected]), students_of(demo)) == []

    async def test_corrections_and_withdrawals_count_in_each_format_and_a_later_sheet_reinstates(
        self, platform: Platform, slug: Slug, demo: DemoFiles, tmp_path: Path
    ) -> None:
        rows = rows_of(demo.answers)
        said: list[Path] = [demo.answers]

        async with district(platform, slug()) as door:
            await load_all(door, demo)
            for place, form in enumerate(AnswersFormat):
                corrected = [_worse(row) | {"status": "correction"} for row in rows[place::6]]
                withdrawn = [_emptied(row) | {"status": "withdrawal"} for row in rows[place + 3 :: 6]]
                back = [row | {"status": "original"} for row in rows[place + 2 :: 6][:10]] if place else []
                said.append(tmp_path / f"changes-{form.value}.csv")
                changes = corrected + withdrawn + back
                said[-1].write_bytes(sheets(changes, AnswersFormat.CSV))
                (tmp_path / "changes").write_bytes(sheets(changes, form))

                report = await load_file(door, Kind.ANSWERS, tmp_path / "changes")
                told = await ask_everything(door, demo.roster)
                again = await load_file(door, Kind.ANSWERS, tmp_path / "changes")

                assert report["state"] == "applied", report["problems"]
                assert report["counts"]["added"] == report["counts"]["refused"] == 0
                assert report["counts"]["changed"] >= len(withdrawn) + len(back) + len(corrected) // 2
                assert again["counts"]["unchanged"] == len(changes)
                assert differences(told, recompute(demo.forms, said), students_of(demo)) == []

    async def test_a_students_page_explains_every_mastery_by_its_evidence(
        self, loaded: Loaded, demo: DemoFiles
    ) -> None:
        student = next(iter(sorted(recompute(demo.forms, [demo.answers]))))

        pages = [page async for page in _evidence_pages(loaded.door, student)]

        evidence = list(itertools.chain.from_iterable(page["evidence"]["nodes"] for page in pages))
        last = {one["competency"]["sourcedId"]: one["after"] for one in evidence}
        assert last == {one["competency"]["sourcedId"]: one["probability"] for one in pages[0]["mastery"]}
        assert len(evidence) == sum(one["evidenceCount"] for one in pages[0]["mastery"])
        times = [instant(one["completedAt"]) for one in evidence]
        assert times == sorted(times)
        assert {one["modality"] for one in evidence} <= {"IN_PERSON", "REMOTE", "PAPER"}
        for competency, of_one in _by_competency(evidence):
            assert of_one[0]["before"] == 0.3, competency
            for one, following in itertools.pairwise(of_one):
                same_day = one["completedAt"][:10] == following["completedAt"][:10]
                assert (following["before"] == one["after"]) == same_day, competency


def _worse(row: dict[str, str]) -> dict[str, str]:
    """The same sheet with every third item left out."""
    return {name: "-" if cell and not at % 3 and at > 4 else cell for at, (name, cell) in enumerate(row.items())}


def _emptied(row: dict[str, str]) -> dict[str, str]:
    """The same sheet without its answers."""
    return {name: cell if at < 5 else "" for at, (name, cell) in enumerate(row.items())}


async def _evidence_pages(door: Door, student: str) -> Any:
    after = None
    while True:
        page = (await door.graphql(ONE_STUDENT, {"id": f"sourcedId:{student}", "after": after}))["student"]
        yield page
        if not page["evidence"]["pageInfo"]["hasNextPage"]:
            return
        after = page["evidence"]["pageInfo"]["endCursor"]


def _by_competency(evidence: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for competency in {one["competency"]["sourcedId"] for one in evidence}:
        yield competency, [one for one in evidence if one["competency"]["sourcedId"] == competency]


class TestWhoMaySee:
    async def test_an_accountability_key_gets_no_result_from_any_field(
        self, platform: Platform, loaded: Loaded, demo: DemoFiles
    ) -> None:
        key = await platform.new_key(loaded.name, purpose="accountability")
        student = sorted(students_of(demo))[0]

        async with opened(platform.url, key) as door:
            for field in (
                "abilities { theta rawScore }",
                "mastery { probability }",
                "evidence(first: 1) { nodes { score } }",
            ):
                answer = await _answer(door, f'{{ student(id: "sourcedId:{student}") {{ {field} }} }}')
                assert {one["extensions"]["code"] for one in answer["errors"]} == {"FORBIDDEN"}, field
                assert (answer.get("data") or {}).get("student") in (None, {field.split()[0].split("(")[0]: None})

    async def test_another_districts_ids_look_like_ids_that_do_not_exist(
        self, platform: Platform, slug: Slug, loaded: Loaded, demo: DemoFiles
    ) -> None:
        student = sorted(students_of(demo))[0]
        theirs = (await loaded.door.graphql(ONE_STUDENT, {"id": f"sourcedId:{student}"}))["student"]["id"]
        imported = (await load_file(loaded.door, Kind.FRAMEWORK, demo.framework))["id"]

        async with district(platform, slug()) as stranger:
            by_id = await _answer(stranger, f'{{ student(id: "{theirs}") {{ sourcedId }} }}')
            by_node = await _answer(stranger, f'{{ node(id: "{theirs}") {{ id }} }}')
            by_sourced_id = await _answer(stranger, f'{{ student(id: "sourcedId:{student}") {{ sourcedId }} }}')
            with pytest.raises(DoorError) as refused:
                await stranger.report(imported)

        assert by_id.get("data") == by_sourced_id.get("data") == {"student": None}
        assert by_node.get("data") == {"node": None}
        assert refused.value.status == 404

    async def test_a_school_key_sees_its_own_school_and_no_other(
        self, platform: Platform, slug: Slug, tmp_path: Path
    ) -> None:
        files = write_demo(tmp_path, students=600, seed=3)
        name = slug()
        async with district(platform, name) as door:
            await load_all(door, files)
            everyone = await ask_everything(door, files.roster)
        key = await platform.new_key(name, schools=["sourcedId:SCH-0001"])
        own = {
            row["userSourcedId"]
            for row in roster_table(files.roster, "enrollments")
            if row["role"] == "student" and row["schoolSourcedId"] == "SCH-0001"
        }

        async with opened(platform.url, key) as door:
            mine = await ask_class(door, FIRST_CLASS)
            theirs = await ask_class(door, "CLS-0002-06-1-M")
            stranger = await _answer(door, f'{{ student(id: "sourcedId:{min(students_of(files) - own)}") {{ id }} }}')

        assert mine == {student: everyone[student] for student in mine}
        assert set(mine) < own
        assert len(mine) > 15
        assert theirs == {}
        assert stranger.get("data") == {"student": None}

    @pytest.mark.parametrize("key", ["", "trl_live_wrong", "trl_live_" + "a" * 60])
    async def test_a_wrong_key_is_401_everywhere_and_says_nothing_else(self, platform: Platform, key: str) -> None:
        async with opened(platform.url, key) as door:
            for path in ("/v1/imports/roster-1", "/v1/keys", "/v1/districts", "/v1/nothing"):
                with pytest.raises(DoorError) as refused:
                    await door.get(path)
                assert refused.value.status == 401
            with pytest.raises(DoorError) as refused:
                await door.graphql("{ __typename }")

        assert refused.value.status == 401

    async def test_a_revoked_key_opens_nothing(self, platform: Platform, slug: Slug) -> None:
        key = await platform.new_key(await _made(platform, slug()))
        async with opened(platform.url, key) as door:
            await door.graphql("{ __typename }")
            await door.delete(f"/v1/keys/{key.split('_')[2]}")

            with pytest.raises(DoorError) as refused:
                await door.graphql("{ __typename }")

        assert refused.value.status == 401


async def _made(platform: Platform, name: str) -> str:
    await platform.new_district(name)
    return name


async def _answer(door: Door, query: str) -> dict[str, Any]:
    try:
        return {"data": await door.graphql(query)}
    except DoorError as refused:
        return refused.body if isinstance(refused.body, dict) else {}


class TestBadInput:
    @pytest.mark.parametrize("fault", FAULTS, ids=str)
    async def test_a_fault_is_located_named_and_remedied_and_nothing_is_half_applied(
        self, loaded: Loaded, demo: DemoFiles, fault: Bad, tmp_path: Path
    ) -> None:
        door, before = loaded.door, loaded.told
        file = tmp_path / "bad"
        file.write_bytes(fault.make(demo))

        report = await load_file(door, fault.kind, file)
        after = await told_of(fault.kind, door, demo)

        first = report["problems"][0]
        assert report["state"] == "refused"
        assert (first["file"], first["rule"]) == (fault.file, fault.rule)
        assert fault.line in (None, first["line"])
        assert fault.column in (None, first["column"])
        assert len(first["remedy"]) > 10
        assert fault.names in first["remedy"]
        assert after.items() <= before.items()

    async def test_coordinates_that_have_changed_places_are_found_said_and_not_used(
        self, platform: Platform, slug: Slug, demo: DemoFiles, tmp_path: Path
    ) -> None:
        file = tmp_path / "roster.zip"
        file.write_bytes(roster("orgs", swap_coordinates)(demo))
        [line, school] = next(
            (line, row) for line, row in enumerate(roster_table(demo.roster, "orgs"), 2) if row["type"] == "school"
        )

        async with district(platform, slug()) as door:
            report = await load_file(door, Kind.ROSTER, file)
            answer = await door.graphql(
                f'{{ school(id: "sourcedId:{school["sourcedId"]}") {{ name latitude longitude }} }}'
            )

        [said] = [one for one in report["repairs"] if one["rule"] == "coordinates-swapped"]
        assert report["state"] == "applied"
        assert (said["file"], said["line"], said["value"]) == ("orgs.csv", line, school["metadata.longitude"])
        assert school["metadata.latitude"] in said["remedy"]
        assert school["metadata.longitude"] in said["remedy"]
        assert answer["school"] == {"name": school["name"], "latitude": None, "longitude": None}

    async def test_an_empty_file_is_refused_at_the_door(self, loaded: Loaded, tmp_path: Path) -> None:
        (tmp_path / "empty.csv").touch()

        with pytest.raises(DoorError, match="empty") as refused:
            await load_file(loaded.door, Kind.ANSWERS, tmp_path / "empty.csv")

        assert refused.value.status == 422

    async def test_the_good_rows_can_be_kept_and_the_mended_file_adds_only_what_was_missing(
        self, platform: Platform, slug: Slug, demo: DemoFiles, tmp_path: Path
    ) -> None:
        bad = next(fault for fault in FAULTS if fault.name == "a modality that is not one")
        file = tmp_path / "answers.csv"
        file.write_bytes(bad.make(demo))
        sheets = demo.answers.read_bytes().count(b"\n") - 1

        async with district(platform, slug()) as door:
            await load_all(door, demo, answers=[])
            kept = await load_file(door, Kind.ANSWERS, file, keep_good=True)
            mended = await load_file(door, Kind.ANSWERS, demo.answers)
            told = await ask_everything(door, demo.roster)

        assert (kept["state"], kept["problem_count"]) == ("applied", 1)
        assert kept["counts"] == {"added": sheets - 1, "changed": 0, "unchanged": 0, "refused": 1}
        assert mended["counts"] == {"added": 1, "changed": 0, "unchanged": sheets - 1, "refused": 0}
        assert differences(told, recompute(demo.forms, [demo.answers]), students_of(demo)) == []

    async def test_a_query_over_a_limit_gets_the_documented_error(self, loaded: Loaded) -> None:
        page = "{ administrations(first: 101) { nodes { id } } }"
        deep = "{ node(id: 1) { ... on Competency " + "{ parent " * 12 + "{ id }" + " }" * 13 + " }"
        long = "{ " + " ".join(["__typename"] * 1_100) + " }"

        answers = [await _answer(loaded.door, query) for query in (page, deep, long)]

        codes = [{one["extensions"]["code"] for one in answer["errors"]} for answer in answers]
        assert codes == [{"LIMIT"}, {"LIMIT"}, {"LIMIT"}]
