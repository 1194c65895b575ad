"""Answer sheets in three formats, and what they say about sheets that came before."""

import csv
import io
import json
from collections.abc import Callable
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared import crash
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb
from tests.integration.assessment.conftest import (
    DISTRICT,
    OTHER_DISTRICT,
    AssessmentService,
    a_caller,
    a_sheet,
    an_id,
    answers,
)
from tests.unit.assessment.examples import HEADER

STATUS_HEADER = HEADER.replace("modality,", "modality,status,")
FIXED = ("administration", "student", "form", "completed_at", "modality", "status")


def with_status(sheet: str, status: str) -> str:
    """A sheet with its status, for a file with that column."""
    *fixed, one, two, three, four = sheet.split(",")
    return ",".join([*fixed, status, one, two, three, four])


def as_csv(*sheets: str) -> bytes:
    return answers(*sheets, header=STATUS_HEADER)


def as_ndjson(*sheets: str) -> bytes:
    lines = []
    for row in csv.DictReader(io.StringIO(as_csv(*sheets).decode())):
        responses = {name: cell for name, cell in row.items() if name not in FIXED}
        lines.append(json.dumps({name: row[name] for name in FIXED} | {"responses": responses}))
    return "\n".join(lines).encode()


def as_parquet(*sheets: str) -> bytes:
    rows = list(csv.reader(io.StringIO(as_csv(*sheets).decode())))
    columns = list(zip(*rows[1:], strict=True))
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(rows[0], map(list, columns), strict=True))), out)
    return out.getvalue()


FORMATS = {"csv": as_csv, "ndjson": as_ndjson, "parquet": as_parquet}
Format = Callable[..., bytes]
each_format = pytest.mark.parametrize("made", FORMATS.values(), ids=FORMATS)
SHEETS = [
    with_status(a_sheet("ada"), ""),
    with_status(a_sheet("ben", responses="A,-,7,"), "original"),
    with_status(a_sheet("eve", responses="B,/,,"), ""),
    with_status(a_sheet("ada", day=20, responses="B,3,seven,"), ""),
    with_status("2026-check,ben,M4-A,2026-11-03T08:00:00Z,remote,,,7,", ""),
    with_status("2026-fall,eve,M4-B,2026-09-15T14:30:00.000007Z,paper,,,,A", ""),
]


async def test_the_format_changes_neither_attempts_nor_facts(assessment: AssessmentService) -> None:
    """In one and the same district, so that ids are the same too: what is kept is taken away in between."""
    await assessment.knows_forms()
    kept, told = [], []

    for made in FORMATS.values():
        before = len(await assessment.announced(pb.AttemptsScored))
        report = await assessment.load("answers", made(*SHEETS))
        assert (report.state, report.counts["added"], report.problems) == ("applied", 6, [])
        kept.append(await assessment.attempts())
        told.append(sorted(f.SerializeToString() for f in (await assessment.announced(pb.AttemptsScored))[before:]))
        async with assessment.database.transaction(a_caller()) as tx:
            await tx.run("DELETE FROM attempts")

    assert kept[0] == kept[1] == kept[2]
    assert told[0] == told[1] == told[2]
    assert len(kept[0]) == len(told[0]) == 6
    assert await assessment.staged_rows() == 0


@each_format
async def test_what_is_sent_again_in_another_format_is_unchanged(assessment: AssessmentService, made: Format) -> None:
    await assessment.knows_forms()
    await assessment.load("answers", as_csv(*SHEETS))

    report = await assessment.load("answers", made(*SHEETS))

    assert report.counts == {"added": 0, "changed": 0, "unchanged": 6, "refused": 0}


@each_format
async def test_a_bad_sheet_is_located_and_nothing_is_applied(assessment: AssessmentService, made: Format) -> None:
    await assessment.knows_forms()
    bad = with_status(a_sheet("nobody", responses="E,2,7,"), "")

    report = await assessment.load("answers", made(SHEETS[0], bad, SHEETS[2]))

    line = 3 if made is as_csv else 2
    assert report.state == "refused"
    assert {(problem.line, problem.column, problem.rule) for problem in report.problems} == {
        (line, "student", "unknown-student"),
        (line, "m4-001", "response-not-allowed"),
    }
    [name] = [name for name, each in FORMATS.items() if each is made]
    assert {problem.file for problem in report.problems} == {f"answers.{name}"}
    assert report.counts["refused"] == 1
    assert await assessment.attempts() == []
    assert await assessment.staged_rows() == 0


@each_format
async def test_an_answer_file_of_another_district_is_refused_sheet_by_sheet(
    assessment: AssessmentService, made: Format
) -> None:
    await assessment.knows_forms()
    theirs = [SHEETS[0].replace(",ada,", ",their-ada,"), SHEETS[1].replace(",ben,", ",their-ben,")]

    report = await assessment.load("answers", made(*theirs))

    assert report.state == "refused"
    assert [(problem.rule, problem.value) for problem in report.problems] == [
        ("unknown-student", "their-ada"),
        ("unknown-student", "their-ben"),
    ]


