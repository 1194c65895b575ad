"""What a school's word does, and what is wrong with a file of them."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.partnership.domain.figures import Figure, share
from services.partnership.domain.willingness import (
    COLUMNS,
    OFFERS,
    SEEKS,
    WITHDRAWS,
    Declaration,
    Known,
    check,
    consequence,
    read,
)

HEADER = ",".join(COLUMNS)
ASH = Known(UUID(int=1), "school")
SAID = Declaration(ASH.id, "mathematics", OFFERS, 4, 2, True)


def test_a_quoted_cell_with_a_line_end_does_not_shift_the_lines() -> None:
    reading = read(f'{HEADER}\n\n"ash\n",mathematics,offers,4,1,yes\nbirch,mathematics,offers,9,1,yes\n'.encode())

    assert [(row.line, row.school) for row in reading.rows] == [(3, "ash")]
    assert [(problem.line, problem.rule) for problem in reading.problems] == [(5, "eagerness")]


def test_a_quote_that_is_never_closed_is_said_and_nothing_of_the_file_is_trusted() -> None:
    reading = read(f'{HEADER}\nash,mathematics,offers,4,1,yes\n"birch,mathematics,offers,4,1,yes\n'.encode())

    assert not reading.understood
    assert [(problem.line, problem.rule) for problem in reading.problems] == [(3, "csv")]


@pytest.mark.parametrize("name", ["a\0sh", "a" * 501])
@pytest.mark.parametrize("column", ["school", "area"])
def test_a_name_that_nothing_can_have_is_said_at_its_place(column: str, name: str) -> None:
    cells = {"school": "ash", "area": "mathematics", column: name}

    [problem] = read(f"{HEADER}\n{cells['school']},{cells['area']},offers,4,1,yes\n".encode()).problems

    assert (problem.line, problem.column, problem.rule) == (2, column, "text")


def test_of_a_file_that_is_nothing_but_problems_the_first_are_described_and_all_are_counted() -> None:
    reading = read(f"{HEADER}\n".encode() + b"x\n" * 5_000)

    assert [problem.line for problem in reading.problems] == list(range(2, 1_002))
    assert (reading.more, reading.refused) == (4_000, 5_000)


@pytest.mark.parametrize("content", [b"", b"\n\n", HEADER.encode().replace(b"area", b"\xe4rea")])
def test_a_file_without_a_header_that_can_be_read_is_not_understood(content: bytes) -> None:
    assert not read(content).understood


@pytest.mark.parametrize("number", ["0", "6", "9", "4.0", "-1", "٣", "", "1e0", "1" * 20])
def test_eagerness_is_a_whole_number_from_one_to_five(number: str) -> None:
    reading = read(f"{HEADER}\nash,mathematics,offers,{number},1,yes\n".encode())

    assert [(problem.line, problem.column, problem.rule) for problem in reading.problems] == [
        (2, "eagerness", "eagerness")
    ]


def test_two_names_of_one_school_are_one_school() -> None:
    rows = read(f"{HEADER}\nash,english,offers,4,1,yes\nash-2,english,seeks,4,1,yes\n".encode()).rows

    checked = check(rows, {"ash": ASH, "ash-2": ASH}, {"english"}, {})

    assert [line for line, _ in checked.good] == [2]
    [problem] = checked.problems
    assert (problem.line, problem.rule) == (3, "both-roles")
    assert "Line 2 says offers" in problem.remedy


def test_who_withdraws_may_do_the_opposite_in_the_next_file_and_not_before() -> None:
    withdraws = read(f"{HEADER}\nash,english,withdraws,,,\n".encode()).rows
    turns = read(f"{HEADER}\nash,english,seeks,4,1,no\n".encode()).rows
    now = {(ASH.id, "english"): OFFERS}

    assert check(withdraws, {"ash": ASH}, {"english"}, now).problems == []
    assert [each.rule for each in check(turns, {"ash": ASH}, {"english"}, now).problems] == ["other-role"]
    assert check(turns, {"ash": ASH}, {"english"}, {}).problems == []


def test_the_same_word_again_has_no_consequence() -> None:
    follows = consequence(SAID, SAID)

    assert not follows.is_new
    assert not follows.is_changed
    assert not follows.takes_back_willingness
    assert not follows.takes_back_diagnostics


@pytest.mark.parametrize(
    ("after", "willingness", "diagnostics"),
    [
        (replace(SAID, eagerness=1, capacity=1), False, False),
        (replace(SAID, diagnostics_allowed=False), False, True),
        (replace(SAID, role=WITHDRAWS, diagnostics_allowed=False), True, True),
        (replace(SAID, role=SEEKS), True, False),
    ],
)
def test_what_is_taken_back_is_what_is_not_said_any_more(
    after: Declaration, willingness: bool, diagnostics: bool
) -> None:
    follows = consequence(SAID, after)

    assert follows.is_changed
    assert (follows.takes_back_willingness, follows.takes_back_diagnostics) == (willingness, diagnostics)


def test_withdrawing_what_was_never_said_is_nothing() -> None:
    follows = consequence(None, replace(SAID, role=WITHDRAWS))

    assert not follows.is_new
    assert not follows.is_changed


def test_a_share_is_weighted_by_learners_and_leaves_out_what_is_suppressed() -> None:
    figures = [Figure(30, 0.9, 0.1), Figure(10, 0.5, 0.5), Figure(None, None, None)]

    assert share(OFFERS, figures) == pytest.approx(0.8)
    assert share(SEEKS, figures) == pytest.approx(0.2)
    assert share(OFFERS, [Figure(None, None, None)]) is None
