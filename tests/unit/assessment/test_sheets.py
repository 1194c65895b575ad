"""Answer sheets: what a block of records says, and what is wrong with it."""

import csv
import sys
from functools import cache
from pathlib import Path
from threading import Thread
from uuid import UUID, uuid5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain import csvfile, formsfile, sheets
from services.assessment.domain.attempts import attempt_ids
from services.assessment.domain.catalogue import Catalogue, KnownAdministration, KnownForm
from services.assessment.domain.csvfile import Header
from services.assessment.domain.problems import Problem
from services.assessment.domain.records import Block, Splitter
from services.assessment.domain.sheets import Reading
from tests.unit.assessment.examples import FORMS, HEADER
from tests.unit.assessment.test_formsfile import parse

ROOT = Path(__file__).parents[3]
ITEMS = Header(("m4-001", "m4-002", "m4-003", "m4-101"))
GOOD = "2026-fall,ada,M4-A,2026-09-15T09:30:00-05:00,in person,B,2,7,"


@cache
def catalogue() -> Catalogue:
    file = parse(FORMS).file
    assert isinstance(file, formsfile.FormsFile)
    return Catalogue(
        {
            each.code: KnownAdministration(
                f"id of {each.code}", each.purpose, each.opens_at, each.closes_at, frozenset(each.forms)
            )
            for each in file.administrations
        }
        | {"nowhere": None},
        {form.code: KnownForm(f"id of {form.code}", f"version of {form.code}", form) for form in file.forms}
        | {"M9": None},
    )


def read(*records: str, end: str = "\n", last: bool = True) -> Reading:
    content = ("\n".join(records) + end).encode("utf-8", "surrogateescape")
    return csvfile.read(Block(2, content, last), ITEMS, catalogue().packed())


def bits(reading: Reading) -> list[tuple[object, ...]]:
    """Every bit of what was read."""
    return [
        (group.administration, group.form, group.names, bytes(group.sheets), bytes(group.scores), group.responses)
        for group in reading.groups
    ]


def problems(reading: Reading) -> list[tuple[int | None, str | None, str]]:
    return [(problem.line, problem.column, problem.rule) for problem in reading.problems]


