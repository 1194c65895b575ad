"""The demonstration district has all 21 files of OneRoster 1.2, and a week of attendance with its closures."""

import csv
import io
from collections import Counter
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest

from deploy.cli.demo import DemoFiles, write_demo

Row = dict[str, str]
Tables = dict[str, list[Row]]

HEAD = "sourcedId status dateLastModified"
HEADERS = {
    "categories": "title weight",
    "lineItems": "title description assignDate dueDate classSourcedId categorySourcedId academicSessionSourcedId "
    "resultValueMin resultValueMax schoolSourcedId",
    "results": "lineItemSourcedId studentSourcedId scoreStatus score scoreDate comment textScore classSourcedId "
    "inProgress incomplete late missing",
    "scoreScales": "title type orgSourcedId courseSourcedId classSourcedId scoreScaleValue",
    "lineItemLearningObjectiveIds": "lineItemSourcedId source learningObjectiveId",
    "lineItemScoreScales": "title lineItemSourcedId scoreScaleSourcedId",
    "resultLearningObjectiveIds": "resultSourcedId source learningObjectiveId score textScore",
    "resultScoreScales": "title resultSourcedId scoreScaleSourcedId",
    "resources": "vendorResourceId title roles importance vendorId applicationId",
    "classResources": "title classSourcedId resourceSourcedId",
    "courseResources": "title courseSourcedId resourceSourcedId",
    "userResources": "userSourcedId orgSourcedId classSourcedId resourceSourcedId",
    "userProfiles": "userSourcedId profileType vendorId applicationId description credentialType username password",
}
"""The files beside the rostering ones, as the CSV binding lists their columns."""

REFERENCES = {
    "lineItemSourcedId": "lineItems",
    "studentSourcedId": "users",
    "userSourcedId": "users",
    "classSourcedId": "classes",
    "courseSourcedId": "courses",
    "orgSourcedId": "orgs",
    "schoolSourcedId": "orgs",
    "categorySourcedId": "categories",
    "academicSessionSourcedId": "academicSessions",
    "scoreScaleSourcedId": "scoreScales",
    "resultSourcedId": "results",
    "resourceSourcedId": "resources",
    "userProfileSourcedId": "userProfiles",
    "parentSourcedId": "orgs",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo"), students=900, seed=7)


@pytest.fixture(scope="module")
def tables(demo: DemoFiles) -> Tables:
    with ZipFile(demo.roster) as packed:
        return {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(packed.read(name).decode())))
            for name in packed.namelist()
        }


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_file_has_rows_and_the_columns_of_the_binding_in_their_order(tables: Tables) -> None:
    assert len(tables) == 1 + 21
    assert all(tables.values())
    for name, columns in HEADERS.items():
        assert " ".join(tables[name][0]) == f"{HEAD} {columns}", name


def test_every_identifier_is_there_once_and_every_reference_leads_somewhere(tables: Tables) -> None:
    known = {name: {row["sourcedId"] for row in rows} for name, rows in tables.items() if name != "manifest"}

    for name, rows in tables.items():
        if name == "manifest":
            continue
        assert len(rows) == len(known[name]), name
        targets = REFERENCES | ({"parentSourcedId": "academicSessions"} if name == "academicSessions" else {})
        for row in rows:
            for column, target in targets.items():
                assert not row.get(column) or row[column] in known[target], (name, column)


def test_a_grading_period_stands_under_every_term_of_every_class(tables: Tables) -> None:
    periods = [row for row in tables["academicSessions"] if row["type"] == "gradingPeriod"]
    terms = {term for row in tables["classes"] for term in row["termSourcedIds"].split(",")}

    assert Counter(row["parentSourcedId"] for row in periods) == dict.fromkeys(terms, 2)
    assert {row["type"] for row in tables["academicSessions"] if row["sourcedId"] in terms} == {"term"}


def test_every_class_has_line_items_of_several_categories_a_scale_and_a_workbook(tables: Tables) -> None:
    classes = {row["sourcedId"] for row in tables["classes"]}
    categories: dict[str, set[str]] = {}
    for row in tables["lineItems"]:
        categories.setdefault(row["classSourcedId"], set()).add(row["categorySourcedId"])

    assert set(categories) == classes
    assert min(map(len, categories.values())) >= 2
    assert {row["classSourcedId"] for row in tables["scoreScales"]} == classes
    assert {row["classSourcedId"] for row in tables["classResources"]} == classes
    assert {row["courseSourcedId"] for row in tables["courseResources"]} == {
        row["sourcedId"] for row in tables["courses"]
    }


