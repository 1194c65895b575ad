"""Answer sheets, from the door to the facts."""

import random
from uuid import UUID

import pytest

from shared import crash
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb
from tests.integration.assessment.conftest import (
    OTHER_DISTRICT,
    AssessmentService,
    FreshDatabase,
    a_caller,
    a_sheet,
    an_id,
    answers,
)
from tests.unit.assessment.examples import HEADER, forms_file

SHEETS = [
    a_sheet("ada"),
    a_sheet("ben", responses="A,-,7,"),
    a_sheet("eve", responses="B,/,,"),
    a_sheet("ada", day=20, responses="B,3,seven,"),
    "2026-check,ben,M4-A,2026-11-03T08:00:00Z,remote,,,7,",
    "2026-fall,eve,M4-B,2026-09-15T14:30:00Z,paper,,,,A",
]


async def test_sheets_are_scored_kept_and_announced(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    report = await assessment.answered(*SHEETS)

    assert (report.state, report.problems) == ("applied", [])
    assert report.counts == {"added": 6, "changed": 0, "unchanged": 0, "refused": 0}
    facts = await assessment.announced(pb.AttemptsScored)
    rows = {row["id"]: row for row in await assessment.attempts()}
    assert {UUID(bytes=fact.attempt) for fact in facts} == set(rows)
    assert len({fact.id for fact in facts}) == 6
    for fact in facts:
        row = rows[UUID(bytes=fact.attempt)]
        assert (fact.student, fact.form) == (row["student_id"].bytes, row["form_version_id"].bytes)
        assert (fact.administration, fact.modality) == (row["administration_id"].bytes, row["modality"])
        assert fact.completed_at == round(row["completed_at"].timestamp() * 1_000_000)
        assert (fact.version, fact.scores, fact.engine_version) == (1, row["scores"], "eap-2:61:numpy")
        assert (fact.ability if fact.HasField("ability") else None) == row["theta"]
        assert (fact.standard_error if fact.HasField("standard_error") else None) == row["standard_error"]
    assert {fact.purpose for fact in facts} == {pb.PURPOSE_DIAGNOSTIC, pb.PURPOSE_FORMATIVE}
    assert await assessment.staged_rows() == 0


async def test_a_result_says_what_was_earned_and_why_there_is_no_ability(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    await assessment.answered(*SHEETS)

    found = await assessment.abilities("ada", "ben", "eve")
    first, second = found["ada"]
    assert (first["raw_score"], first["maximum"], first["form"]) == (5, 6, "M4-A")
    assert (second["raw_score"], second["maximum"]) == (5, 6)
    assert second["theta"] > first["theta"]
    assert 0 < first["standard_error"] < 1
    assert (first["reason"], first["parameter_version"]) == (None, "2026-spring")
    fall, check = found["ben"]
    assert (fall["raw_score"], fall["maximum"]) == (2, 6)
    assert (check["theta"], check["standard_error"], check["reason"]) == (None, None, "NO_RESPONSES")
    assert (check["raw_score"], check["maximum"], check["parameter_version"]) == (2, 2, "2026-spring")
    calibrated, bare = found["eve"]
    assert (calibrated["raw_score"], calibrated["maximum"]) == (1, 4)
    assert (bare["theta"], bare["reason"], bare["parameter_version"]) == (None, "NOT_CALIBRATED", None)


# the bad sheet on line 3, and what is said of it
BAD = [
    (a_sheet("nobody"), "student", "unknown-student", "nobody"),
    (a_sheet().replace("2026-fall", "2026-autumn"), "administration", "unknown-administration", "2026-autumn"),
    (a_sheet().replace("M4-A", "M9"), "form", "unknown-form", "M9"),
    ("2026-check,ada,M4-B,2026-09-15T09:30:00Z,paper,,,,A", "form", "form-not-in-administration", "M4-B"),
    (a_sheet().replace("-05:00", ""), "completed_at", "completed-at", "2026-09-15T09:30:00"),
    (a_sheet().replace("2026-09", "2026-10"), "completed_at", "outside-window", "2026-10-15T09:30:00-05:00"),
    (a_sheet(modality="by post"), "modality", "modality", "by post"),
    (a_sheet(responses="E,2,7,"), "m4-001", "response-not-allowed", "E"),
    (a_sheet(responses="B,4,7,"), "m4-002", "response-not-allowed", "4"),
    (a_sheet(responses="B,2,7,A"), "m4-101", "item-not-on-form", "A"),
    (a_sheet(responses="B,2,7"), None, "cell-count", "8 cells"),
    (a_sheet("ben", day=14), None, "attempt-twice", None),
    (a_sheet("ben", day=14, responses="-,-,-,"), None, "attempt-twice", None),
]


async def test_a_bad_sheet_refuses_the_file_and_nothing_is_applied(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    for bad, column, rule, value in BAD:
        report = await assessment.answered(a_sheet("ben", day=14), bad, a_sheet("eve"))

        assert report.state == "refused", bad
        [problem] = report.problems
        assert (problem.file, problem.line, problem.column) == ("answers.csv", 3, column)
        assert (problem.rule, problem.value) == (rule, value)
        assert problem.remedy
        assert report.counts == {"added": 0, "changed": 0, "unchanged": 0, "refused": 1}
    assert await assessment.attempts() == []
    assert await assessment.announced(pb.AttemptsScored) == []
    assert await assessment.staged_rows() == 0


async def test_with_keep_good_the_other_sheets_are_kept(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    bad = [sheet for sheet, _, _, _ in BAD]

    report = await assessment.answered(a_sheet("ben", day=14), *bad, a_sheet("eve"), keep_good=True)

    assert report.state == "applied"
    assert report.counts == {"added": 2, "changed": 0, "unchanged": 0, "refused": len(BAD)}
    found = {problem.line: (problem.column, problem.rule, problem.value) for problem in report.problems}
    assert found == {line: (column, rule, value) for line, (_, column, rule, value) in enumerate(BAD, start=3)}
    kept = {row["student_id"] for row in await assessment.attempts()}
    assert kept == {an_id("student", "ben"), an_id("student", "eve")}


async def test_a_file_whose_header_is_wrong_is_refused_even_when_the_good_sheets_may_be_kept(
    assessment: AssessmentService,
) -> None:
    await assessment.knows_forms()

    report = await assessment.load(
        "answers", answers(a_sheet(), header=HEADER.replace("student", "pupil")), keep_good=True
    )

    assert report.state == "refused"
    assert await assessment.attempts() == []


# a file, the rule it breaks and the line
NO_SUCH_FILE = [
    (answers(a_sheet(), header=HEADER.replace("student", "pupil")), "header", 1),
    (answers(a_sheet(), header=HEADER + ",m4-999").replace(b"7,\n", b"7,,\n"), "unknown-item-column", 1),
    (answers(a_sheet(), header=HEADER + ",m4-001"), "duplicate-column", 1),
    (answers(a_sheet().removesuffix(",7,"), header=HEADER.removesuffix(",m4-003,m4-101")), "missing-item-column", 1),
    (answers(a_sheet(), a_sheet("ben"))[:-30], "cut-off", 3),
    (answers(a_sheet(), a_sheet("ben")) + b'2026-fall,"ev', "cut-off", 4),
    (answers(a_sheet(), a_sheet("b\u00e9n")).decode().encode("latin-1"), "not-utf8", 3),
    (answers(a_sheet()).decode().encode("utf-16"), "not-utf8", 1),
    (answers(a_sheet(), '"' + "x" * (2 << 20)), "record-too-long", 3),
    (b"\x00\x01\x02\x03" * 10, "header", 1),
]


async def test_a_file_that_is_no_such_file_is_refused_at_its_line(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    for content, rule, line in NO_SUCH_FILE:
        report = await assessment.load("answers", content)

        assert report.state == "refused", rule
        assert {(problem.rule, problem.line) for problem in report.problems} == {(rule, line)}
    assert await assessment.attempts() == []
    assert await assessment.staged_rows() == 0


async def test_after_the_fix_only_what_changed_changes(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet("ada"), a_sheet("nobody"), a_sheet("eve"), keep_good=True)

    report = await assessment.answered(a_sheet("ada"), a_sheet("ben"), a_sheet("eve"))

    assert report.counts == {"added": 1, "changed": 0, "unchanged": 2, "refused": 0}
    assert len(await assessment.announced(pb.AttemptsScored)) == 3


async def test_order_splitting_and_repetition_give_the_same_bits(assessment: AssessmentService) -> None:
    for district in (an_id("district", name) for name in ("in order", "shuffled", "in two files")):
        await assessment.knows_forms(district=district)
    in_order, shuffled, split = (an_id("district", name) for name in ("in order", "shuffled", "in two files"))
    mixed = random.Random(3).sample(SHEETS, len(SHEETS))

    await assessment.answered(*SHEETS, district=in_order)
    await assessment.answered(*mixed, district=shuffled)
    await assessment.answered(*mixed[:2], district=split)
    await assessment.answered(*mixed[2:], district=split)
    again = await assessment.answered(*SHEETS, district=split)

    assert again.counts == {"added": 0, "changed": 0, "unchanged": 6, "refused": 0}
    bits = [await _bits(assessment, district) for district in (in_order, shuffled, split)]
    assert bits[0] == bits[1] == bits[2]
    assert len(await assessment.announced(pb.AttemptsScored, split)) == 6


async def _bits(assessment: AssessmentService, district: UUID) -> list[tuple[object, ...]]:
    """What is kept, without the ids, which are the district's own."""
    async with assessment.database.reading(a_caller(district)) as tx:
        rows = await tx.fetch(
            """
            SELECT completed_at, responses, scores, raw_score, maximum, float8send(theta), float8send(standard_error),
                   reason, version, modality, parameter_version
            FROM attempts ORDER BY completed_at, responses
            """
        )
    return [tuple(row) for row in rows]


async def test_other_answers_are_a_correction_and_the_old_ones_are_history(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet(), a_sheet("ben"))
    [before] = [row for row in await assessment.attempts() if row["student_id"] == an_id("student", "ada")]

    report = await assessment.answered(a_sheet(responses="A,0,-,"), a_sheet("ben"))

    assert report.counts == {"added": 0, "changed": 1, "unchanged": 1, "refused": 0}
    [after] = [row for row in await assessment.attempts() if row["student_id"] == an_id("student", "ada")]
    assert (after["id"], after["version"], after["raw_score"]) == (before["id"], 2, 0)
    [kept] = await assessment.look("SELECT * FROM attempt_history")
    assert (kept["attempt_id"], kept["version"]) == (before["id"], 1)
    for name in ("student_id", "form_version_id", "responses", "scores", "theta", "standard_error", "raw_score"):
        assert kept[name] == before[name]
    facts = [fact for fact in await assessment.announced(pb.AttemptsScored) if fact.attempt == before["id"].bytes]
    assert sorted((fact.version, fact.scores) for fact in facts) == [(1, bytes([1, 2, 2])), (2, bytes([0, 0, 254]))]
    assert len({fact.id for fact in facts}) == 2


async def test_another_modality_is_a_correction(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet())

    report = await assessment.answered(a_sheet(modality="paper"))

    assert report.counts["changed"] == 1


async def test_a_corrected_form_scores_the_sheets_that_are_sent_again(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet())
    await assessment.knows_forms(forms_file("forms", 0, "items", 0, "key", "C"))

    report = await assessment.answered(a_sheet())

    assert report.counts["changed"] == 1
    [row] = await assessment.attempts()
    assert (row["version"], row["scores"]) == (2, bytes([0, 2, 2]))


async def test_two_names_of_one_student_are_one_attempt(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    together = await assessment.answered(a_sheet("ada"), a_sheet("ada-formerly"))
    first = await assessment.answered(a_sheet("ada-formerly"))
    then = await assessment.answered(a_sheet("ada"))

    assert [problem.rule for problem in together.problems] == ["attempt-twice"]
    assert (first.counts["added"], then.counts["unchanged"]) == (1, 1)


async def test_a_kill_in_every_chunk_resumes_and_nothing_is_twice(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    import_id = await assessment.stage("answers", answers(*SHEETS))
    committed = []
    for chunk in (1, 2, 1):
        with crash.armed("I1", time=chunk), pytest.raises(crash.Crashed):
            await assessment.finish(import_id)
        committed.append(len(await assessment.attempts()))

    report = await assessment.finish(import_id)

    assert committed == [0, 2, 2]
    assert (report.state, report.counts["added"]) == ("applied", 6)
    assert len(await assessment.attempts()) == 6
    assert len(await assessment.announced(pb.AttemptsScored)) == 6
    assert await assessment.staged_rows() == 0


async def test_a_kill_after_the_last_chunk_counts_nothing_again(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    import_id = await assessment.stage("answers", answers(*SHEETS))
    with crash.armed("I2"), pytest.raises(crash.Crashed):
        await assessment.finish(import_id)

    report = await assessment.finish(import_id)

    assert report.counts == {"added": 6, "changed": 0, "unchanged": 0, "refused": 0}


async def test_a_large_file_goes_through_the_worker_in_blocks(fresh_database: FreshDatabase) -> None:
    assessment = AssessmentService(await fresh_database("assessment"), sheets_at_once=2_000)
    await assessment.knows_forms()
    sheets = [
        f'2026-fall,s{number},M4-A,2026-09-{day:02}T09:30:00Z,"in person",{"ABCD"[number % 4]},{number % 4},7,'
        for day in range(1, 9)
        for number in range(3_000)
    ]
    assert len(answers(*sheets)) > 1 << 20
    sheets[20_000] = sheets[20_000].replace("-09-", "-19-")

    report = await assessment.answered(*sheets, keep_good=True)

    assert report.counts == {"added": 23_999, "changed": 0, "unchanged": 0, "refused": 1}
    assert [(problem.line, problem.rule) for problem in report.problems] == [(20_002, "completed-at")]
    [summed] = await assessment.look(
        "SELECT count(DISTINCT student_id) AS students, sum(raw_score) AS raw FROM attempts"
    )
    whole = sum((number % 4 == 1) + number % 4 + 2 for number in range(3_000)) * 8
    number = 20_000 % 3_000
    assert summed == {"students": 3_000, "raw": whole - ((number % 4 == 1) + number % 4 + 2)}
    await assessment.close()


async def test_thousands_of_problems_are_counted_and_the_first_are_listed(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    report = await assessment.answered(*[a_sheet(f"nobody-{number}") for number in range(2_500)])

    assert (report.problem_count, report.counts["refused"], len(report.problems)) == (2_500, 2_500, 1_000)
    assert [problem.line for problem in report.problems] == list(range(2, 1_002))


async def test_a_header_alone_is_a_file_without_sheets(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    report = await assessment.answered()

    assert (report.state, report.counts["added"]) == ("applied", 0)


async def test_another_district_s_forms_and_students_are_not_there(assessment: AssessmentService) -> None:
    await assessment.knows_forms(district=OTHER_DISTRICT)

    report = await assessment.answered(a_sheet())

    assert {problem.rule for problem in report.problems} == {"unknown-item-column"}