@each_format
async def test_a_kill_in_every_chunk_resumes_whatever_the_format(assessment: AssessmentService, made: Format) -> None:
    await assessment.knows_forms()
    import_id = await assessment.stage("answers", made(*SHEETS))
    for chunk in (1, 2, 1):
        with crash.armed("I1", time=chunk), pytest.raises(crash.Crashed):
            await assessment.finish(import_id)

    report = await assessment.finish(import_id)

    assert (report.state, report.counts["added"]) == ("applied", 6)
    assert len(await assessment.announced(pb.AttemptsScored)) == 6
    assert await assessment.staged_rows() == 0


class TestStatus:
    @each_format
    async def test_a_withdrawal_takes_a_sheet_back_and_keeps_what_it_said(
        self, assessment: AssessmentService, made: Format
    ) -> None:
        await assessment.knows_forms()
        await assessment.load("answers", as_csv(*SHEETS[:2]))
        [before] = [row for row in await assessment.attempts() if row["student_id"] == an_id("student", "ada")]

        report = await assessment.load("answers", made(with_status(a_sheet("ada", responses=",,,"), "withdrawal")))

        assert report.counts == {"added": 0, "changed": 1, "unchanged": 0, "refused": 0}
        assert set(await assessment.abilities("ada", "ben")) == {"ben"}
        [after] = [row for row in await assessment.attempts() if row["student_id"] == an_id("student", "ada")]
        assert after == {**before, "version": 2, "withdrawn": True}
        [former] = await assessment.look("SELECT version, withdrawn, responses FROM attempt_history")
        assert former == {"version": 1, "withdrawn": False, "responses": before["responses"]}
        *_, fact = sorted(await assessment.announced(pb.AttemptsScored), key=lambda fact: fact.version)
        assert (UUID(bytes=fact.attempt), fact.version, fact.withdrawn) == (before["id"], 2, True)
        assert fact.scores == b"\xff\xff\xff"
        assert not fact.HasField("ability")

    async def test_the_same_withdrawal_again_is_unchanged(self, assessment: AssessmentService) -> None:
        await assessment.knows_forms()
        await assessment.load("answers", as_csv(*SHEETS[:2]))
        withdrawal = as_csv(with_status(a_sheet("ada", responses=",,,"), "withdrawal"))
        await assessment.load("answers", withdrawal)

        report = await assessment.load("answers", withdrawal)

        assert report.counts == {"added": 0, "changed": 0, "unchanged": 1, "refused": 0}
        assert len(await assessment.announced(pb.AttemptsScored)) == 3

    @pytest.mark.parametrize("status", ["", "correction"])
    async def test_a_later_sheet_reinstates_what_was_withdrawn(
        self, assessment: AssessmentService, status: str
    ) -> None:
        await assessment.knows_forms()
        await assessment.load("answers", as_csv(SHEETS[0]))
        found = await assessment.abilities("ada")
        await assessment.load("answers", as_csv(with_status(a_sheet("ada", responses=",,,"), "withdrawal")))

        report = await assessment.load("answers", as_csv(with_status(a_sheet("ada"), status)))

        assert report.counts["changed"] == 1
        assert await assessment.abilities("ada") == found
        [row] = await assessment.attempts()
        assert (row["version"], row["withdrawn"]) == (3, False)
        history = await assessment.look("SELECT version, withdrawn FROM attempt_history ORDER BY version")
        assert history == [{"version": 1, "withdrawn": False}, {"version": 2, "withdrawn": True}]
        facts = sorted(await assessment.announced(pb.AttemptsScored), key=lambda fact: fact.version)
        assert [(fact.version, fact.withdrawn) for fact in facts] == [(1, False), (2, True), (3, False)]
        assert (facts[2].scores, facts[2].ability) == (facts[0].scores, facts[0].ability)

    @each_format
    async def test_a_correction_replaces_and_the_same_again_changes_nothing(
        self, assessment: AssessmentService, made: Format
    ) -> None:
        await assessment.knows_forms()
        await assessment.load("answers", as_csv(SHEETS[0]))
        correction = made(with_status(a_sheet("ada", responses="A,0,-,"), "correction"))

        first = await assessment.load("answers", correction)
        then = await assessment.load("answers", correction)

        assert (first.counts["changed"], then.counts["unchanged"]) == (1, 1)
        [row] = await assessment.attempts()
        assert (row["version"], row["raw_score"]) == (2, 0)

    @each_format
    @pytest.mark.parametrize(
        ("status", "rule"), [("correction", "nothing-to-correct"), ("withdrawal", "nothing-to-withdraw")]
    )
    async def test_there_must_be_something_to_correct_or_withdraw(
        self, assessment: AssessmentService, made: Format, status: str, rule: str
    ) -> None:
        await assessment.knows_forms()
        await assessment.knows_forms(district=OTHER_DISTRICT)
        await assessment.load("answers", as_csv(SHEETS[1]))
        await assessment.load("answers", as_csv(SHEETS[0]), district=OTHER_DISTRICT)
        groundless = [with_status(a_sheet("ada"), status), with_status(a_sheet("ben"), status)]

        report = await assessment.load("answers", made(SHEETS[2], *groundless), keep_good=True)

        line = 3 if made is as_csv else 2
        assert [(problem.line, problem.rule) for problem in report.problems] == [(line, rule)]
        assert report.counts == {"added": 1, "changed": 1, "unchanged": 0, "refused": 1}

    async def test_a_file_does_not_hold_an_attempt_and_its_correction(self, assessment: AssessmentService) -> None:
        await assessment.knows_forms()
        await assessment.load("answers", as_csv(SHEETS[0]))

        report = await assessment.load("answers", as_csv(SHEETS[0], with_status(a_sheet("ada"), "withdrawal")))

        assert [(problem.line, problem.rule) for problem in report.problems] == [(3, "attempt-twice")]

    async def test_another_schools_caller_sees_no_withdrawn_sheet_either(self, assessment: AssessmentService) -> None:
        await assessment.knows_forms()
        await assessment.places("ada", ("north", None, None))
        await assessment.load("answers", as_csv(SHEETS[0]))
        await assessment.load("answers", as_csv(with_status(a_sheet("ada"), "withdrawal")))
        ask = "SELECT id FROM attempts UNION ALL SELECT attempt_id FROM attempt_history"

        assert len(await assessment.look(ask, caller=a_caller(schools=["north"]))) == 2
        assert await assessment.look(ask, caller=a_caller(schools=["south"])) == []
        assert await assessment.look(ask, caller=a_caller(OTHER_DISTRICT)) == []
        assert await assessment.abilities("ada", caller=a_caller(schools=["north"])) == {}


