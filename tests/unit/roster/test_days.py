"""Files of attendance and closures, cell by cell, and what a district's codes mean."""

import io
import re
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain import attendance, closures
from services.roster.domain.sheet import Unreadable, Wrong

PAGE = Path(__file__).parents[3] / "docs" / "roster" / "attendance.md"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("P", "Present"),
        ("present", "Present"),
        ("a", "Absence"),
        ("EA", "ExcusedAbsence"),
        ("Unexcused absence", "UnexcusedAbsence"),
        ("L", "Tardy"),
        ("ED", "EarlyDeparture"),
        ("Q7", None),
        ("", None),
    ],
)
def test_a_common_code_is_understood_in_any_letter_case_and_another_is_not_guessed(
    code: str, status: str | None
) -> None:
    assert attendance.status_of(code) == status


def test_no_code_means_two_things() -> None:
    codes = [code for codes in attendance.STATUSES.values() for code in codes]

    assert len(set(codes)) == len(codes)
    assert all(code == code.upper() for code in codes)


def test_the_page_lists_the_codes_that_are_understood() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (`.*`) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    told = {status: tuple(re.findall(r"`([^`]+)`", codes)) for status, codes in rows}
    assert {status: told[status] for status in attendance.STATUSES} == attendance.STATUSES


def test_columns_stand_in_any_order_and_letter_case_and_lines_are_those_of_the_file() -> None:
    text = (
        '\ufeffCode,SCHOOL,student,Date,Status\r\n"P","S1","P1",2026-09-14,\r\n\r\nA,S1,P2,2026-09-14,TOBEDELETED\r\n'
    )

    first, second = attendance.read(io.BytesIO(text.encode()))

    assert first == attendance.Row(2, "P1", date(2026, 9, 14), "S1", "P", None, False)
    assert second == attendance.Row(4, "P2", date(2026, 9, 14), "S1", "A", None, True)


def test_a_cell_over_several_lines_has_the_line_it_begins_on() -> None:
    text = 'school,begin,reason\nS1,2026-09-14,"No\nwater"\nS1,soon,\n'

    row, wrong = closures.read(io.BytesIO(text.encode()))

    assert isinstance(row, closures.Row)
    assert (row.line, row.reason, row.end) == (2, "No\nwater", None)
    assert isinstance(wrong, Wrong)
    assert (wrong.line, wrong.column, wrong.value, wrong.rule) == (4, "begin", "soon", "date")


def test_the_last_day_of_the_calendar_is_no_end() -> None:
    [wrong] = closures.read(io.BytesIO(b"school,begin,end\nS1,2026-09-14,9999-12-31\n"))

    assert isinstance(wrong, Wrong)
    assert wrong.rule == "dates-reversed"


@given(st.binary(max_size=300), st.sampled_from([b"", b"student,date,school,code\n", b"school,begin,end\n"]))
def test_whatever_the_bytes_are_every_row_is_read_or_told_with_its_line(noise: bytes, header: bytes) -> None:
    for read in (attendance.read, closures.read):
        lines: list[int | None] = []
        with suppress(Unreadable):
            for found in read(io.BytesIO(header + noise)):
                lines.append(found.line)

        assert lines == sorted(line for line in lines if line is not None)
        assert all(line > 1 for line in lines if line is not None)
