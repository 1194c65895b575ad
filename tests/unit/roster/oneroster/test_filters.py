"""The grammar of filters."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain.oneroster.filters import Clause, day, moment, number, parse, truth
from services.roster.domain.oneroster.refusals import Refused


@pytest.mark.parametrize(
    ("said", "clause"),
    [
        ("a='b'", Clause("a", "=", "b")),
        ("  a.b  >=  'b c'  ", Clause("a.b", ">=", "b c")),
        ("a!=''", Clause("a", "!=", "")),
        ("a~'O''Brien'", Clause("a", "~", "O'Brien")),
        (r"a='O\'Brien'", Clause("a", "=", "O'Brien")),
        ('a="b\'c"', Clause("a", "=", "b'c")),
        ("a=b", Clause("a", "=", "b")),
        ("a='x AND y'", Clause("a", "=", "x AND y")),
        ("metadata.my-key='1'", Clause("metadata.my-key", "=", "1")),
    ],
)
def test_one_condition(said: str, clause: Clause) -> None:
    assert parse(said).clauses == (clause,)


@pytest.mark.parametrize(("join", "any"), [("AND", False), ("OR", True), ("and", False), ("or", True)])
def test_two_conditions(join: str, any: bool) -> None:
    found = parse(f"a='1' {join} b<'2'")

    assert found.clauses == (Clause("a", "=", "1"), Clause("b", "<", "2"))
    assert found.any is any


@given(st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_a_value_comes_back_as_it_was_however_it_is_escaped(value: str) -> None:
    doubled = value.replace("\\", "\\\\").replace("'", "''")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")

    assert parse(f"a='{doubled}'").clauses[0].value == value
    assert parse(f"a='{escaped}'").clauses[0].value == value


@given(st.text(max_size=60))
def test_what_is_no_filter_is_refused_and_nothing_worse(text: str) -> None:
    try:
        clauses = len(parse(text).clauses)
    except Refused as wrong:
        refused: tuple[int, str] | None = wrong.status, wrong.minor
    else:
        refused = None
        assert 1 <= clauses <= 2

    assert refused in (None, (400, "invalid_filter_field"))


@pytest.mark.parametrize(
    "said",
    ["2026-02-03", "2026-02-03T00:00:00Z", "2026-02-03T00:00:00.000Z", "2026-02-03T01:00:00+01:00",
     "2026-02-03T01:00:00 01:00", "2026-02-03T00:00:00", "2026-02-03 00:00"],
)  # fmt: skip
def test_the_same_moment_in_many_ways(said: str) -> None:
    assert moment(said) == datetime(2026, 2, 3, tzinfo=UTC)
    assert day(said) == date(2026, 2, 3)


@pytest.mark.parametrize(("read", "value"), [(moment, "soon"), (truth, "yes"), (number, "nan"), (number, "1e999")])
def test_what_is_no_such_value_is_refused(read: Callable[[str], object], value: str) -> None:
    with pytest.raises(Refused):
        read(value)
