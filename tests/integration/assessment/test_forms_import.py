"""Forms files, from the door to the facts."""

import json
from typing import Any

import pytest

from shared import crash
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb
from tests.integration.assessment.conftest import DISTRICT, OTHER_DISTRICT, AssessmentService, a_caller, an_id
from tests.unit.assessment.examples import ADD, COUNT, DELETE, FORMS, forms_file


async def test_forms_and_administrations_are_kept_and_announced(assessment: AssessmentService) -> None:
    report = await assessment.knows_forms()

    assert report.counts == {"added": 4, "changed": 0, "unchanged": 0, "refused": 0}
    first, second = sorted(await assessment.announced(pb.FormPublished), key=lambda fact: fact.code)
    assert (first.code, first.title, first.parameter_version) == ("M4-A", "Mathematics 4 A", "2026-spring")
    assert [(item.code, item.maximum) for item in first.items] == [("m4-001", 1), ("m4-002", 3), ("m4-003", 2)]
    assert list(first.items[1].competencies) == [an_id("competency", ADD).bytes, an_id("competency", COUNT).bytes]
    assert first.items[1].parameters == pb.Parameters(model=pb.MODEL_GPCM, a=0.8, b=[-1.0, 0.1, 0.9])
    assert not first.items[2].HasField("parameters")
    assert (second.code, second.parameter_version) == ("M4-B", "")
    versions = await assessment.look("SELECT id FROM form_versions ORDER BY published_at, id")
    assert {row["id"].bytes for row in versions} == {first.form, second.form}
    planned = sorted(await assessment.announced(pb.AdministrationPlanned), key=lambda fact: fact.code)
    assert [(each.code, each.purpose) for each in planned] == [("2026-check", 2), ("2026-fall", 1)]
    assert planned[1].opens_at == 1_788_220_800_000_000
    assert await assessment.staged_rows() == 0


async def test_a_competency_is_known_in_capitals_too(assessment: AssessmentService) -> None:
    written = ADD.upper()
    assert written != ADD

    report = await assessment.knows_forms(forms_file("forms", 0, "items", 0, "competencies", [written]))

    assert report.state == "applied", report.problems
    form = next(fact for fact in await assessment.announced(pb.FormPublished) if fact.code == "M4-A")
    assert list(form.items[0].competencies) == [an_id("competency", ADD).bytes]


