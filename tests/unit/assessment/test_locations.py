"""JSON pointers and lines."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.locations import lines, pointer

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


def walk(value: object, at: str = "") -> list[tuple[str, object]]:
    found = [(at, value)]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += walk(inner, at + pointer(name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            found += walk(inner, at + pointer(place))
    return found


@given(documents)
def test_every_value_is_found_on_the_line_where_it_begins(document: object) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False)
    places = walk(document)

    found = lines(text, [at for at, _ in places])

    for at, value in places:
        line = text.split("\n")[found[at] - 1]
        first = json.dumps(value, indent=1, ensure_ascii=False).split("\n")[0]
        assert first in line


def test_what_does_not_exist_is_placed_at_its_nearest_ancestor() -> None:
    text = '{\n "a": [\n  1,\n  {"b": 2}\n ]\n}'

    assert lines(text, ["/a/1/missing", "/nothing", "/a/7"]) == {"/a/1/missing": 4, "/nothing": 1, "/a/7": 2}