BROKEN = [
    (as_ndjson(*SHEETS)[:-9], "cut-off", 6, None),
    (as_ndjson(SHEETS[0]) + b"\n[]\n", "not-an-object", 2, None),
    (as_ndjson(SHEETS[0]).replace(b'"status"', b'"state"'), "unknown-key", 1, "state"),
    (as_parquet(*SHEETS)[:-9], "parquet", None, None),
    (as_parquet(*SHEETS)[:300], "parquet", None, None),
]


@pytest.mark.parametrize(("content", "rule", "line", "column"), BROKEN)
async def test_a_broken_file_is_refused_where_it_broke(
    assessment: AssessmentService, content: bytes, rule: str, line: int | None, column: str | None
) -> None:
    await assessment.knows_forms()

    report = await assessment.load("answers", content)

    assert report.state == "refused"
    assert [(problem.rule, problem.line, problem.column) for problem in report.problems] == [(rule, line, column)]
    assert report.problems[0].remedy
    assert await assessment.attempts() == []
    assert await assessment.staged_rows() == 0


async def test_a_parquet_file_with_wrong_columns_is_refused_even_when_the_good_sheets_may_be_kept(
    assessment: AssessmentService,
) -> None:
    await assessment.knows_forms()
    table = pq.read_table(io.BytesIO(as_parquet(*SHEETS)))
    wrong = {
        ("wrong-type", "modality"): table.set_column(4, "modality", pa.array([1] * 6)),
        ("missing-column", "form"): table.drop_columns(["form"]),
        ("unknown-item-column", "m4-999"): table.append_column("m4-999", pa.array([""] * 6)),
        ("missing-item-column", "m4-101"): table.drop_columns(["m4-101"]),
    }
    for (rule, column), made in wrong.items():
        out = io.BytesIO()
        pq.write_table(made, out)

        report = await assessment.load("answers", out.getvalue(), keep_good=rule != "missing-item-column")

        assert report.state == "refused", rule
        assert [(problem.rule, problem.column, problem.line) for problem in report.problems] == [(rule, column, None)]
    assert await assessment.attempts() == []


async def test_many_sheets_in_many_slices_are_each_merged_once(assessment: AssessmentService) -> None:
    """Chunks of two sheets, a repeated attempt taken out of the middle, two forms mixed."""
    await assessment.knows_forms()
    sheets = [
        with_status(
            a_sheet(f"s{number}") if number % 3 else f"2026-fall,s{number},M4-B,2026-09-15T14:30:00Z,paper,,,,A", ""
        )
        for number in range(25)
    ]
    repeated = [*sheets[:10], sheets[4], *sheets[10:], sheets[4]]

    report = await assessment.load("answers", as_ndjson(*repeated), keep_good=True)

    assert [(problem.line, problem.rule) for problem in report.problems] == [
        (11, "attempt-twice"),
        (27, "attempt-twice"),
    ]
    assert report.counts == {"added": 25, "changed": 0, "unchanged": 0, "refused": 2}
    facts = await assessment.announced(pb.AttemptsScored)
    assert sorted(fact.student for fact in facts) == sorted(
        an_id("student", f"s{number}", DISTRICT).bytes for number in range(25)
    )
