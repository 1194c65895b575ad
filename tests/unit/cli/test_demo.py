"""The demonstration district: the files a real one would send."""

import csv
import hashlib
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path
from zipfile import ZipFile

import jsonschema
import pytest

from deploy.cli.demo import DemoFiles, write_demo
from deploy.cli.demo.bank import document, make_bank
from deploy.cli.demo.names import place
from services.assessment.domain import formsfile

CASE_SCHEMA = Path(__file__).parents[4] / "shared" / "data" / "case" / "case-v1p0-cfpackage-schema.json"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo"), students=900, seed=7)


def sheet(files: DemoFiles, name: str) -> list[dict[str, str]]:
    with ZipFile(files.roster) as packed:
        return list(csv.DictReader(io.StringIO(packed.read(f"{name}.csv").decode())))


def answers(files: DemoFiles) -> Iterator[dict[str, str]]:
    with files.answers.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def digests(files: DemoFiles) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in astuple(files)]


def test_the_same_students_and_seed_give_the_same_bytes(demo: DemoFiles, tmp_path: Path) -> None:
    again = write_demo(tmp_path, students=900, seed=7)

    assert digests(again) == digests(demo)


def test_another_seed_gives_other_people_but_the_same_framework_and_programme(demo: DemoFiles, tmp_path: Path) -> None:
    other = write_demo(tmp_path, students=900, seed=8)

    names = [field.name for field in fields(demo)]
    pairs = zip(names, digests(other), digests(demo), strict=True)
    assert {name for name, a, b in pairs if a == b} == {"framework", "programme", "closures"}


@pytest.mark.parametrize("students", [1, 2, 30, 299, 1234])
def test_the_number_of_students_is_the_number_asked_for(students: int, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []

    files = write_demo(tmp_path, students, seed=1, progress=lambda done, total: heard.append((done, total)))

    assert Counter(row["role"] for row in sheet(files, "roles"))["student"] == students
    assert heard[-1] == (students, students)


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_students(tmp_path: Path) -> None:
    peaks = []
    for students in (6_000, 12_000):  # from here on schools do not grow, there are more of them
        tracemalloc.start()
        write_demo(tmp_path / str(students), students, seed=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.2 * peaks[0]


def test_every_reference_of_the_roster_leads_somewhere(demo: DemoFiles) -> None:
    orgs, users, classes, courses, sessions = (
        {row["sourcedId"] for row in sheet(demo, name)}
        for name in ("orgs", "users", "classes", "courses", "academicSessions")
    )

    for row in sheet(demo, "enrollments"):
        assert row["classSourcedId"] in classes
        assert row["schoolSourcedId"] in orgs
        assert row["userSourcedId"] in users
    for row in sheet(demo, "classes"):
        assert row["courseSourcedId"] in courses
        assert row["schoolSourcedId"] in orgs
        assert set(row["termSourcedIds"].split(",")) <= sessions
    for row in sheet(demo, "users"):
        assert {agent for agent in row["agentSourcedIds"].split(",") if agent} <= users
        assert row["primaryOrgSourcedId"] in orgs
    assert {row["userSourcedId"] for row in sheet(demo, "roles")} == users
    assert {row["sourcedId"] for row in sheet(demo, "demographics")} <= users


def test_every_row_of_the_roster_has_as_many_cells_as_its_header(demo: DemoFiles) -> None:
    with ZipFile(demo.roster) as packed:
        for name in packed.namelist():
            widths = {len(row) for row in csv.reader(io.StringIO(packed.read(name).decode()))}
            assert len(widths) == 1, name


def test_the_manifest_names_exactly_the_files_in_the_zip(demo: DemoFiles) -> None:
    said = {row["propertyName"]: row["value"] for row in sheet(demo, "manifest")}
    bulk = {f"{name[5:]}.csv" for name, value in said.items() if name.startswith("file.") and value == "bulk"}

    with ZipFile(demo.roster) as packed:
        assert bulk == set(packed.namelist()) - {"manifest.csv"}
    assert said["oneroster.version"] == "1.2"
    assert sum(name.startswith("file.") for name in said) == 21


def test_schools_are_of_several_sectors_and_stand_somewhere(tmp_path: Path) -> None:
    files = write_demo(tmp_path, students=8_000, seed=3)
    schools = [row for row in sheet(files, "orgs") if row["type"] == "school"]

    assert {row["metadata.sector"] for row in schools} == {"district", "charter", "private"}
    assert all(40 < float(row["metadata.latitude"]) < 41 for row in schools)
    assert len({row["name"] for row in schools}) == len(schools) == 13


def test_the_first_8400_places_have_different_names() -> None:
    assert len({place(number) for number in range(8_400)}) == 8_400


def test_a_sheet_answers_the_items_of_its_form_and_no_others(demo: DemoFiles) -> None:
    forms = {form["id"]: form for form in json.loads(demo.forms.read_text())["forms"]}

    for row in answers(demo):
        own = {item["id"]: item for item in forms[row["form"]]["items"]}
        for name, cell in list(row.items())[5:]:
            if name not in own:
                assert cell == ""
            elif cell not in ("", "-", "/"):
                item = own[name]
                assert cell in item.get("rubric", item.get("options", [cell]))


def test_every_kind_of_sheet_and_cell_occurs(demo: DemoFiles) -> None:
    forms = {form["id"]: form for form in json.loads(demo.forms.read_text())["forms"]}
    modalities, marks, administrations = Counter[str](), Counter[str](), Counter[str]()
    for row in answers(demo):
        modalities[row["modality"]] += 1
        administrations[row["administration"]] += 1
        marks.update(
            row[item["id"]] if row[item["id"]] in ("", "-", "/") else "answer" for item in forms[row["form"]]["items"]
        )
    models = Counter(item.get("parameters", {}).get("model") for form in forms.values() for item in form["items"])

    assert set(modalities) == {"in person", "remote", "paper"}
    assert set(marks) == {"", "-", "/", "answer"}
    assert set(administrations) == {"2026-fall-math", "2026-fall-reading", "2026-october-check"}
    assert set(models) == {"rasch", "2pl", "3pl", "grm", "gpcm", "pcm", None}
    assert {len(form["items"]) for form in forms.values()} == {40, 8}


def test_every_competency_of_an_item_is_in_the_framework(demo: DemoFiles) -> None:
    package = json.loads(demo.framework.read_text())
    known = {item["identifier"] for item in package["CFItems"]}
    ends = known | {package["CFDocument"]["identifier"]}

    for form in json.loads(demo.forms.read_text())["forms"]:
        for item in form["items"]:
            assert set(item["competencies"]) <= known
    for link in package["CFAssociations"]:
        assert {link["originNodeURI"]["identifier"], link["destinationNodeURI"]["identifier"]} <= ends
    assert {link["associationType"] for link in package["CFAssociations"]} == {"isChildOf", "precedes"}


@pytest.mark.skipif(not CASE_SCHEMA.exists(), reason="the public CASE schema is not beside the project")
def test_the_framework_is_a_valid_case_package(demo: DemoFiles) -> None:
    jsonschema.validate(json.loads(demo.framework.read_text()), json.loads(CASE_SCHEMA.read_text()))


@pytest.mark.parametrize("seed", [*range(20), 924550])
def test_the_forms_of_any_seed_are_read_without_a_problem(seed: int) -> None:
    """Of seed 924550 two thresholds of a graded item are equal when rounded."""
    parsed = formsfile.parse(json.dumps(document(make_bank(seed))).encode())

    assert parsed.problems == ()
