"""Imports in the graph: listed, looked into, and decided about."""

from typing import Any

import pytest

from shared.auth import SCOPES
from tests.unit.gateway.asking import Graph, graph
from tests.unit.gateway.world import NORTH, World, a_caller, an_id

IMPORT = f"roster-{an_id(NORTH, 'import')}"
DECISIONS = ("approveImport", "rejectImport", "applyImport", "undoImport")
ONE = """
query ($id: ID!) {
  import(id: $id) {
    id kind state verdict done total counts { added changed unchanged refused } holdCount
    diff {
      records { file added changed unchanged leaving }
      schools(first: 2) {
        nodes { sourcedId name leaving records { file added leaving unchanged } }
        pageInfo { hasNextPage endCursor }
      }
    }
    holds { line rule remedy }
  }
}
"""
DIFF = {
    "types": {"enrollments": {"added": 1, "changed": 2, "unchanged": 3, "leaving": 4}},
    "schools": [
        {"school": "north", "name": "North", "users": {"leaving": 1}},
        {
            "school": "south",
            "name": "South",
            "users": {"leaving": 9},
            "enrollments": {"added": 2, "leaving": 12, "unchanged": 40},
        },
        {"school": "west", "name": "West", "classes": {"added": 2}},
    ],
}


def decide(what: str) -> str:
    return f"""
        mutation ($id: ID!) {{
          {what}(id: $id) {{ __typename ... on Import {{ id state verdict }} ... on Refused {{ code field }} }}
        }}
    """


@pytest.fixture
def world() -> World:
    return World(import_state="held", summary={"diff": DIFF})


class TestAnImport:
    async def test_says_what_it_would_change_and_whom_most(self, asking: Graph) -> None:
        found = (await asking.data(ONE, {"id": IMPORT}))["import"]

        assert (found["id"], found["kind"], found["state"], found["verdict"]) == (IMPORT, "roster", "HELD", "HELD")
        assert found["diff"]["records"] == [
            {"file": "enrollments", "added": 1, "changed": 2, "unchanged": 3, "leaving": 4}
        ]
        schools = found["diff"]["schools"]
        assert [one["sourcedId"] for one in schools["nodes"]] == ["south", "north"]
        assert schools["nodes"][0] == {
            "sourcedId": "south", "name": "South", "leaving": 9,
            "records": [
                {"file": "users", "added": 0, "leaving": 9, "unchanged": None},
                {"file": "enrollments", "added": 2, "leaving": 12, "unchanged": 40},
            ],
        }  # fmt: skip
        assert schools["pageInfo"]["hasNextPage"] is True

    async def test_has_its_schools_page_by_page(self, asking: Graph) -> None:
        page = "query ($id: ID!, $after: String) { import(id: $id) { diff { schools(first: 2, after: $after) "
        page += "{ nodes { sourcedId } pageInfo { hasNextPage endCursor } } } } }"

        first = (await asking.data(page, {"id": IMPORT}))["import"]["diff"]["schools"]
        after = {"id": IMPORT, "after": first["pageInfo"]["endCursor"]}
        second = (await asking.data(page, after))["import"]["diff"]["schools"]

        assert [one["sourcedId"] for one in second["nodes"]] == ["west"]
        assert second["pageInfo"]["hasNextPage"] is False

    async def test_without_a_comparison_has_no_diff(self, asking: Graph, world: World) -> None:
        world.summary = {}

        assert (await asking.data(ONE, {"id": IMPORT}))["import"]["diff"] is None

    async def test_says_that_taking_it_back_failed(self, asking: Graph, world: World) -> None:
        ask = "query ($id: ID!) { import(id: $id) { undoneBy failedUndo { at by reason } } }"
        never = (await asking.data(ask, {"id": IMPORT}))["import"]

        failed = {"at": "2026-09-08T10:00:00+00:00", "by": "key:someone", "reason": "A mistake of ours."}
        world.summary = {"undo_failed": failed}
        found = (await asking.data(ask, {"id": IMPORT}))["import"]

        assert never == {"undoneBy": None, "failedUndo": None}
        assert found == {"undoneBy": None, "failedUndo": failed}

    async def test_has_its_findings_page_by_page_and_by_kind(self, asking: Graph, world: World) -> None:
        world.findings = 7
        page = "query ($id: ID!, $after: String, $kind: FindingKind) { import(id: $id) { "
        page += "findings(first: 3, after: $after, kind: $kind) "
        page += "{ nodes { kind file line column value rule remedy } pageInfo { hasNextPage endCursor } } } }"
        lines, after = [], None
        for _ in range(3):
            found = (await asking.data(page, {"id": IMPORT, "after": after}))["import"]["findings"]
            lines += [one["line"] for one in found["nodes"]]
            after = found["pageInfo"]["endCursor"]

        problems = (await asking.data(page, {"id": IMPORT, "kind": "PROBLEM"}))["import"]["findings"]

        assert lines == [2, 3, 4, 5, 6, 7, 8]
        assert found["pageInfo"]["hasNextPage"] is False
        assert [(one["kind"], one["line"]) for one in problems["nodes"]] == [("PROBLEM", 3), ("PROBLEM", 6)]

    @pytest.mark.parametrize("id_", ["roster", f"forms-{an_id(NORTH, 'import')}", "roster-1", "gossip-1"])
    async def test_that_is_not_there_is_null(self, asking: Graph, id_: str) -> None:
        answer = await asking.ask(ONE, {"id": id_})

        assert answer["data"] == {"import": None}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]

    async def test_of_another_district_is_not_there(self, asking: Graph) -> None:
        assert await asking.codes(ONE, {"id": IMPORT}, word="south") == ["NOT_FOUND"]


