"""What a query string asks."""

import pytest

from services.roster.domain.oneroster.asking import MOST, Asked, read
from services.roster.domain.oneroster.filters import Clause
from services.roster.domain.oneroster.refusals import Refused


def test_nothing_asked_is_the_first_hundred() -> None:
    assert read("") == Asked(limit=100, offset=0)


def test_everything_at_once() -> None:
    asked = read(f"limit={MOST}&offset=7&sort=name&orderBy=DESC&fields=a,b&fields=c,a&filter=x%3D%27y%27&revision=9")

    assert (asked.limit, asked.offset, asked.sort, asked.descending) == (MOST, 7, "name", True)
    assert asked.fields == ("a", "b", "c")
    assert asked.filter is not None
    assert asked.filter.clauses == (Clause("x", "=", "y"),)
    assert asked.revision == 9


def test_an_ampersand_in_a_filter_that_was_not_encoded_is_part_of_it() -> None:
    asked = read("limit=5&filter=name='A&B'&offset=3")

    assert asked.filter is not None
    assert asked.filter.clauses == (Clause("name", "=", "A&B"),)
    assert (asked.limit, asked.offset) == (5, 3)


def test_a_filter_that_is_nothing_but_ampersands_is_read_in_one_pass() -> None:
    with pytest.raises(Refused) as refused:
        read("limit=5&filter='" + "&" * 1_000_000)

    assert "4000 characters" in refused.value.description


def test_the_query_of_another_page_keeps_everything_else() -> None:
    asked = read("filter=name='A%26B'&limit=5&foo=bar")

    assert asked.elsewhere(10, 4) == "filter=name%3D%27A%26B%27&foo=bar&limit=5&offset=10&revision=4"
    assert read(asked.elsewhere(10, 4)).filter == asked.filter


@pytest.mark.parametrize(
    "query",
    ["limit=0", f"limit={MOST + 1}", "limit=1e3", "limit=", "limit=%D9%A3", "offset=-1", "offset=99999999999",
     "orderBy=up", "sort=%00", "revision=x"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(query: str) -> None:
    with pytest.raises(Refused) as refused:
        read(query)

    assert refused.value.status == 422