async def test_the_same_file_again_changes_and_announces_nothing(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    said = len(await assessment.announced(pb.FormPublished)), len(await assessment.announced(pb.AdministrationPlanned))

    report = await assessment.knows_forms()

    assert report.counts == {"added": 0, "changed": 0, "unchanged": 4, "refused": 0}
    assert said == (
        len(await assessment.announced(pb.FormPublished)),
        len(await assessment.announced(pb.AdministrationPlanned)),
    )


async def test_a_changed_form_is_a_new_version_and_a_return_takes_the_old_one_up(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    changed = await assessment.knows_forms(forms_file("forms", 0, "items", 0, "key", "C"))
    returned = await assessment.knows_forms()

    assert (changed.counts["changed"], returned.counts["changed"]) == (1, 1)
    ids = [fact.form for fact in await assessment.announced(pb.FormPublished) if fact.code == "M4-A"]
    assert len(set(ids)) == 2
    [current] = await assessment.look("SELECT current_version_id FROM forms WHERE code = 'M4-A'")
    assert current["current_version_id"].bytes == ids[0]


async def test_a_changed_window_is_announced_and_a_changed_list_of_forms_is_kept(assessment: AssessmentService) -> None:
    await assessment.knows_forms()

    await assessment.knows_forms(forms_file("administrations", 0, "closesAt", "2026-11-01T00:00:00Z"))
    report = await assessment.knows_forms(
        {"format": "trellis-forms/1", "administrations": [FORMS["administrations"][1] | {"forms": ["M4-B"]}]}
    )

    assert report.counts["changed"] == 1
    assert sorted(fact.code for fact in await assessment.announced(pb.AdministrationPlanned)) == [
        "2026-check",
        "2026-fall",
        "2026-fall",
    ]
    rows = await assessment.look(
        """
        SELECT f.code FROM administration_forms af JOIN forms f ON f.id = af.form_id
        JOIN administrations a ON a.id = af.administration_id WHERE a.code = '2026-check'
        """
    )
    assert [row["code"] for row in rows] == ["M4-B"]


BROKEN: list[tuple[tuple[Any, ...], str, str]] = [
    (("forms", 0, "items", 0, "parameters", "model", "4pl"), "unknown-model", "/forms/0/items/0/parameters/model"),
    (("forms", 0, "items", 1, "competencies", 1, "nobody"), "unknown-competency", "/forms/0/items/1/competencies/1"),
    (("administrations", 1, "forms", ["M4-A", "M9"]), "unknown-form", "/administrations/1/forms/1"),
    (("forms", DELETE), "unknown-form", "/administrations/0/forms/0"),
]


async def test_a_file_with_a_problem_changes_nothing_and_says_where(assessment: AssessmentService) -> None:
    for change, rule, column in BROKEN:
        text = json.dumps(forms_file(*change), indent=1)

        report = await assessment.load("forms", text.encode())

        assert report.state == "refused"
        [problem] = [one for one in report.problems if (one.rule, one.column) == (rule, column)]
        assert (problem.file, bool(problem.remedy)) == ("forms.json", True)
        assert str(problem.value) in text.split("\n")[(problem.line or 0) - 1]
    assert await assessment.look("SELECT 1 FROM forms UNION ALL SELECT 1 FROM administrations") == []
    assert await assessment.announced(pb.FormPublished) == []
    assert await assessment.staged_rows() == 0


async def test_keep_good_keeps_the_valid_records_and_reports_the_rest(assessment: AssessmentService) -> None:
    document = forms_file("forms", 0, "items", 1, "competencies", 1, "nobody")
    document["forms"][1]["items"][0]["maximum"] = 0
    document["forms"].append({**FORMS["forms"][1], "id": "M4-C"})
    document["administrations"][1]["forms"] = ["M4-C"]

    report = await assessment.load("forms", json.dumps(document).encode(), keep_good=True)

    assert report.state == "applied"
    assert report.counts == {"added": 2, "changed": 0, "unchanged": 0, "refused": 3}
    assert {problem.rule for problem in report.problems} == {"maximum", "form-refused", "unknown-competency"}
    assert [row["code"] for row in await assessment.look("SELECT code FROM administrations")] == ["2026-check"]


async def test_a_kill_between_chunks_resumes_where_it_stood(assessment: AssessmentService) -> None:
    import_id = await assessment.stage("forms", json.dumps(FORMS).encode())
    with crash.armed("I1", time=2), pytest.raises(crash.Crashed):
        await assessment.finish(import_id)
    assert len(await assessment.look("SELECT 1 FROM administrations")) == 1

    report = await assessment.finish(import_id)

    assert (report.state, report.counts["added"]) == ("applied", 4)
    assert sorted(fact.code for fact in await assessment.announced(pb.FormPublished)) == ["M4-A", "M4-B"]
    assert len(await assessment.announced(pb.AdministrationPlanned)) == 2


async def test_a_large_file_is_read_by_the_worker(assessment: AssessmentService) -> None:
    items = [{**FORMS["forms"][0]["items"][0], "id": f"i{number}"} for number in range(900)]
    forms = [{**FORMS["forms"][0], "id": f"F{number}", "items": items} for number in range(2)]

    report = await assessment.knows_forms({"format": "trellis-forms/1", "forms": forms})

    assert report.counts["added"] == 2


async def test_districts_have_forms_of_their_own(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.knows_forms(forms_file("forms", 0, "title", "Another"), district=OTHER_DISTRICT)

    mine = await assessment.look("SELECT id, content ->> 'title' AS title FROM form_versions ORDER BY title")
    theirs = await assessment.look(
        "SELECT id, content ->> 'title' AS title FROM form_versions ORDER BY title", caller=a_caller(OTHER_DISTRICT)
    )

    assert [row["title"] for row in mine] == ["Mathematics 4 A", "Mathematics 4 B"]
    assert [row["title"] for row in theirs] == ["Another", "Mathematics 4 B"]
    assert {row["id"] for row in mine}.isdisjoint(row["id"] for row in theirs)
    assert len(await assessment.announced(pb.FormPublished, DISTRICT)) == 2