class TestImports:
    async def test_are_listed_by_state(self, asking: Graph) -> None:
        ask = "query ($state: ImportState) { imports(first: 5, state: $state) { nodes { id } } }"

        held = await asking.data(ask, {"state": "HELD"})
        applied = await asking.data(ask, {"state": "APPLIED"})

        assert held["imports"]["nodes"] == [{"id": IMPORT}]
        assert applied["imports"]["nodes"] == []

    async def test_need_the_scope_and_the_whole_district(self, world: World) -> None:
        callers = {
            "reader": a_caller(scopes=SCOPES - {"imports:write"}),
            "school": a_caller(schools=(an_id(NORTH, "school:1"),)),
        }
        async with graph(world, callers) as asking:
            for word in callers:
                assert await asking.codes("{ imports(first: 1) { nodes { id } } }", word=word) == ["FORBIDDEN"]
                assert await asking.codes(ONE, {"id": IMPORT}, word=word) == ["FORBIDDEN"]
                for what in DECISIONS:
                    answer = (await asking.data(decide(what), {"id": IMPORT}, word=word))[what]
                    assert (answer["__typename"], answer["code"]) == ("Refused", "FORBIDDEN")
        assert world.decisions == []


class TestADecision:
    @pytest.mark.parametrize("what", DECISIONS)
    async def test_reaches_the_owner_and_answers_with_the_import(
        self, asking: Graph, world: World, what: str
    ) -> None:  # fmt: skip
        answer: dict[str, Any] = (await asking.data(decide(what), {"id": IMPORT}))[what]

        assert answer == {"__typename": "Import", "id": IMPORT, "state": "STAGED", "verdict": None}
        assert world.decisions == [f"roster/{what.removesuffix('Import')}"]

    async def test_that_comes_too_late_is_refused(self, asking: Graph, world: World) -> None:
        world.import_state = "applied"

        answer = (await asking.data(decide("approveImport"), {"id": IMPORT}))["approveImport"]

        assert (answer["__typename"], answer["code"]) == ("Refused", "CONFLICT")

    async def test_about_no_import_names_its_argument(self, asking: Graph) -> None:
        answer = (await asking.data(decide("approveImport"), {"id": "roster-1"}))["approveImport"]

        assert answer == {"__typename": "Refused", "code": "NOT_FOUND", "field": "id"}
