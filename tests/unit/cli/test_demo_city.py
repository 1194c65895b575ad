"""The invented district has a city's shape, a programme, willing schools, and its sheets in three formats."""

import csv
import io
import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zipfile import ZipFile

import pytest
from pyarrow import parquet

from deploy.cli.demo import AnswersFormat, DemoFiles, write_demo
from deploy.cli.demo.people import number_of_schools, schools, subdistricts

STUDENTS, SEED = 6_000, 5
Row = dict[str, str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("city"), STUDENTS, SEED)


@pytest.fixture(scope="module")
def tables(demo: DemoFiles) -> dict[str, list[Row]]:
    with ZipFile(demo.roster) as packed:
        return {
            name: list(csv.DictReader(io.StringIO(packed.read(f"{name}.csv").decode())))
            for name in ("orgs", "roles", "enrollments", "classes")
        }


@pytest.fixture(scope="module")
def said(demo: DemoFiles) -> list[Row]:
    with demo.willingness.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_city_of_1_100_000_has_1_850_schools_in_32_parts() -> None:
    assert number_of_schools(1_100_000) == 1_850
    assert len(subdistricts(1_100_000, SEED)) == 32
    assert sum(school.size for school in schools(1_100_000, SEED)) == 1_100_000


@pytest.mark.parametrize(("students", "count"), [(1, 1), (40, 1), (120, 4), (2_000, 10), (5_946, 10), (20_000, 34)])
def test_a_small_district_has_ten_schools_as_soon_as_they_can_have_thirty_students(students: int, count: int) -> None:
    assert number_of_schools(students) == count


def test_a_school_has_as_many_teachers_and_enrolments_as_a_citys(tables: dict[str, list[Row]]) -> None:
    roles = Counter(row["role"] for row in tables["roles"])

    assert STUDENTS / roles["teacher"] == pytest.approx(1_100_000 / 75_000, rel=0.02)
    assert len(tables["enrollments"]) / STUDENTS == pytest.approx(4_000_000 / 1_100_000, rel=0.05)


def test_every_teacher_teaches_and_every_class_has_one_teacher_of_its_own(tables: dict[str, list[Row]]) -> None:
    teaching = [row for row in tables["enrollments"] if row["role"] == "teacher"]

    assert {row["userSourcedId"] for row in teaching} == {
        row["userSourcedId"] for row in tables["roles"] if row["role"] == "teacher"
    }
    own = Counter(row["classSourcedId"] for row in teaching if row["primary"] == "true")
    assert own == Counter(row["sourcedId"] for row in tables["classes"])
    assert len({row["sourcedId"] for row in tables["enrollments"]}) == len(tables["enrollments"])


def test_schools_belong_to_parts_and_parts_to_the_district(tables: dict[str, list[Row]]) -> None:
    kinds = {row["sourcedId"]: row["type"] for row in tables["orgs"]}
    parents = {row["sourcedId"]: row["parentSourcedId"] for row in tables["orgs"]}
    parts = {parents[org] for org, kind in kinds.items() if kind == "school"}

    assert len(parts) == 2
    assert {parents[part] for part in parts} == {"DISTRICT"}
    assert {kinds[part] for part in parts} == {"district"}
    assert parents["DISTRICT"] == ""


def test_the_programme_names_competencies_of_the_framework_and_schools_of_the_roster(
    demo: DemoFiles, tables: dict[str, list[Row]]
) -> None:
    programme = tomllib.loads(demo.programme.read_text(encoding="utf-8"))
    known = {item["identifier"] for item in json.loads(demo.framework.read_text())["CFItems"]}
    orgs = {row["sourcedId"] for row in tables["orgs"]}

    assert (programme["format"], programme["id"]) == ("trellis-programme/1", "learning-partnerships")
    areas = {area["id"]: area.get("competencies") for area in programme["areas"]}
    assert areas.pop("english-language-learners") is None
    assert set(areas) == {"mathematics", "reading"}
    assert all(named and set(named) <= known for named in areas.values())
    assert set(programme["rules"]["conflicts"][0]["schools"]) <= orgs
    assert set(programme["rules"]["balance"]) == {"district", "charter"}
    assert programme["budget"] >= programme["partnerships"] * programme["cost_per_partnership"]