def test_results_are_of_students_of_the_class_and_fit_their_line_item(tables: Tables) -> None:
    enrolled = {(row["classSourcedId"], row["userSourcedId"]) for row in tables["enrollments"]}
    items = {row["sourcedId"]: row for row in tables["lineItems"]}

    for row in tables["results"]:
        item = items[row["lineItemSourcedId"]]
        assert item["classSourcedId"] == row["classSourcedId"]
        assert (row["classSourcedId"], row["studentSourcedId"]) in enrolled
        assert (row["scoreStatus"] == "fully graded") == bool(row["score"])
        assert not row["score"] or 0 <= int(row["score"]) <= int(item["resultValueMax"])
        assert row["scoreDate"] > item["dueDate"]
    assert {row["classSourcedId"] for row in tables["results"]} == {row["sourcedId"] for row in tables["classes"]}
    assert {row["scoreStatus"] for row in tables["results"]} == {
        "exempt",
        "fully graded",
        "not submitted",
        "partially graded",
        "submitted",
    }


def test_a_letter_is_the_one_that_the_scale_of_the_class_gives(tables: Tables) -> None:
    scales = {row["classSourcedId"]: row["scoreScaleValue"] for row in tables["scoreScales"]}
    lettered = [row for row in tables["results"] if row["textScore"]]

    for row in lettered:
        pairs = (part.strip("{}").split(":") for part in scales[row["classSourcedId"]].split(","))
        bands = {letter: [int(end) for end in band.split("-")] for band, letter in pairs}
        assert bands[row["textScore"]][0] <= int(row["score"]) <= bands[row["textScore"]][1]
    assert len(lettered) == len(tables["resultScoreScales"])


def test_learning_objectives_are_competencies_of_the_framework(demo: DemoFiles, tables: Tables) -> None:
    framework = demo.framework.read_text(encoding="utf-8")

    for name in ("lineItemLearningObjectiveIds", "resultLearningObjectiveIds"):
        assert {row["source"] for row in tables[name]} == {"case"}
        assert all(row["learningObjectiveId"] in framework for row in tables[name])


def test_a_child_names_its_guardians_and_they_name_the_child(tables: Tables) -> None:
    users = {row["sourcedId"]: row for row in tables["users"]}
    adults = {row["userSourcedId"] for row in tables["roles"] if row["role"] in {"guardian", "parent"}}
    pairs = {(own, agent) for own, row in users.items() for agent in row["agentSourcedIds"].split(",") if agent}

    assert pairs
    assert pairs == {(agent, own) for own, agent in pairs}
    assert {own for own, _ in pairs if own in adults} == adults


def test_students_have_a_number_of_the_state_that_nobody_else_has(tables: Tables) -> None:
    students = {row["userSourcedId"] for row in tables["roles"] if row["role"] == "student"}
    numbers = {row["sourcedId"]: row["userMasterIdentifier"] for row in tables["users"] if row["userMasterIdentifier"]}

    assert set(numbers) == students
    assert len(set(numbers.values())) == 900


def test_a_week_of_attendance_has_a_line_a_student_and_day_on_which_the_school_met(
    demo: DemoFiles, tables: Tables
) -> None:
    school = {row["userSourcedId"]: row["orgSourcedId"] for row in tables["roles"] if row["role"] == "student"}
    shut = {(row["school"], row["begin"]) for row in read(demo.closures) if not row["class"] and not row["modality"]}
    rows = read(demo.attendance)
    days = {row["date"] for row in rows}

    assert shut
    assert {date.fromisoformat(day).isoweekday() for day in days} == {1, 2, 3, 4, 5}
    assert Counter((row["student"], row["date"], row["school"]) for row in rows) == {
        (student, day, org): 1 for student, org in school.items() for day in days if (org, day) not in shut
    }
    assert {row["code"] for row in rows} == {"P", "A", "E", "T"}


def test_where_a_school_taught_remotely_everyone_was_remote(demo: DemoFiles) -> None:
    remote = {(row["school"], row["begin"]) for row in read(demo.closures) if row["modality"] == "remote"}
    rows = [row for row in read(demo.attendance) if (row["school"], row["date"]) in remote]

    assert rows
    assert {row["modality"] for row in rows} == {"remote"}


def test_closures_are_of_schools_and_classes_of_the_roster(demo: DemoFiles, tables: Tables) -> None:
    school = {row["sourcedId"]: row["schoolSourcedId"] for row in tables["classes"]}
    rows = read(demo.closures)

    assert {row["school"] for row in rows} <= {row["sourcedId"] for row in tables["orgs"]}
    assert any(row["class"] for row in rows)
    assert all(school[row["class"]] == row["school"] for row in rows if row["class"])
    assert all(row["begin"] <= row["end"] for row in rows)
