"""How many rows of a file are far fewer, or far more, than in the imports before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain.guarding import ROWS_SPARED, Thresholds, rows_out_of_range, school_empties

ROWS = st.integers(1, 10_000)
BEFORE = st.lists(ROWS, min_size=1, max_size=5)


def is_held(rows: int, before: list[int], allowed: Thresholds | None = None) -> bool:
    return rows_out_of_range("users", rows, before, allowed or Thresholds()) is not None


@pytest.mark.parametrize(
    ("rows", "before", "held"),
    [
        (900, [1_000], False),
        (899, [1_000], True),
        (2_000, [1_000], False),
        (2_001, [1_000], True),
        (899, [1_000, 950], False),  # 90 % of the fewest
        (2_100, [1_000, 1_100], False),  # 200 % of the most
        (5, [15], False),  # ten rows fewer never ask
        (4, [15], True),
        (15, [5], False),
        (16, [5], True),
        (0, [1_000], False),  # a header alone has a rule of its own
        (1, [], False),
    ],
)
def test_the_range_is_that_of_the_last_imports(rows: int, before: list[int], held: bool) -> None:
    assert is_held(rows, before) is held


@given(BEFORE, st.data())
def test_what_came_before_may_come_again(before: list[int], data: st.DataObject) -> None:
    assert not is_held(data.draw(st.sampled_from(before)), before)


@given(ROWS, BEFORE, ROWS)
def test_a_longer_memory_never_holds_more(rows: int, before: list[int], older: int) -> None:
    assert is_held(rows, before) or not is_held(rows, [*before, older])


@given(ROWS, BEFORE)
def test_wide_thresholds_hold_nothing(rows: int, before: list[int]) -> None:
    assert not is_held(rows, before, Thresholds(rows_least_percent=0, rows_most_percent=1_000_000))


@given(BEFORE, st.integers(-ROWS_SPARED, ROWS_SPARED))
def test_a_few_rows_more_or_fewer_never_ask(before: list[int], more: int) -> None:
    assert not is_held(max(0, before[0] + more), before[:1])


def test_a_reason_says_how_many_of_how_many_and_what_to_do() -> None:
    reason = school_empties("north", "Northside", 1_240, 93, Thresholds(school_percent=7.5))

    assert reason.value == "north"
    assert "93 of the 1,240 people of Northside would leave (8 %; without asking 7.5 % may)" in reason.remedy
    assert reason.remedy.endswith("approve this import.")


def test_a_row_count_says_what_it_is_compared_with() -> None:
    one, several = (rows_out_of_range("users", 1, before, Thresholds()) for before in ([5_000], [5_000, 6_000]))

    assert one is not None
    assert several is not None
    assert "1 rows, fewer than 90 % of the fewest (5,000) of the last import." in one.remedy
    assert "of the last 2 imports." in several.remedy
