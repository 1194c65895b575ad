"""The queries that GraphiQL begins with, and those of the documentation, are questions the graph answers."""

import json
import re
from pathlib import Path

import pytest

from services.gateway.documents import Documents
from services.gateway.schema import schema
from tests.unit.gateway.asking import Graph

ROOT = Path(__file__).resolve().parents[3]
START = (ROOT / "services/gateway/graphiql/start.js").read_text(encoding="utf-8")
LINES = re.compile(r"var (\w+) = \[\n(.*?)\n  \]\.join", re.DOTALL)
FENCED = re.compile(r"```graphql\n(.*?)```", re.DOTALL)


def ready_made() -> dict[str, str]:
    """The texts of GraphiQL's first tabs, by their names in the script."""
    found = {}
    for name, lines in LINES.findall(START):
        strings = re.findall(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", lines)
        found[name] = "\n".join(json.loads(one) if one[0] == '"' else one[1:-1] for one in strings)
    return found


def test_graphiql_begins_with_three_queries() -> None:
    assert list(ready_made()) == ["welcome", "schoolPage", "proposals"]


@pytest.mark.parametrize("name", ["welcome", "schoolPage", "proposals"])
async def test_a_ready_made_query_is_answered(asking: Graph, name: str) -> None:
    query = ready_made()[name].replace("SCH-0003", "school-1")

    [found] = (await asking.data(query)).values()

    assert found.get("nodes") or found["areas"]


PAGES = ("docs/graphql.md", "docs/roster/attendance.md")


@pytest.mark.parametrize(
    "query", [query for page in PAGES for query in FENCED.findall((ROOT / page).read_text(encoding="utf-8"))]
)
def test_a_query_of_the_documentation_fits_the_schema_and_the_limits(query: str) -> None:
    document = Documents(schema._schema).read(query)

    assert len(document.operations) == 1