def test_reading_in_several_threads_changes_nothing_for_who_else_reads_csv() -> None:
    limit, often = csv.field_size_limit(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        readers = [Thread(target=lambda: [read(GOOD) for _ in range(300)]) for _ in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    finally:
        sys.setswitchinterval(often)

    assert csv.field_size_limit() == limit


def test_a_good_sheet_is_scored() -> None:
    reading = read(GOOD)

    [group] = reading.groups
    assert reading.problems == []
    [sheet] = group.sheets
    assert (group.administration, group.form, group.students) == ("2026-fall", "M4-A", ["ada"])
    assert (sheet["line"], sheet["completed_at"]) == (2, 1_789_482_600_000_000)
    assert (sheet["modality"], sheet["status"]) == (1, sheets.ORIGINAL)
    assert (group.responses, sheet["width"]) == (b"B\x1f2\x1f7", 5)
    assert group.scores.tolist() == [[1, 2, 2]]
    assert (sheet["raw"], sheet["maximum"]) == (5, 6)
    assert abs(sheet["theta"]) < 1
    assert 0 < sheet["standard_error"] < 1


@pytest.mark.parametrize(
    ("record", "column", "rule"),
    [
        (GOOD.replace("2026-fall", "nowhere"), "administration", "unknown-administration"),
        (GOOD.replace("M4-A", "M9"), "form", "unknown-form"),
        (
            "2026-check,ada,M4-B,2026-09-15T09:30:00Z,paper,,,,A",
            "form",
            "form-not-in-administration",
        ),
        (GOOD.replace("-05:00", ""), "completed_at", "completed-at"),
        (GOOD.replace("09-15T", "13-15T"), "completed_at", "completed-at"),
        (GOOD.replace("2026-09", "2026-11"), "completed_at", "outside-window"),
        (GOOD.replace("in person", "by post"), "modality", "modality"),
        (GOOD.replace(",B,", ",E,"), "m4-001", "response-not-allowed"),
        (GOOD.replace(",2,", ",4,"), "m4-002", "response-not-allowed"),
        (GOOD.replace(",7,", ", 7,"), "m4-003", "response-not-allowed"),
        (GOOD + "A", "m4-101", "item-not-on-form"),
        (GOOD + "-", "m4-101", "item-not-on-form"),
        (GOOD + ",", None, "cell-count"),
        (GOOD.removesuffix(","), None, "cell-count"),
        (GOOD.replace(",7,", ',"7"7,'), None, "csv"),
        (GOOD.replace(",7,", ",7\r,"), None, "csv"),
        (GOOD.replace(",7,", "," + "7" * 10_241 + ","), None, "cell-too-long"),
        (GOOD.replace("ada", "a\udcffda"), "student", "not-utf8"),
        (GOOD.replace(",7,", ",7\x1f,"), "m4-003", "control-character"),
        (GOOD.replace(",7,", ",7\x00,"), "m4-003", "control-character"),
    ],
)
def test_a_broken_record_is_refused_at_its_place_and_its_neighbours_are_not(
    record: str, column: str | None, rule: str
) -> None:
    before, after = GOOD.replace("ada", "bob"), GOOD.replace("ada", "cy")

    reading = read(before, record, after)

    assert problems(reading) == [(3, column, rule)]
    assert reading.refused == 1
    assert [group.sheets["line"].tolist() for group in reading.groups] == [[2, 4]]
    assert all(problem.remedy for problem in reading.problems)


def test_every_fault_of_a_record_is_reported() -> None:
    reading = read(GOOD.replace(",B,2,", ",E,9,").replace("in person", "?") + "A")

    assert {rule for _, _, rule in problems(reading)} == {"modality", "response-not-allowed", "item-not-on-form"}
    assert reading.problem_count == 4
    assert reading.refused == 1
    assert reading.refused_students == [(2, "ada")]


@pytest.mark.parametrize(
    "cut", ["2026-fall,bob,M4-A,2026-09-15T09", '2026-fall,bob,M4-A,2026-09-15T09:30:00Z,paper,"B']
)
def test_a_file_cut_off_in_the_middle_is_noticed(cut: str) -> None:
    reading = read(GOOD, cut, end="")

    assert problems(reading) == [(3, None, "cut-off")]
    assert [group.sheets["line"].tolist() for group in reading.groups] == [[2]]


def test_a_last_record_without_line_end_is_whole() -> None:
    assert read(GOOD, end="").problems == []


def test_windows_line_ends_quotes_and_empty_lines_are_fine() -> None:
    quoted = ",".join(f'"{cell}"' for cell in GOOD.split(","))

    reading = read(GOOD + "\r", "", quoted.replace("ada", "bo\nb") + "\r", GOOD.replace("ada", 'c""y') + "\r")

    [group] = reading.groups
    assert reading.problems == []
    assert list(zip(group.sheets["line"].tolist(), group.students, strict=True)) == [
        (2, "ada"),
        (4, "bo\nb"),
        (6, 'c""y'),
    ]
    assert len(set(sheets.cut(group.sheets, group.responses))) == 1


def test_a_form_s_missing_column_is_asked_for() -> None:
    header = Header(("m4-001", "m4-002"))

    record = b"2026-fall,ada,M4-A,2026-09-15T09:30:00Z,paper,B,2\n"
    reading = csvfile.read(Block(2, record, True), header, catalogue().packed())

    assert reading.missing_columns == {("M4-A", "m4-003")}
    assert (reading.groups, reading.refused) == ([], 1)


def test_codes_that_the_catalogue_lacks_are_asked_for_first() -> None:
    reading = csvfile.read(Block(2, GOOD.encode(), True), ITEMS, Catalogue({}, {}).packed())

    assert (reading.wanted_administrations, reading.wanted_forms) == ({"2026-fall"}, {"M4-A"})
    assert (reading.groups, reading.problems) == ([], [])


@given(st.permutations(range(4)), st.lists(st.sampled_from(["B", "-", "/", ""]), min_size=1, max_size=4))
def test_the_order_of_the_item_columns_does_not_matter(order: list[int], answers: list[str]) -> None:
    cells = [[answer, "1", "seven", ""] for answer in answers]
    plain = read(*(f"2026-fall,s,M4-A,2026-09-15T09:30:00Z,remote,{','.join(row)}" for row in cells))
    moved = [f"2026-fall,s,M4-A,2026-09-15T09:30:00Z,remote,{','.join(row[place] for place in order)}" for row in cells]

    header = Header(tuple(ITEMS.items[place] for place in order))
    shuffled = csvfile.read(Block(2, "\n".join(moved).encode(), True), header, catalogue().packed())

    assert bits(shuffled) == bits(plain)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=5))
