"""What a cell means, and which repairs need no guessing."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain.layout import CLASS_TYPES, STATUSES, Column, Kind
from services.roster.domain.values import Meaning, date_order, meaning, turn

STATUS = Column("kind", Kind.CODE, codes=STATUSES)
CODE = Column("classType", Kind.CODE, codes=CLASS_TYPES)
OPEN_CODE = Column("classType", Kind.CODE, codes=CLASS_TYPES, extensible=True)
DATE = Column("beginDate", Kind.DATE)
MOMENT = Column("changed", Kind.MOMENT)
BOOLEAN = Column("enabledUser", Kind.BOOLEAN)
YEAR = Column("schoolYear", Kind.YEAR)
LIST = Column("grades", Kind.LIST)
KEY = Column("userSourcedId", Kind.KEY)
TEXT = Column("title")

CASES: list[tuple[Column, str, str | None, set[str]]] = [
    (TEXT, "  Physics ", "Physics", set()),
    (TEXT, "", None, set()),
    (KEY, "a-1", "a-1", set()),
    (KEY, "a-1 ", "a-1", {"surrounding-space"}),
    (BOOLEAN, "true", "true", set()),
    (BOOLEAN, "TRUE", "true", {"letter-case"}),
    (BOOLEAN, "yes", None, {"boolean"}),
    (CODE, "scheduled", "scheduled", set()),
    (CODE, "Scheduled", "scheduled", {"letter-case"}),
    (CODE, "ext:lab", None, {"code"}),
    (OPEN_CODE, "ext:lab", "ext:lab", set()),
    (STATUS, "inactive", "tobedeleted", {"status-inactive"}),
    (DATE, "2026-09-01", "2026-09-01", set()),
    (DATE, "2026-02-30", None, {"date"}),
    (DATE, "2026/9/1", "2026-09-01", {"date-format"}),
    (DATE, "20260901", "2026-09-01", {"date-format"}),
    (DATE, "2026-09-01T08:00:00Z", "2026-09-01", {"date-with-time"}),
    (DATE, "September", None, {"date"}),
    (MOMENT, "2023-05-01T18:25:43.511Z", "2023-05-01T18:25:43.511Z", set()),
    (MOMENT, "2023-05-01T18:25:43", "2023-05-01T18:25:43Z", {"date-time-zone"}),
    (MOMENT, "2023-05-01", "2023-05-01T00:00:00Z", {"date-time"}),
    (MOMENT, "yesterday", None, {"date-time"}),
    (MOMENT, "2023-05-01T18:25:43+16:00", None, {"date-time"}),
    (MOMENT, "２０２３-05-01T18:25:43Z", None, {"date-time"}),
    (DATE, "２０２６-09-01", None, {"date"}),
    (DATE, "٢٠٢٦-٠٩-٠١", None, {"date"}),
    (YEAR, "２０２７", None, {"school-year"}),
    (YEAR, "2027", "2027", set()),
    (YEAR, "2026-2027", "2027", {"school-year"}),
    (YEAR, "2026/27", "2027", {"school-year"}),
    (YEAR, "2026-2029", None, {"school-year"}),
    (LIST, "09, 10 ,11", "09,10,11", set()),
    (LIST, "09,,11", "09,11", {"empty-list-member"}),
]


@pytest.mark.parametrize(("column", "text", "value", "rules"), CASES)
def test_a_cell_means(column: Column, text: str, value: str | None, rules: set[str]) -> None:
    found = meaning(column, text)

    assert found.value == value
    assert {slip.rule for slip in found.slips} == rules


@pytest.mark.parametrize(("column", "text"), [(BOOLEAN, "yes"), (CODE, "weekly"), (DATE, "2026-13-01"), (YEAR, "x")])
def test_what_could_mean_anything_is_refused(column: Column, text: str) -> None:
    assert meaning(column, text).refused


def test_a_required_cell_must_be_filled() -> None:
    assert meaning(Column("title", required=True), "  ").refused
    assert not meaning(Column("username", required=True, dispensable=True), "  ").refused


@pytest.mark.parametrize("text", ["0.30000000000000004", "-999999999999999.9", "0.00012345678901234567", ".5", "+7"])
def test_a_number_as_postgresql_writes_it_is_read_as_it_is(text: str) -> None:
    assert meaning(Column("score", Kind.NUMBER), text) == Meaning(text)


def test_a_number_too_small_to_be_kept_is_none_at_all() -> None:
    assert meaning(Column("score", Kind.NUMBER), "1e-400").value == "0.0"


@pytest.mark.parametrize(
    "text", ["1e999", "1e308", "1e15", "-1e15", "1000000000000000", "1e", "e5", "--1", "1_0", "0x1"]
)
def test_what_is_no_number_or_one_that_no_gradebook_has_is_refused(text: str) -> None:
    assert meaning(Column("score", Kind.NUMBER), text).refused


def test_a_list_of_nothing_is_an_empty_cell() -> None:
    assert meaning(Column("termSourcedIds", Kind.KEYS, required=True), " , ").refused


def test_status_is_read_in_bulk_and_told() -> None:
    found = meaning(Column("status", Kind.CODE, codes=STATUSES, empty_in_bulk=True), "active")

    assert (found.value, [slip.rule for slip in found.slips]) == ("active", ["empty-in-bulk"])


class TestTurnedDates:
    def test_one_date_that_can_only_be_day_first_tells_the_order_of_all(self) -> None:
        assert date_order({"1/05/2023", "15/06/2023"}) == "day-first"

    def test_one_date_that_can_only_be_month_first_tells_the_order_of_all(self) -> None:
        assert date_order({"1/05/2023", "6/15/2023"}) == "month-first"

    def test_dates_that_contradict_each_other_tell_nothing(self) -> None:
        assert date_order({"15/06/2023", "6/15/2023"}) is None

    def test_dates_that_could_be_both_tell_nothing(self) -> None:
        assert date_order({"1/05/2023", "2/03/2023"}) is None

    def test_without_an_order_only_what_reads_alike_is_read(self) -> None:
        assert turn("5/05/2023", None) == "2023-05-05"
        assert turn("1/05/2023", None) is None

    @given(st.lists(st.dates(date(1990, 1, 1), date(2030, 1, 1)), min_size=1))
    def test_an_order_that_is_told_reads_every_date_as_it_was_written(self, dates: list[date]) -> None:
        written = {f"{day.day}/{day.month:02}/{day.year}": day.isoformat() for day in dates}

        order = date_order(written)

        assert order in ("day-first", None)
        if order is not None:
            assert {text: turn(text, order) for text in written} == written

    @given(st.dates())
    def test_a_date_of_the_standard_is_never_a_slip(self, day: date) -> None:
        found = meaning(DATE, day.isoformat())

        assert (found.value, found.slips) == (day.isoformat(), ())


@given(st.sampled_from([TEXT, KEY, DATE, MOMENT, BOOLEAN, CODE, YEAR, LIST]), st.text(max_size=40))
def test_no_text_is_too_strange(column: Column, text: str) -> None:
    found = meaning(column, text)

    assert found.value is None or found.value
    assert found.value is not None or found.slips or not text.strip()
