"""The schema, and its committed text: `python -m services.gateway.schema` writes it, `--check` only compares.

Besides, the check refuses a change that would break those who ask: a field gone, an argument newly required. It
compares with `released.graphql`, the text of the last release, which is written at a release and at no other time.
"""

import sys
from pathlib import Path

import strawberry
from graphql import BreakingChange, build_schema, find_breaking_changes
from strawberry.schema.config import StrawberryConfig

from services.gateway.graph.administrations import Administration
from services.gateway.graph.classes import Class
from services.gateway.graph.competencies import Competency
from services.gateway.graph.mutations import Mutation
from services.gateway.graph.programmes import Programme
from services.gateway.graph.proposals import PartnershipProposal
from services.gateway.graph.query import Query
from services.gateway.graph.schools import School
from services.gateway.graph.students import Student

TEXT = Path(__file__).with_name("schema.graphql")
RELEASED = Path(__file__).with_name("released.graphql")

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    types=[Class, Student, School, Competency, Administration, Programme, PartnershipProposal],
    config=StrawberryConfig(auto_camel_case=True),
)


def text() -> str:
    return schema.as_str() + "\n"


def breaks(released: str, now: str) -> list[BreakingChange]:
    """What would stop working for those who ask as the released text allows."""
    return find_breaking_changes(build_schema(released), build_schema(now))


def main(arguments: list[str]) -> int:
    """Write the schema's text, or say whether it is the one committed and breaks nothing released."""
    now = text()
    if "--check" not in arguments:
        TEXT.write_text(now, encoding="utf-8")
        return 0
    wrong = [change.description for change in breaks(RELEASED.read_text(encoding="utf-8"), now)]
    if TEXT.read_text(encoding="utf-8") != now:
        wrong.append("schema.graphql is not what the code says; run: make schema")
    for one in wrong:
        sys.stderr.write(one + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
