"""Reading the gradebook: every read of both versions, and what is told of what was written."""

import pytest

from services.roster.domain.oneroster.versions import Version
from tests.integration.gradebook.conftest import PUBLIC, Gradebook, a_caller, a_line_item, a_result
from tests.integration.oneroster import official

SCALE = {
    "title": "Letters",
    "type": "letter",
    "class": {"sourcedId": "north-math"},
    "course": {"sourcedId": "math"},
    "scoreScaleValue": [{"itemValueLHS": "A", "itemValueRHS": "90-100"}],
}
NAMES = {
    "classSourcedId": "north-math",
    "schoolSourcedId": "north",
    "lineItemSourcedId": "sheet-1",
    "studentSourcedId": "ada",
}
SINGLES = {
    "categories": "homework",
    "scoreScales": "letters",
    "lineItems": "sheet-1",
    "results": "ada-1",
    "assessmentLineItems": "exam",
    "assessmentResults": "ada-exam",
}


@pytest.fixture
async def written(gradebook: Gradebook) -> Gradebook:
    """Something of every kind, with everything that can be said of it."""
    named = [{"source": "case", "learningObjectiveIds": ["b", "a"]}, {"source": "/acme", "learningObjectiveIds": ["c"]}]
    reached = [
        {
            "source": "case",
            "learningObjectiveResults": [{"learningObjectiveId": "b", "score": 0.5, "textScore": "half"}],
        }
    ]
    more = {"scoreScale": {"sourcedId": "letters"}, "metadata": {"vendor.color": "blue"}}
    scored = {"textScore": "B", "late": "false", "missing": "true", "learningObjectiveSet": reached, **more}
    for path, said in {
        "categories/homework": {"title": "Homework", "weight": 0.25},
        "scoreScales/letters": SCALE,
        "lineItems/sheet-1": a_line_item(
            gradingPeriod={"sourcedId": "autumn-1"}, academicSession={"sourcedId": "autumn"}, resultValueMin=0,
            resultValueMax=100, learningObjectiveSet=named, **more,
        ),
        "results/ada-1": a_result(score=300, comment="", **{"class": {"sourcedId": "north-math"}}, **scored),
        "assessmentLineItems/exam": {
            "title": "Exam", "class": {"sourcedId": "north-math"}, "learningObjectiveSet": named, **more,
        },
        "assessmentResults/ada-exam": a_result(
            assessmentLineItem={"sourcedId": "exam"}, scorePercentile=81.5, **scored
        ),
    }.items():  # fmt: skip
        assert await gradebook.put(path, said) == (201, None)
    return gradebook


@pytest.mark.skipif(not official.HERE, reason="the official descriptions are not beside the project")
@pytest.mark.parametrize("operation", list(official.operations("gradebook")), ids=lambda one: one.name)
async def test_every_read_answers_as_officially_described(written: Gradebook, operation: official.Operation) -> None:
    plural = operation.path.split("/")[1]
    path = operation.path.format(sourcedId=SINGLES.get(plural, ""), **NAMES).lstrip("/")

    status, said = await written.send("GET", path)

    assert status == 200
    official.check("gradebook", operation.path, status, said)
    [held] = said.values()
    assert held, "nothing was told"


@pytest.mark.parametrize(
    "path",
    [
        "categories", "categories/homework", "lineItems", "lineItems/sheet-1", "results", "results/ada-1",
        "classes/north-math/results", "classes/north-math/lineitems", "CLASSES/north-math/LineItems/sheet-1/results",
        "classes/north-math/students/ada/results",
    ],
)  # fmt: skip
async def test_every_read_of_1_1_answers_in_any_case(written: Gradebook, path: str) -> None:
    assert await written.get(path, version=Version.V11)


async def test_what_was_written_is_told_again(written: Gradebook) -> None:
    result = await written.get("results/ada-1")
    line_item = await written.get("lineItems/sheet-1")

    base = f"{PUBLIC}/ims/oneroster"
    assert (result["score"], result["comment"], result["missing"]) == (300, "", "true")
    assert result["student"] == {"href": f"{base}/rostering/v1p2/users/ada", "sourcedId": "ada", "type": "user"}
    assert result["lineItem"]["href"] == f"{base}/gradebook/v1p2/lineItems/sheet-1"
    assert result["metadata"] == {"vendor.color": "blue"}
    assert [one["source"] for one in line_item["learningObjectiveSet"]] == ["case", "/acme"]
    assert line_item["learningObjectiveSet"][0]["learningObjectiveIds"] == ["b", "a"]


async def test_what_is_told_can_be_sent_back_and_changes_nothing(written: Gradebook) -> None:
    before = await written.revisions()

    for plural, name in SINGLES.items():
        assert await written.put(f"{plural}/{name}", await written.get(f"{plural}/{name}")) == (201, None)

    assert await written.revisions() == before


async def test_1_1_is_told_what_1_1_knows(written: Gradebook) -> None:
    line_item = await written.get("lineItems/sheet-1", version=Version.V11)
    status, _ = await written.send("GET", "scoreScales", version=Version.V11)

    assert line_item["category"]["href"] == f"{PUBLIC}/ims/oneroster/v1p1/categories/homework"
    assert not line_item.keys() & {"school", "scoreScale", "academicSession", "learningObjectiveSet"}
    assert status == 404


async def test_what_was_deleted_is_gone_from_lists_at_once_and_told_to_who_asks_for_changes(written: Gradebook) -> None:
    seen = (await written.get("results/ada-1"))["dateLastModified"]

    await written.delete("results/ada-1")

    [changed] = await written.get(f"results?filter=dateLastModified>'{seen}'")
    assert await written.get("results") == []
    assert await written.get("classes/north-math/results") == []
    assert (changed["sourcedId"], changed["status"]) == ("ada-1", "tobedeleted")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("results?filter=score>'299' AND student.sourcedId='ada'", 1),
        ("results?filter=scoreStatus='exempt'", 0),
        ("results?filter=learningObjectiveSet='b'", 1),
        ("lineItems?filter=category.sourcedId='homework' AND dueDate<'2026-09-09'", 1),
        ("assessmentResults?filter=missing='true'", 1),
    ],
)
async def test_results_are_found_by_what_they_say(written: Gradebook, asked: str, found: int) -> None:
    assert len(await written.get(asked)) == found


async def test_a_key_of_another_school_sees_nothing_of_this_ones(written: Gradebook) -> None:
    south = a_caller(schools=("south",))

    assert await written.get("results", caller=south) == []
    assert await written.get("lineItems", caller=south) == []
    assert await written.get("assessmentResults", caller=south) == []
    assert (await written.send("GET", "results/ada-1", caller=south))[0] == 404
