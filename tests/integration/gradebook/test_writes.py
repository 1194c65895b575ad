"""Writing to the gradebook: what is taken, what is kept, and what changes with it."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from services.roster.domain.oneroster.versions import Version
from shared.auth import Caller, Purpose
from tests.integration.gradebook.conftest import DISTRICT, OTHER_DISTRICT, Gradebook, a_caller, a_line_item, a_result

PURL = "https://purl.imsglobal.org/spec/or/v1p2/scope/"


@pytest.fixture
async def with_sheet(gradebook: Gradebook) -> Gradebook:
    """A gradebook with a line item and a result."""
    assert await gradebook.put("lineItems/sheet-1", a_line_item()) == (201, None)
    assert await gradebook.put("results/ada-1", a_result()) == (201, None)
    return gradebook


class TestWhatIsKept:
    async def test_a_line_item_is_kept_as_it_was_sent(self, gradebook: Gradebook) -> None:
        title = "A title that is well over a hundred characters long, as those of real teachers are now and then: " * 2

        status, _ = await gradebook.put(
            "lineItems/sheet-1",
            a_line_item(
                title=title, description="", resultValueMin=0, resultValueMax=100, metadata={"color": "blue"},
                gradingPeriod={"sourcedId": "autumn-1"}, academicSession={"sourcedId": "autumn"},
            ),
        )  # fmt: skip

        row = await gradebook.row("line_items", "sheet-1")
        assert status == 201
        assert (row["title"], row["description"], row["status"]) == (title, "", "active")
        assert row["due_at"] == datetime(2026, 9, 8, 8, tzinfo=UTC)
        assert (row["result_value_min"], row["result_value_max"]) == (0, 100)
        assert orjson.loads(row["said"]) == {"color": "blue"}
        assert row["grading_period_id"] != row["academic_session_id"] is not None

    async def test_a_score_above_the_maximum_is_kept(self, gradebook: Gradebook) -> None:
        await gradebook.put("lineItems/sheet-1", a_line_item(resultValueMax=100))

        status, _ = await gradebook.put("results/ada-1", a_result(score=300, comment=""))

        row = await gradebook.row("results", "ada-1")
        assert status == 201
        assert (row["score"], row["comment"]) == (300, "")

    async def test_a_score_date_may_come_as_a_date_and_time(self, with_sheet: Gradebook) -> None:
        status, _ = await with_sheet.put("results/ada-1", a_result(scoreDate="2026-09-09T23:30:00.000-05:00"))

        assert status == 201
        assert (await with_sheet.row("results", "ada-1"))["score_date"] == date(2026, 9, 9)

    async def test_dates_of_line_items_may_come_as_dates(self, gradebook: Gradebook) -> None:
        await gradebook.put("lineItems/sheet-1", a_line_item(dueDate="2026-09-08"))

        assert (await gradebook.row("line_items", "sheet-1"))["due_at"] == datetime(2026, 9, 8, tzinfo=UTC)

    async def test_numbers_and_booleans_may_come_with_and_without_quotes(self, with_sheet: Gradebook) -> None:
        await with_sheet.put("results/ada-1", a_result(score="88.5", late=True, missing="false", incomplete="TRUE"))

        row = await with_sheet.row("results", "ada-1")
        assert (row["score"], row["late"], row["missing"], row["incomplete"]) == (88.5, True, False, True)
        assert row["in_progress"] is None

    async def test_learning_objectives_and_the_scale_are_kept_and_replaced(self, with_sheet: Gradebook) -> None:
        scale = {"title": "Letters", "type": "letter", "class": {"sourcedId": "north-math"},
                 "scoreScaleValue": [{"itemValueLHS": "A", "itemValueRHS": "90-100"}]}  # fmt: skip
        await with_sheet.put("scoreScales/letters", scale)
        reached = [{"learningObjectiveId": "b", "score": 0.5}, {"learningObjectiveId": "a", "textScore": "good"}]
        objectives = [{"source": "case", "learningObjectiveResults": reached}]

        await with_sheet.put(
            "results/ada-1", a_result(learningObjectiveSet=objectives, scoreScale={"sourcedId": "letters"})
        )

        assert await parts(with_sheet) == [("case", "b", 0.5, None), ("case", "a", None, "good")]
        assert await scales(with_sheet) == ["letters"]

        await with_sheet.put("results/ada-1", a_result(learningObjectiveSet=[{
            "source": "/acme", "learningObjectiveResults": [{"learningObjectiveId": "c"}]}]))  # fmt: skip

        assert await parts(with_sheet) == [("/acme", "c", None, None)]
        assert await scales(with_sheet) == []

    async def test_what_1_1_has_no_word_for_stays_when_1_1_replaces(self, with_sheet: Gradebook) -> None:
        objectives = [{"source": "case", "learningObjectiveIds": ["a"]}]
        await with_sheet.put("lineItems/sheet-1", a_line_item(learningObjectiveSet=objectives))
        of_1_1 = a_line_item(title="Now another")
        del of_1_1["school"]

        status, _ = await with_sheet.put("lineItems/sheet-1", of_1_1, version=Version.V11)

        kept = await with_sheet.look("SELECT objective FROM line_item_objectives WHERE status = 'active'")
        row = await with_sheet.row("line_items", "sheet-1")
        assert status == 201
        assert (row["title"], kept) == ("Now another", [{"objective": "a"}])
        assert row["school_id"] is not None


async def parts(gradebook: Gradebook) -> list[tuple[Any, ...]]:
    rows = await gradebook.look("SELECT * FROM result_objectives WHERE status = 'active' ORDER BY sourced_id")
    return [(row["source"], row["objective"], row["score"], row["text_score"]) for row in rows]


async def scales(gradebook: Gradebook) -> list[str]:
    rows = await gradebook.look("SELECT score_scale FROM result_scales WHERE status = 'active'")
    return [row["score_scale"] for row in rows]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"dueDate": "soon"}, "lineItem.dueDate must be a date-time"),
            ({"dueDate": None}, "lineItem.dueDate is missing"),
            ({"dueDate": "0001-01-01T00:00:00+14:00"}, "lineItem.dueDate is not a moment of the calendar"),
            ({"title": 7}, "lineItem.title must be a string"),
            ({"title": "a\0b"}, "lineItem.title must not contain the character NUL"),
            ({"category": {"sourcedId": "a\nb"}}, "lineItem.category.sourcedId must not contain control characters"),
            ({"metadata": {"a": ["\0"]}}, "lineItem.metadata must not contain the character NUL"),
            ({"resultValueMax": "a lot"}, "lineItem.resultValueMax must be a number"),
            ({"resultValueMax": "1e999"}, "lineItem.resultValueMax is too large a number"),
            ({"resultValueMin": -1e308}, "lineItem.resultValueMin is too large a number"),
            ({"category": {"sourcedId": "homework "}}, "lineItem.category.sourcedId must not have space around it"),
            ({"status": "gone"}, "lineItem.status must be one of active, tobedeleted"),
            ({"sourcedId": "sheet-2"}, "lineItem.sourcedId must be the path's, sheet-1, or left out"),
            ({"category": {"href": "https://x"}}, 'lineItem.category must be {"sourcedId": "…"}'),
            ({"category": {"sourcedId": "exams"}}, "lineItem.category.sourcedId is exams: there is no such category"),
            ({"class": {"sourcedId": "art"}}, "lineItem.class.sourcedId is art: there is no such class"),
            ({"school": {"sourcedId": "south"}}, "lineItem.school.sourcedId is south: the class is not of this school"),
            (
                {"learningObjectiveSet": [{"source": "Acme", "learningObjectiveIds": ["a"]}]},
                "lineItem.learningObjectiveSet[0].source must be case, unknown",
            ),
        ],
    )
    async def test_a_broken_rule_is_told_with_its_place(
        self, gradebook: Gradebook, wrong: dict[str, Any], said: str
    ) -> None:
        status, told = await gradebook.put("lineItems/sheet-1", a_line_item(**wrong))

        assert status == 422
        assert said in told
        assert await gradebook.look("SELECT * FROM line_items") == []

    @pytest.mark.parametrize("name", ["a\nb", "a\x7fb", "\x85"])
    async def test_a_name_in_the_path_that_no_file_could_carry_is_refused(
        self, gradebook: Gradebook, name: str
    ) -> None:
        status, told = await gradebook.put(f"lineItems/{name}", a_line_item())

        assert status == 422
        assert "the sourcedId of the path must not contain control characters" in told
        assert await gradebook.look("SELECT * FROM line_items") == []

    @pytest.mark.parametrize("name", [" a", "a ", "\u00a0a"])
    async def test_a_name_with_space_around_it_is_refused_for_files_are_read_without(
        self, gradebook: Gradebook, name: str
    ) -> None:
        status, told = await gradebook.put(f"categories/{name}", {"title": "Exams"})

        assert (status, told) == (422, "the sourcedId of the path must not have space around it.")
        assert await gradebook.look("SELECT * FROM categories WHERE title = 'Exams'") == []

    async def test_a_number_that_no_file_could_carry_is_refused(self, gradebook: Gradebook) -> None:
        status, told = await gradebook.put("categories/exams", {"title": "Exams", "weight": 1e308})
        none, _ = await gradebook.send("PUT", "categories/exams", b'{"category": {"title": "Exams", "weight": NaN}}')

        assert (status, none) == (422, 400)
        assert told == "category.weight is too large a number; they are below 1,000,000,000,000,000."

    async def test_a_student_must_be_one(self, with_sheet: Gradebook) -> None:
        status, told = await with_sheet.put("results/lee-1", a_result(student={"sourcedId": "ms-lee"}))

        assert (status, told) == (422, "result.student.sourcedId is ms-lee: there is no such user.")

    async def test_json_that_breaks_off_is_told_where(self, gradebook: Gradebook) -> None:
        status, told = await gradebook.send("PUT", "categories/exams", b'{"category":\n {"title": "Ex')

        assert status == 400
        assert "line 2" in told

    async def test_a_body_of_another_kind_is_told_how_it_should_be(self, gradebook: Gradebook) -> None:
        status, told = await gradebook.send("PUT", "categories/exams", {"lineItem": {}})

        assert (status, told) == (422, 'category is missing; the body is {"category": {…}}.')

    async def test_an_endless_body_is_refused(self, gradebook: Gradebook) -> None:
        status, _ = await gradebook.send("PUT", "categories/exams", b" " * 10_000_001)

        assert status == 413

    async def test_a_deleted_category_takes_no_more_line_items(self, gradebook: Gradebook) -> None:
        await gradebook.delete("categories/homework")

        status, told = await gradebook.put("lineItems/sheet-1", a_line_item())

        assert (status, told) == (422, "lineItem.category.sourcedId is homework: this category is deleted.")

    @pytest.mark.parametrize("scope", ["gradebook.createpost", "gradebook.delete", "assessment.createput"])
    async def test_each_operation_needs_its_own_scope(self, gradebook: Gradebook, scope: str) -> None:
        caller = Caller(DISTRICT, "app", frozenset({"gradebook:write", PURL + scope}), Purpose.INTEGRATION)

        status, told = await gradebook.put("categories/exams", {"title": "Exams"}, caller=caller)

        assert (status, told) == (403, f"This needs one of the scopes {PURL}gradebook.createput.")

    async def test_what_cannot_be_written_is_not_there(self, gradebook: Gradebook) -> None:
        assert (await gradebook.send("PUT", "classes/north-math", {"class": {}}))[0] == 404
        assert (await gradebook.send("POST", "lineItems", {"lineItems": []}))[0] == 405
        assert (await gradebook.put("scoreScales/x", {}, version=Version.V11))[0] == 404


class TestWhatChanges:
    async def test_the_same_again_changes_nothing(self, with_sheet: Gradebook) -> None:
        before = await with_sheet.revisions()

        assert (await with_sheet.put("lineItems/sheet-1", a_line_item(dateLastModified="2026-10-01T00:00:00Z")))[
            0
        ] == 201
        assert (await with_sheet.put("results/ada-1", a_result()))[0] == 201

        assert await with_sheet.revisions() == before

    async def test_a_new_record_changes_what_it_belongs_to(self, gradebook: Gradebook) -> None:
        await gradebook.put("lineItems/sheet-1", a_line_item())

        number = await gradebook.revision_of("line_items", "sheet-1")
        assert await gradebook.revision_of("classes", "north-math") == number
        assert await gradebook.revision_of("categories", "homework") == number
        assert await gradebook.revision_of("classes", "south-math") < number

    async def test_a_move_changes_both_ends_and_a_new_score_neither(self, with_sheet: Gradebook) -> None:
        await with_sheet.put("lineItems/sheet-2", a_line_item())

        await with_sheet.put("results/ada-1", a_result(score=9))

        scored = await with_sheet.revision_of("results", "ada-1")
        assert await with_sheet.revision_of("line_items", "sheet-1") < scored

        await with_sheet.put("results/ada-1", a_result(lineItem={"sourcedId": "sheet-2"}))

        moved = await with_sheet.revision_of("results", "ada-1")
        assert moved > scored
        assert await with_sheet.revision_of("line_items", "sheet-1") == moved
        assert await with_sheet.revision_of("line_items", "sheet-2") == moved

    async def test_a_delete_leaves_a_tombstone_and_a_put_brings_it_back(self, with_sheet: Gradebook) -> None:
        assert await with_sheet.delete("results/ada-1") == (204, None)

        gone = await with_sheet.row("results", "ada-1")
        assert (gone["status"], gone["until"]) == ("tobedeleted", gone["revision"])
        assert gone["ended_on"] is not None
        assert (await with_sheet.delete("results/ada-1"))[0] == 404

        await with_sheet.put("results/ada-1", a_result())

        back = await with_sheet.row("results", "ada-1")
        assert (back["status"], back["until"], back["ended_on"]) == ("active", None, None)
        assert back["since"] == back["revision"] > gone["revision"]

    async def test_a_put_with_the_status_tobedeleted_deletes(self, with_sheet: Gradebook) -> None:
        await with_sheet.put("lineItems/sheet-1", a_line_item(status="tobedeleted"))

        assert (await with_sheet.row("results", "ada-1"))["status"] == "tobedeleted"

    async def test_results_end_with_their_line_item_and_its_class_changes(self, with_sheet: Gradebook) -> None:
        await with_sheet.put("results/ada-1", a_result(learningObjectiveSet=[{
            "source": "case", "learningObjectiveResults": [{"learningObjectiveId": "a"}]}]))  # fmt: skip

        assert (await with_sheet.delete("lineItems/sheet-1"))[0] == 204

        ended = await with_sheet.revision_of("line_items", "sheet-1")
        assert (await with_sheet.row("results", "ada-1"))["until"] == ended
        assert await parts(with_sheet) == []
        assert await with_sheet.revision_of("classes", "north-math") == ended

    async def test_a_category_in_use_is_not_deleted(self, with_sheet: Gradebook) -> None:
        status, told = await with_sheet.delete("categories/homework")

        assert status == 422
        assert told == "1 line items use this category; it cannot be deleted before they are."
        assert (await with_sheet.row("categories", "homework"))["status"] == "active"

    async def test_parts_of_an_assessment_end_with_it(self, gradebook: Gradebook) -> None:
        await gradebook.put("assessmentLineItems/exam", {"title": "Exam"})
        await gradebook.put(
            "assessmentLineItems/part", {"title": "Part", "parentAssessmentLineItem": {"sourcedId": "exam"}}
        )
        of_part = a_result(assessmentLineItem={"sourcedId": "part"}, scorePercentile=81)
        assert (await gradebook.put("assessmentResults/ada", of_part))[0] == 201

        assert (await gradebook.delete("assessmentLineItems/exam"))[0] == 204

        ended = await gradebook.look(
            "SELECT status FROM assessment_results UNION SELECT status FROM assessment_line_items"
        )
        assert ended == [{"status": "tobedeleted"}]

    @pytest.mark.parametrize("name", ["unknown", "a\0b", "a" * 300])
    async def test_what_is_not_there_cannot_be_deleted(self, gradebook: Gradebook, name: str) -> None:
        assert (await gradebook.delete(f"lineItems/{name}"))[0] == 404


class TestMany:
    async def test_each_supplied_id_is_paired_with_one_of_ours(self, gradebook: Gradebook) -> None:
        status, answer = await gradebook.send(
            "POST", "classes/north-math/lineItems",
            {"lineItems": [a_line_item(sourcedId="1"), a_line_item(sourcedId="2", title="Another")]},
        )  # fmt: skip

        pairs = answer["sourcedIdPairs"]
        rows = await gradebook.look("SELECT sourced_id, title FROM line_items")
        assert status == 201
        assert [pair["suppliedSourcedId"] for pair in pairs] == ["1", "2"]
        assert {row["sourced_id"] for row in rows} == {pair["allocatedSourcedId"] for pair in pairs}

    async def test_a_request_whose_answer_was_lost_may_be_sent_again(self, with_sheet: Gradebook) -> None:
        body = {"results": [a_result(sourcedId="x", score=1), a_result(sourcedId="y", score=2)]}

        first = await with_sheet.send("POST", "lineItems/sheet-1/results", body)
        before = await with_sheet.revisions()
        again = await with_sheet.send("POST", "lineItems/sheet-1/results", body)

        assert first == again
        assert await with_sheet.revisions() == before

    async def test_a_supplied_id_that_is_used_anew_takes_nothing_away(self, with_sheet: Gradebook) -> None:
        for score in (1, 2):
            await with_sheet.send(
                "POST", "lineItems/sheet-1/results", {"results": [a_result(sourcedId="1", score=score)]}
            )

        scores = await with_sheet.look("SELECT score FROM results WHERE status = 'active' ORDER BY score")
        assert [row["score"] for row in scores] == [1, 2, 7.5]

    async def test_what_the_path_says_may_be_left_out_and_not_contradicted(self, with_sheet: Gradebook) -> None:
        implied, other = a_result(sourcedId="x"), a_result(sourcedId="y", lineItem={"sourcedId": "sheet-2"})
        del implied["lineItem"]

        taken, _ = await with_sheet.send("POST", "lineItems/sheet-1/results", {"results": [implied]})
        refused, told = await with_sheet.send("POST", "lineItems/sheet-1/results", {"results": [implied, other]})

        assert taken == 201
        assert (refused, told) == (
            422, "results[1].lineItem.sourcedId must be the path's, sheet-1, or left out."
        )  # fmt: skip

    async def test_one_wrong_record_stops_them_all(self, gradebook: Gradebook) -> None:
        status, told = await gradebook.send(
            "POST", "schools/north/lineItems",
            {"lineItems": [a_line_item(sourcedId="1"), a_line_item(sourcedId="1", title=None)]},
        )  # fmt: skip

        assert status == 422
        assert told == "lineItems[1].sourcedId is that of lineItems[0]; lineItems[1].title is missing."
        assert await gradebook.look("SELECT * FROM line_items") == []

    async def test_results_of_a_session_belong_to_its_line_items(self, with_sheet: Gradebook) -> None:
        await with_sheet.put("lineItems/sheet-1", a_line_item(gradingPeriod={"sourcedId": "autumn-1"}))
        body = {"results": [a_result(sourcedId="1")]}

        taken, _ = await with_sheet.send("POST", "classes/north-math/academicSessions/autumn/results", body)
        refused, told = await with_sheet.send("POST", "classes/north-math/academicSessions/spring/results", body)
        elsewhere, _ = await with_sheet.send("POST", "classes/south-math/academicSessions/autumn/results", body)

        assert taken == 201
        assert (refused, told) == (
            422, "results[0].lineItem is sheet-1: this line item is of another academic session."
        )  # fmt: skip
        assert elsewhere == 422

    @pytest.mark.parametrize(
        "path", ["classes/x/lineItems", "schools/x/lineItems", "lineItems/x/results",
                 "classes/north-math/academicSessions/x/results", "classes/a\0/lineItems"],
    )  # fmt: skip
    async def test_nothing_is_added_to_what_is_not_there(self, gradebook: Gradebook, path: str) -> None:
        status, _ = await gradebook.send("POST", path, {path.rpartition("/")[2]: []})

        assert status == 404

    async def test_thousands_at_once(self, with_sheet: Gradebook) -> None:
        body = {"results": [a_result(sourcedId=str(number), score=number) for number in range(3_000)]}

        status, answer = await with_sheet.send("POST", "lineItems/sheet-1/results", body)

        assert status == 201
        assert len({pair["allocatedSourcedId"] for pair in answer["sourcedIdPairs"]}) == 3_000


class TestWhoMayWrite:
    async def test_a_key_of_a_school_writes_for_its_classes_and_students(self, gradebook: Gradebook) -> None:
        north, south = a_caller(schools=("north",)), a_caller(schools=("south",))

        assert (await gradebook.put("lineItems/sheet-1", a_line_item(), caller=south))[0] == 422
        assert (await gradebook.put("lineItems/sheet-1", a_line_item(), caller=north))[0] == 201
        assert (await gradebook.put("results/ada-1", a_result(), caller=south))[0] == 422
        assert (await gradebook.put("results/ada-1", a_result(), caller=north))[0] == 201
        stranger = a_result(student={"sourcedId": "sol"})
        assert (await gradebook.put("results/sol-1", stranger, caller=north))[0] == 422

    async def test_a_key_of_another_school_cannot_take_over_a_name(self, with_sheet: Gradebook) -> None:
        south = a_caller(schools=("south",))
        its_own = a_line_item(**{"class": {"sourcedId": "south-math"}, "school": {"sourcedId": "south"}})

        taken, told = await with_sheet.put("lineItems/sheet-1", its_own, caller=south)
        deleted, _ = await with_sheet.delete("lineItems/sheet-1", caller=south)

        assert (taken, told) == (403, "This sourcedId belongs to a record that this key does not reach.")
        assert deleted == 404

    async def test_a_category_that_schools_share_is_not_one_schools_to_change(self, with_sheet: Gradebook) -> None:
        south = a_caller(schools=("south",))

        assert (await with_sheet.put("categories/exams", {"title": "Exams"}, caller=south))[0] == 201
        assert (await with_sheet.put("categories/exams", {"title": "Tests"}, caller=south))[0] == 201
        assert (await with_sheet.put("categories/homework", {"title": "Mine"}, caller=south))[0] == 403
        assert (await with_sheet.delete("categories/homework", caller=south))[0] == 403

    async def test_the_assessments_of_a_district_are_not_a_schools_to_change(self, gradebook: Gradebook) -> None:
        north = a_caller(schools=("north",))
        await gradebook.put("assessmentLineItems/exam", {"title": "Exam"})
        of_class = {"title": "Ours", "class": {"sourcedId": "north-math"}}

        assert (await gradebook.put("assessmentLineItems/exam", of_class, caller=north))[0] == 403
        assert (await gradebook.delete("assessmentLineItems/exam", caller=north))[0] == 403
        assert (await gradebook.put("assessmentLineItems/quiz", of_class, caller=north))[0] == 201

    async def test_another_district_has_its_own_records_of_the_same_name(self, with_sheet: Gradebook) -> None:
        other = a_caller(OTHER_DISTRICT)

        assert (await with_sheet.delete("results/ada-1", caller=other))[0] == 404
        assert (await with_sheet.put("lineItems/sheet-1", a_line_item(title="Theirs"), caller=other))[0] == 201
        assert (await with_sheet.row("line_items", "sheet-1"))["title"] == "Fractions, sheet 1"

    async def test_results_of_students_who_moved_end_with_the_line_item_too(self, with_sheet: Gradebook) -> None:
        sol = a_result(student={"sourcedId": "sol"})
        await with_sheet.put("results/sol-1", sol)

        assert (await with_sheet.delete("lineItems/sheet-1", caller=a_caller(schools=("north",))))[0] == 204

        assert (await with_sheet.row("results", "sol-1"))["status"] == "tobedeleted"
