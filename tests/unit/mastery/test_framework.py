"""What is read from a CASE package, what is mended, and where what is wrong stands."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.mastery.domain import places
from services.mastery.domain.framework import Finding, Reading, read

CASE = Path(__file__).resolve().parents[4] / "shared" / "data" / "case"
ROOT = "d0000000-0000-4000-8000-000000000000"
WHEN = "2026-08-31T14:05:00+00:00"

real_data = pytest.mark.skipif(not CASE.is_dir(), reason="the real packages are not beside the project")


def an_identifier(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def an_item(number: int, **more: Any) -> dict[str, Any]:
    identifier = an_identifier(number)
    uri = f"https://case.example/CFItems/{identifier}"
    return {"identifier": identifier, "uri": uri, "fullStatement": f"Item {number}", "lastChangeDateTime": WHEN, **more}


def a_link(number: int, origin: str | int, kind: str, destination: str | int, **more: Any) -> dict[str, Any]:
    identifier = an_identifier(1_000 + number)
    ends = {}
    for name, end in (("originNodeURI", origin), ("destinationNodeURI", destination)):
        node = an_identifier(end) if isinstance(end, int) else end
        ends[name] = {"identifier": node, "title": "a node", "uri": f"https://case.example/{node}"}
    uri = f"https://case.example/CFAssociations/{identifier}"
    return {"identifier": identifier, "uri": uri, "associationType": kind, "lastChangeDateTime": WHEN, **ends, **more}


def a_package(items: list[Any], links: list[Any], **more: Any) -> dict[str, Any]:
    uri = f"https://case.example/CFDocuments/{ROOT}"
    document = {"identifier": ROOT, "uri": uri, "creator": "us", "title": "Mathematics", "lastChangeDateTime": WHEN}
    return {"CFDocument": document, "CFItems": items, "CFAssociations": links, **more}


def reading_of(package: object) -> Reading:
    return read(json.dumps(package, indent=1).encode())


def the_problem(package: object) -> Finding:
    [problem] = reading_of(package).problems
    return problem


def test_items_hierarchy_and_prerequisites_are_read_and_every_field_is_kept() -> None:
    items = [an_item(2, humanCodingScheme="M.2", notes="*new*"), an_item(1, extensions={"ours": [1]})]
    links = [
        a_link(1, 2, "isChildOf", 1),
        a_link(2, 1, "isChildOf", ROOT),
        a_link(3, 1, "precedes", 2, notes="first this"),
    ]
    package = a_package(items, links, CFDefinitions={"CFSubjects": [{"title": "Mathematics"}]}, CFRubrics=[{"x": 1}])

    reading = reading_of(package)

    assert reading.problems == reading.repairs == []
    assert reading.package is not None
    assert [(one.identifier, one.code, one.parent) for one in reading.package.items] == [
        (an_identifier(2), "M.2", an_identifier(1)),
        (an_identifier(1), None, None),
    ]
    assert [one.source for one in reading.package.items] == items
    assert [one.source for one in reading.package.associations] == links
    assert reading.package.document.definitions == package["CFDefinitions"]
    assert reading.package.document.rest == {"CFRubrics": [{"x": 1}]}


def test_a_child_of_several_parents_gets_the_same_one_wherever_the_links_stand() -> None:
    items = [an_item(1), an_item(2), an_item(3)]
    links = [
        a_link(1, 3, "isChildOf", ROOT, sequenceNumber=1),
        a_link(2, 3, "isChildOf", 2, sequenceNumber=2),
        a_link(3, 3, "isChildOf", 1, sequenceNumber=1),
    ]

    for arranged in (links, links[::-1]):
        package = reading_of(a_package(items, arranged)).package
        assert package is not None
        assert package.items[2].parent == an_identifier(1)


def test_capitals_in_an_identifier_make_no_difference() -> None:
    upper = "ABCDEF00-0000-4000-8000-00000000000A"
    link = a_link(1, 1, "isChildOf", upper.lower())

    package = reading_of(a_package([an_item(1), an_item(2, identifier=upper)], [link])).package

    assert package is not None
    assert package.items[0].parent == upper


@pytest.mark.parametrize("name", ["identifier", "uri", "fullStatement", "lastChangeDateTime"])
def test_an_item_without_a_required_field_is_refused_at_its_place(name: str) -> None:
    broken = {key: value for key, value in an_item(2).items() if key != name}

    problem = the_problem(a_package([an_item(1), broken], []))

    assert (problem.pointer, problem.rule) == (f"/CFItems/1/{name}", "required")
    assert problem.line == 16


@pytest.mark.parametrize(
    ("item", "pointer", "rule"),
    [
        ({"identifier": "not-a-uuid"}, "/identifier", "identifier"),
        ({"lastChangeDateTime": "yesterday"}, "/lastChangeDateTime", "date-time"),
        ({"fullStatement": 7}, "/fullStatement", "type"),
        ({"fullStatement": "  "}, "/fullStatement", "type"),
        ({"humanCodingScheme": 7}, "/humanCodingScheme", "type"),
        ({"notes": "a\0b"}, "", "nul"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_at_its_place(item: dict[str, Any], pointer: str, rule: str) -> None:
    problem = the_problem(a_package([an_item(1, **item)], []))

    assert (problem.pointer, problem.rule) == (f"/CFItems/0{pointer}", rule)
    assert problem.line == 10


@pytest.mark.parametrize(
    ("link", "pointer", "rule"),
    [
        (a_link(1, 1, "isChildOf", 99), "/destinationNodeURI/identifier", "dangling-reference"),
        (a_link(1, 99, "isChildOf", 1), "/originNodeURI/identifier", "dangling-reference"),
        (a_link(1, 98, "isRelatedTo", 99), "/originNodeURI/identifier", "dangling-reference"),
        (a_link(1, 1, "isCousinOf", 2), "/associationType", "association-type"),
        (a_link(1, 1, "precedes", 2, sequenceNumber="3"), "/sequenceNumber", "type"),
        (a_link(1, 1, "precedes", 2, destinationNodeURI=None), "/destinationNodeURI", "required"),
        (a_link(1, 1, "precedes", 2, associationType=None), "/associationType", "required"),
    ],
)
def test_an_association_that_does_not_hold_is_refused_at_its_place(
    link: dict[str, Any], pointer: str, rule: str
) -> None:
    problem = the_problem(a_package([an_item(1), an_item(2)], [link]))

    assert (problem.pointer, problem.rule) == (f"/CFAssociations/0{pointer}", rule)


def test_a_link_out_of_the_package_is_kept_and_a_prerequisite_outside_is_reported() -> None:
    links = [a_link(1, 1, "exactMatchOf", 99), a_link(2, 99, "precedes", 1), a_link(3, 1, "ext:unlocks", 99)]

    reading = reading_of(a_package([an_item(1)], links))

    assert reading.problems == []
    assert [(found.pointer, found.rule) for found in reading.repairs] == [
        ("/CFAssociations/1/originNodeURI/identifier", "outside-the-package")
    ]
    assert reading.package is not None
    assert len(reading.package.associations) == 3


@pytest.mark.parametrize(("kind", "rule"), [("isChildOf", "hierarchy-cycle"), ("precedes", "precedes-cycle")])
def test_a_circle_is_refused_at_the_association_that_closes_it(kind: str, rule: str) -> None:
    links = [a_link(1, 1, kind, 2), a_link(2, 2, kind, 3), a_link(3, 3, kind, 1), a_link(4, 3, kind, 4)]

    reading = reading_of(a_package([an_item(number) for number in (1, 2, 3, 4)], links))

    [problem] = reading.problems
    assert (problem.pointer, problem.rule) == ("/CFAssociations/2", rule)
    assert problem.value is not None
    assert problem.value.count(" > ") == 3
    assert reading.package is not None
    assert len(reading.package.associations) == 3


def test_two_ways_to_the_same_item_are_no_circle() -> None:
    links = [
        a_link(n, *ends)
        for n, ends in enumerate([(1, "precedes", 2), (1, "precedes", 3), (2, "precedes", 4), (3, "precedes", 4)])
    ]

    assert reading_of(a_package([an_item(number) for number in (1, 2, 3, 4)], links)).problems == []


def test_an_item_that_precedes_itself_is_a_circle() -> None:
    assert the_problem(a_package([an_item(1)], [a_link(1, 1, "precedes", 1)])).rule == "precedes-cycle"


def test_an_identifier_twice_is_mended_in_the_same_words_and_refused_in_others() -> None:
    reading = reading_of(a_package([an_item(1), an_item(1), an_item(1, notes="other")], []))

    assert [(found.pointer, found.rule) for found in reading.repairs] == [
        ("/CFItems/1/identifier", "duplicate-identifier")
    ]
    assert [(found.pointer, found.rule) for found in reading.problems] == [
        ("/CFItems/2/identifier", "duplicate-identifier")
    ]
    assert reading.refused == 1


def test_good_records_are_read_beside_bad_ones_and_each_bad_one_is_counted_once() -> None:
    links = [a_link(1, 1, "isChildOf", ROOT), a_link(2, 2, "isChildOf", 1)]
    broken = an_item(2, identifier="no", lastChangeDateTime="no")

    reading = reading_of(a_package([an_item(1), broken, "text"], links))

    assert reading.package is not None
    assert [one.identifier for one in reading.package.items] == [an_identifier(1)]
    assert [found.rule for found in reading.problems] == ["identifier", "date-time", "type", "dangling-reference"]
    assert reading.refused == 3


@pytest.mark.parametrize(
    "package", [[], {}, {"CFItems": []}, {"CFDocument": []}, 7, None, {"CFDocument": {}, "CFItems": {"a": 1}}]
)
def test_json_that_is_no_package_is_refused(package: object) -> None:
    reading = reading_of(package)

    assert reading.package is None
    assert {found.rule for found in reading.problems} <= {"not-a-package", "type"}


def test_a_document_without_title_is_refused() -> None:
    package = a_package([], [])
    del package["CFDocument"]["title"]

    assert the_problem(package).pointer == "/CFDocument/title"


def test_a_file_cut_off_in_the_middle_says_where() -> None:
    raw = json.dumps(a_package([an_item(1)], []), indent=1).encode()

    [problem] = read(raw[:-40]).problems

    assert problem.rule == "json"
    assert problem.line is not None
    assert problem.line > 10


def test_a_byte_that_is_not_utf_8_says_where() -> None:
    raw = json.dumps(a_package([an_item(1)], []), indent=1).encode().replace(b"Item 1", b"Item \xff")

    [problem] = read(raw).problems

    assert (problem.rule, problem.line, problem.value) == ("not-utf8", 13, "b'\\xff'")


def test_a_byte_order_mark_is_no_problem() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(a_package([an_item(1)], [])).encode()).problems == []


def test_nesting_without_end_is_refused_and_breaks_nothing() -> None:
    nested: object = 1
    for _ in range(300):
        nested = [nested]

    assert the_problem(a_package([an_item(1, extensions=nested)], [])).rule == "nesting"
    assert the_problem(a_package([], [], CFDefinitions=nested)).rule == "nesting"
    assert read(b"[" * 100_000).problems[0].rule == "json"
    assert read(b'{"CFDocument": ' + b"[" * 1_010 + b"]" * 1_010 + b"}").problems


def test_an_empty_framework_is_a_framework() -> None:
    reading = reading_of({"CFDocument": a_package([], [])["CFDocument"], "CFDefinitions": []})

    assert reading.problems == []
    assert reading.package is not None


def test_lines_are_found_whatever_the_layout() -> None:
    text = '\n{"a":\n [1,\n2 , {"b":\n[3]}],\n\n"c/d" : "x\\n,]",\n"e": []}'

    assert places.lines(text) == {"": 1, "/a": 3, "/a/0": 3, "/a/1": 4, "/a/2": 4, "/c~1d": 7, "/e": 8}


@real_data
def test_the_smarter_balanced_package_loads_whole() -> None:
    reading = read((CASE / "smarterbalanced_mockMATH.json").read_bytes())

    assert reading.problems == []
    assert reading.package is not None
    assert len(reading.package.items) == 585
    assert len(reading.package.associations) == 3_367  # one of the 3,368 is there twice
    assert sum(one.type == "precedes" for one in reading.package.associations) == 423
    assert sorted(found.rule for found in reading.repairs) == ["duplicate-identifier"] + ["outside-the-package"] * 3


@real_data
@pytest.mark.parametrize(("name", "items"), [("opensalt_Ordering", 28), ("opensalt_SmartLevelFramework", 14)])
def test_the_opensalt_packages_load_whole(name: str, items: int) -> None:
    reading = read((CASE / f"{name}.json").read_bytes())

    assert reading.problems == reading.repairs == []
    assert reading.package is not None
    assert len(reading.package.items) == items
    listed = {item.identifier for item in reading.package.items}
    assert {item.parent for item in reading.package.items} <= listed | {None}


@real_data
@pytest.mark.parametrize("name", ["CC-math-0.8.0", "ccssm-k8", "ccssm-dependencies", "case-v1p0-cfpackage-schema"])
def test_json_of_another_kind_is_refused_as_no_package(name: str) -> None:
    reading = read((CASE / f"{name}.json").read_bytes())

    assert [found.rule for found in reading.problems] == ["not-a-package"]
