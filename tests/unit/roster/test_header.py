"""Which cell of a header stands for which column, and when that would be a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain.header import is_slip, read_header, slips
from services.roster.domain.layout import READ

USERS = READ["1.2"]["users"]
ROLES = READ["1.2"]["roles"]
NAMES = [column.name for column in USERS.columns]


def _rules(cells: list[str]) -> set[str]:
    return {finding.rule for finding in read_header(USERS, cells)[1]}


def test_the_standards_header_has_no_findings() -> None:
    header, found = read_header(USERS, NAMES)

    assert found == []
    assert header is not None
    assert [(place, column.name) for place, column in header.columns] == list(enumerate(NAMES))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("prefferedGivenName", "preferredGivenName"),
        ("USERNAME", "username"),
        ("dataLastModified", "dateLastModified"),
        ("givenNmae", "givenName"),
    ],
)
def test_a_slip_of_the_pen_is_read_and_told(wrong: str, right: str) -> None:
    cells = [wrong if name == right else name for name in NAMES]

    header, found = read_header(USERS, cells)

    assert header is not None
    assert [(one.rule, one.column, one.value, one.line) for one in found] == [("header-spelling", right, wrong, 1)]


def test_a_name_that_is_too_far_from_any_column_is_not_read() -> None:
    cells = ["xxxferredGivenName" if name == "preferredGivenName" else name for name in NAMES]

    header, found = read_header(USERS, cells)

    assert header is None
    assert {one.rule for one in found if not one.repaired} == {"header-unknown"}


def test_empty_cells_at_the_end_are_left_out() -> None:
    cells = [*[column.name for column in ROLES.columns][:-1], "", ""]

    header, found = read_header(ROLES, cells)

    assert header is not None
    assert (header.width, header.wide) == (9, 11)
    assert {one.rule for one in found} == {"header-empty", "header-incomplete"}
    assert all(one.repaired for one in found)


def test_a_required_column_must_be_there() -> None:
    header, found = read_header(USERS, [name for name in NAMES if name != "familyName"])

    assert header is None
    assert [(one.rule, one.column) for one in found] == [("header-missing", "familyName")]


def test_a_column_twice_is_a_problem() -> None:
    assert "header-twice" in _rules([*NAMES, "email"])


def test_extensions_begin_with_metadata() -> None:
    header, found = read_header(USERS, [*NAMES, "metadata.bus"])

    assert found == []
    assert header is not None
    assert header.metadata == ((len(NAMES), "metadata.bus"),)


@given(st.permutations(NAMES))
def test_any_order_is_read_by_name(cells: list[str]) -> None:
    header, found = read_header(USERS, cells)

    assert header is not None
    assert all(cells[place] == column.name for place, column in header.columns)
    assert ({one.rule for one in found} == {"header-order"}) == (cells != NAMES)


@given(st.text(max_size=12), st.text(max_size=12))
def test_slips_are_a_distance(one: str, other: str) -> None:
    assert slips(one, other) == slips(other, one)
    assert (slips(one, other) == 0) == (one == other)
    assert slips(one, other) <= max(len(one), len(other))


def test_a_header_of_more_columns_than_any_file_has_is_refused_before_it_is_compared() -> None:
    header, found = read_header(USERS, [*NAMES, *(f"metadata.{number}" for number in range(90_000))])

    assert header is None
    assert [finding.rule for finding in found] == ["header-too-wide"]


@given(st.text(st.sampled_from("abAB"), max_size=12), st.text(st.sampled_from("abAB"), max_size=12))
def test_names_whose_lengths_differ_too_much_are_told_apart_without_comparing_letters(one: str, other: str) -> None:
    assert is_slip(one, other) == (0 < slips(one, other) <= 2)