def test_a_school_says_one_thing_in_an_area_and_many_say_nothing(said: list[Row], tables: dict[str, list[Row]]) -> None:
    city = {row["sourcedId"] for row in tables["orgs"] if row["type"] == "school"}
    speaking = {row["school"] for row in said}

    assert Counter((row["school"], row["area"]) for row in said).most_common(1)[0][1] == 1
    assert speaking < city
    assert {row["role"] for row in said} == {"offers", "seeks"}
    assert {row["diagnostics"] for row in said} <= {"yes", "no"}
    assert {row["eagerness"] for row in said} <= set("12345")
    assert {row["area"] for row in said} == {"mathematics", "reading", "english-language-learners"}


def test_in_the_demonstration_some_schools_allow_their_diagnostics_and_some_do_not(tmp_path: Path) -> None:
    files = write_demo(tmp_path, 2_000, seed=1)
    rows = list(csv.DictReader(files.willingness.read_text().splitlines()))

    assert {row["diagnostics"] for row in rows} == {"yes", "no"}


def test_schools_that_offer_do_better_than_schools_that_seek(tmp_path: Path) -> None:
    files = write_demo(tmp_path, 6_000, SEED)
    keys = {
        item["id"]: item["key"]
        for form in json.loads(files.forms.read_text())["forms"]
        for item in form["items"]
        if isinstance(item.get("key"), str)
    }
    with ZipFile(files.roster) as packed:
        users = csv.DictReader(io.StringIO(packed.read("users.csv").decode()))
        school = {row["sourcedId"]: row["primaryOrgSourcedId"] for row in users}
    right: dict[str, list[bool]] = {}
    for fixed, _, responses in _csv(files.answers):
        if fixed[0] == "2026-fall-math":
            marks = [responses[item] == key for item, key in keys.items() if item in responses]
            right.setdefault(school[fixed[1]], []).extend(marks)
    share = {one: sum(marks) / len(marks) for one, marks in right.items()}
    by_role: dict[str, list[float]] = {"offers": [], "seeks": []}
    for row in csv.DictReader(files.willingness.read_text().splitlines()):
        if row["area"] == "mathematics":
            by_role[row["role"]].append(share[row["school"]])

    means = {role: sum(shares) / len(shares) for role, shares in by_role.items()}
    assert means["offers"] > means["seeks"]


def _csv(file: Path) -> Iterator[tuple[tuple[str, ...], datetime, dict[str, str]]]:
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            fixed, rest = list(row.values())[:5], list(row.items())[5:]
            yield (*fixed[:3], fixed[4]), datetime.fromisoformat(fixed[3]), {k: v for k, v in rest if v}


def _ndjson(file: Path) -> Iterator[tuple[tuple[str, ...], datetime, dict[str, str]]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        fixed = tuple(row[name] for name in ("administration", "student", "form", "modality"))
        yield fixed, datetime.fromisoformat(row["completed_at"]), {k: str(v) for k, v in row["responses"].items()}


def _parquet(file: Path) -> Iterator[tuple[tuple[str, ...], datetime, dict[str, str]]]:
    for row in parquet.read_table(file).to_pylist():
        fixed = tuple(row.pop(name) for name in ("administration", "student", "form", "modality"))
        yield fixed, row.pop("completed_at"), {k: v for k, v in row.items() if v is not None}


def test_the_three_formats_of_answer_sheets_say_the_same(tmp_path: Path) -> None:
    made = {
        kind: write_demo(tmp_path / kind.value, students=70, seed=3, answers_format=kind).answers
        for kind in AnswersFormat
    }

    as_csv = list(_csv(made[AnswersFormat.CSV]))
    assert [file.name for file in made.values()] == ["answers.csv", "answers.ndjson", "answers.parquet"]
    assert len(as_csv) > 140
    assert list(_ndjson(made[AnswersFormat.NDJSON])) == as_csv
    assert list(_parquet(made[AnswersFormat.PARQUET])) == as_csv


@pytest.mark.parametrize("kind", list(AnswersFormat))
def test_each_format_has_the_same_bytes_for_the_same_arguments(kind: AnswersFormat, tmp_path: Path) -> None:
    first, second = (
        write_demo(tmp_path / name, 50, seed=3, answers_format=kind).answers.read_bytes() for name in ("a", "b")
    )

    assert first == second
