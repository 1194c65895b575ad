"""Bodies of gradebook writes: whatever is sent is understood, or refused with its place."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain.gradebook import bodies, values
from services.roster.domain.gradebook.kinds import V1P1, V1P2, Kind, Shape
from services.roster.domain.gradebook.values import Wrong

Said = TypeVar("Said")
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
SHAPES = [*V1P2.values(), *V1P1.values()]
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.datetimes().map(datetime.isoformat),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["sourcedId", "source", "learningObjectiveIds", "learningObjectiveResults", "itemValueLHS",
                         "learningObjectiveId", "score", "\0"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def members(shape: Shape) -> list[str]:
    return [
        "sourcedId", "status", "dateLastModified", "metadata", "learningObjectiveSet", "scoreScaleValue",
        *(one.name for one in shape.values), *(one.name for one in shape.references),
    ]  # fmt: skip


def outcome(read: Callable[[], Said]) -> tuple[Said | None, Sequence[bodies.Problem]]:
    """What was read, or what is wrong with it."""
    try:
        return read(), ()
    except bodies.Refused as refused:
        return None, refused.problems


@given(data=st.data(), shape=st.sampled_from(SHAPES))
def test_whatever_is_sent_is_read_or_refused_with_its_place(data: st.DataObject, shape: Shape) -> None:
    said = data.draw(st.dictionaries(st.sampled_from(members(shape)), anything))

    record, problems = outcome(lambda: bodies.one(orjson.dumps({shape.kind.value: said}), shape, "a"))

    assert all(problem.place.startswith(shape.kind.value) for problem in problems)
    if record is not None:
        assert record.sourced_id == "a"
        assert all(record.columns[one.column] is not None for one in shape.values if one.required)


@given(said=st.lists(anything, max_size=3), shape=st.sampled_from(SHAPES))
def test_many_are_read_or_refused_each_with_its_place(said: list[Any], shape: Shape) -> None:
    found, problems = outcome(lambda: bodies.many(orjson.dumps({shape.plural: said}), shape, DISTRICT, "x", {}))

    assert all(problem.place.startswith(f"{shape.plural}[") for problem in problems)
    assert [len(one) for one in found or ()] == [len(said)] * 2 or problems


@given(st.binary(max_size=40))
def test_bytes_that_are_no_json_are_malformed_or_refused(body: bytes) -> None:
    with pytest.raises((bodies.Malformed, bodies.Refused)):
        bodies.one(body, V1P2[Kind.CATEGORY], "a")


def test_every_problem_is_counted_and_the_first_are_told() -> None:
    said = [{"sourcedId": str(number)} for number in range(20)]

    with pytest.raises(bodies.Refused, match=r"categories\[0\].title is missing.*and 10 more$"):
        bodies.many(orjson.dumps({"categories": said}), V1P2[Kind.CATEGORY], DISTRICT, "x", {})


@pytest.mark.parametrize(
    ("said", "meant"),
    [(7, 7.0), ("7", 7.0), (" 7.50 ", 7.5), ("-1e3", -1000.0), (".5", 0.5), ("", None)],
)
def test_a_number_is_one_in_quotes_too(said: Any, meant: float | None) -> None:
    assert values.number(said) == meant


@pytest.mark.parametrize(
    "said", ["7%", "7,5", "1_000", "٧", "NaN", "inf", True, [], "0x10", 10**400, 1e308, "1e308", 10**15, -1e15]
)
def test_what_only_looks_like_a_number_is_none(said: Any) -> None:
    with pytest.raises(Wrong):
        values.number(said)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-09-08", date(2026, 9, 8)),
        ("2026-09-08T23:59:00-08:00", date(2026, 9, 8)),
        ("", None),
    ],
)
def test_a_day_is_the_one_that_is_written(said: str, meant: date | None) -> None:
    assert values.day(said) == meant


@pytest.mark.parametrize("said", ["2026-02-30", "08/09/2026", "20260908", "2026-W01-1", "2026-09-08Tnoon", 5])
def test_what_is_no_day_is_refused(said: Any) -> None:
    with pytest.raises(Wrong):
        values.day(said)


@pytest.mark.parametrize(
    "said",
    ["2026-09-08T10:00:00Z", "2026-09-08t10:00:00.000z", "2026-09-08 12:00:00+02:00", "2026-09-08T10:00"],
)
def test_a_moment_is_the_same_however_it_is_written(said: str) -> None:
    assert values.moment(said) == datetime(2026, 9, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize("said", ["2026-09-08T25:00:00Z", "2026-09-08T23:59:60Z", "9999-12-31T23:00:00-05:00"])
def test_a_moment_that_is_not_in_the_calendar_is_refused(said: str) -> None:
    with pytest.raises(Wrong):
        values.moment(said)


@pytest.mark.parametrize("depth", [300, 1_010])
def test_what_could_be_read_and_not_be_written_is_refused(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth

    with pytest.raises(bodies.Refused) as of_one:
        bodies.one(b'{"category":{"title":"x","metadata":{"a":%s}}}' % deep, V1P2[Kind.CATEGORY], "c")
    with pytest.raises(bodies.Refused) as of_many:
        bodies.many(b'{"results":[{"strange":%s}]}' % deep, V1P2[Kind.RESULT], UUID(int=1), "class c", {})

    assert [str(one) for one in of_one.value.problems] == ["category.metadata is nested too deeply"]
    assert str(of_many.value.problems[0]) == "results[0] is nested too deeply"
