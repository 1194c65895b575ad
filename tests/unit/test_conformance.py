"""The questions of the conformance cases make sense: a row is found by what is asked about it, bodies hang together."""

import random
from typing import Any, cast

from tests.conformance import questions
from tests.conformance.district import District, Place, filled

FIELDS: dict[str, dict[str, Any]] = {
    "sourcedId": {"type": "string"}, "status": {"type": "string", "enum": ["active", "tobedeleted"]},
    "title": {"type": "string"}, "score": {"type": "number"}, "grades": {"type": "array"}, "class": {"type": "object"},
}  # fmt: skip
ROW = {"sourcedId": "a", "status": "active", "title": "O'Brien", "score": 3, "grades": ["09"],
       "class": {"sourcedId": "c", "href": "x", "type": "class"}}  # fmt: skip


class Nowhere:
    """A district with one class and one line item."""

    def together(self, holes: dict[str, str], _rng: random.Random) -> dict[str, str]:
        return {"class": "c", "school": "s"} | {name.removesuffix("SourcedId"): id_ for name, id_ in holes.items()}

    def referred(self, name: str, _rng: random.Random) -> str | None:
        return {"category": "k"}.get(name)


def test_a_filter_asks_about_real_fields_with_values_that_are_there() -> None:
    asked = set()
    for number in range(300):
        query = questions.list_query(FIELDS, Place({}, 1, [ROW]), random.Random(number))
        asked |= set(query.get("filter", "").replace(" OR ", " AND ").split(" AND ")) - {""}
        assert set(query.get("fields", [])) <= set(FIELDS)
        assert query.get("sort", "sourcedId") in FIELDS
        assert query.get("limit", 1) > 0

    assert {"score='3'", "grades~'09'", "class.sourcedId='c'", "status='active'"} <= asked
    assert not any("O'Brien" in one for one in asked)


def test_a_list_is_rarely_asked_for_past_its_end() -> None:
    offsets = [questions.list_query({}, Place({}, 1), random.Random(n)).get("offset", 0) for n in range(1_000)]

    assert 0 < sum(offset > 0 for offset in offsets) < 100


def test_a_body_refers_to_what_belongs_together_and_is_what_its_path_names() -> None:
    drawn = {
        "lineItem": {
            "sourcedId": "?", "title": "a\0b", "metadata": {"x\0": ["\0"]},
            "class": {"href": "h", "sourcedId": "?", "type": "class"},
            "category": {"href": "h", "sourcedId": "?", "type": "category"},
            "elsewhere": {"href": "h", "sourcedId": "?", "type": "x"},
        }
    }  # fmt: skip

    body = questions.mended(drawn, cast(District, Nowhere()), {"sourcedId": "mine"}, random.Random(1))

    assert body == {
        "lineItem": {
            "sourcedId": "mine", "title": "ab", "metadata": {"x": [""]},
            "class": {"href": "h", "sourcedId": "c", "type": "class"},
            "category": {"href": "h", "sourcedId": "k", "type": "category"},
            "elsewhere": {"href": "h", "sourcedId": "?", "type": "x"},
        }
    }  # fmt: skip


def test_the_holes_of_a_path_are_filled_with_what_a_path_may_hold() -> None:
    assert filled("/classes/{classSourcedId}/students", {"classSourcedId": "a/b c"}) == "/classes/a%2Fb%20c/students"