def test_the_size_of_the_pieces_does_not_matter(sizes: list[int]) -> None:
    records = [GOOD.replace("ada", f"s{number}").replace(",B,", f",{'ABCD'[number % 4]},") for number in range(12)]
    content = ("\n".join(records) + "\n").encode()
    whole = read(*records)
    splitter, at, turn, found = Splitter(), 0, 0, []
    while at < len(content):
        size = sizes[turn % len(sizes)]
        if block := splitter.feed(content[at : at + size]):
            found.append(csvfile.read(block, ITEMS, catalogue().packed()))
        at, turn = at + size, turn + 1
    found.append(csvfile.read(splitter.end(), ITEMS, catalogue().packed()))

    joined = [group for reading in found for group in reading.groups]

    [expected] = whole.groups
    assert [name for group in joined for name in group.students] == expected.students
    for name in ("scores", "responses"):
        assert b"".join(bytes(getattr(group, name)) for group in joined) == bytes(getattr(expected, name))
    for name in ("theta", "standard_error", "raw", "completed_at", "width"):
        assert [value for group in joined for value in group.sheets[name]] == expected.sheets[name].tolist()


def header_problems(content: bytes) -> list[Problem]:
    header, _, found = csvfile.read_header(Block(1, content, True))
    assert (header is None) == bool(found)
    return found


def test_a_header_names_the_item_columns() -> None:
    header, rest, found = csvfile.read_header(Block(1, f"{HEADER}\r\n{GOOD}\n".encode(), True))

    assert found == []
    assert header == ITEMS
    assert rest == Block(2, f"{GOOD}\n".encode(), True)


@pytest.mark.parametrize(
    ("content", "columns", "rule"),
    [
        (b"", [None], "header"),
        (b"\n", [None], "header"),
        (HEADER.replace("student,", "").encode(), ["student", "form", "completed_at", "modality"], "header"),
        (HEADER.replace(",", ";").encode(), list(formsfile.FIXED_COLUMNS), "header"),
        ((HEADER + ",m4-001").encode(), ["m4-001"], "duplicate-column"),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), [None], "not-utf8"),
        (b'administration,"student', [None], "csv"),
    ],
)
def test_a_wrong_header_is_refused(content: bytes, columns: list[str | None], rule: str) -> None:
    found = header_problems(content)

    assert [problem.column for problem in found] == columns
    assert {problem.rule for problem in found} == {rule}
    assert {problem.line for problem in found} == {1}


def test_problems_of_a_block_are_counted_beyond_the_first_thousand() -> None:
    reading = read(*[GOOD.replace("in person", "?")] * 1_500)

    assert len(reading.problems) == sheets.MOST_PROBLEMS
    assert (reading.problem_count, reading.refused) == (1_500, 1_500)


def test_an_attempt_s_id_is_the_uuid5_that_the_library_makes() -> None:
    district, student = UUID(int=7), "5f0c4f9e-0000-4000-8000-000000000001"

    students = np.frombuffer(UUID(student).bytes, dtype=np.uint8).reshape(1, 16)
    [made] = attempt_ids(district, "2026-fall", students, "M4-A", np.array([1_789_482_600_000_000]))

    assert UUID(bytes=made.tobytes()) == uuid5(district, f"sheets:attempt:2026-fall|{student}|M4-A|1789482600000000")


def test_every_rule_is_in_the_documentation() -> None:
    described = (ROOT / "docs" / "answer-sheets.md").read_text()
    rules = {
        "header", "duplicate-column", "unknown-item-column", "missing-item-column", "not-utf8", "csv", "cell-count",
        "cut-off", "cell-too-long", "record-too-long", "control-character", "unknown-administration", "unknown-form",
        "form-not-in-administration", "unknown-student", "completed-at", "outside-window", "modality",
        "response-not-allowed", "item-not-on-form", "attempt-twice", "status", "nothing-to-correct",
        "nothing-to-withdraw", "json", "not-an-object", "missing-key", "unknown-key", "wrong-type", "parquet",
        "missing-column",
    }  # fmt: skip

    assert {rule for rule in rules if f"`{rule}`" not in described} == set()
