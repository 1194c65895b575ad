"""The schema, and its committed text: `python -m services.gateway.schema` writes it, `--check` only compares.

A change that would break those who ask (a field gone, an argument required) is refused by the check, even when the
text was written anew, by comparing with the text of the last release when there is one.
"""

import sys
from pathlib import Path

import strawberry
from strawberry.schema.config import StrawberryConfig

from services.gateway.graph.administrations import Administration
from services.gateway.graph.classes import Class
from services.gateway.graph.competencies import Competency
from services.gateway.graph.query import Query
from services.gateway.graph.schools import School
from services.gateway.graph.students import Student

TEXT = Path(__file__).with_name("schema.graphql")

schema = strawberry.Schema(
    query=Query,
    types=[Class, Student, School, Competency, Administration],
    config=StrawberryConfig(auto_camel_case=True),
)


def main(arguments: list[str]) -> int:
    """Write the schema's text, or say whether it is the one committed."""
    text = schema.as_str() + "\n"
    if "--check" not in arguments:
        TEXT.write_text(text, encoding="utf-8")
        return 0
    if TEXT.is_file() and TEXT.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("schema.graphql is not what the code says; run: make schema\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
