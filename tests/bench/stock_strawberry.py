"""The peer: Strawberry as its documentation says to serve it, answering the class page from constants.

Run as a process of its own: `python -m tests.bench.stock_strawberry FILE PORT`. FILE is an answer of the platform; the
same values are given back, from objects made before the first request. No key, no limits, no database, no services.
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import strawberry
import uvicorn
from strawberry.asgi import GraphQL


@strawberry.type
class Competency:
    code: str | None
    statement: str


@strawberry.type
class Mastery:
    probability: float | None
    evidence_count: int
    last_evidence_at: datetime | None
    competency: Competency


@strawberry.type
class Student:
    id: strawberry.ID
    given_name: str
    family_name: str
    mastery: list[Mastery]


@strawberry.type
class StudentConnection:
    nodes: list[Student]


@strawberry.type
class Class:
    title: str
    all_students: strawberry.Private[StudentConnection]

    @strawberry.field
    def students(self, first: int) -> StudentConnection:
        return self.all_students


def _mastery(told: dict[str, Any]) -> Mastery:
    last = told["lastEvidenceAt"]
    return Mastery(
        probability=told["probability"],
        evidence_count=told["evidenceCount"],
        last_evidence_at=datetime.fromisoformat(last) if last else None,
        competency=Competency(**told["competency"]),
    )


def _class(told: dict[str, Any]) -> Class:
    nodes = [
        Student(
            id=strawberry.ID(one["id"]),
            given_name=one["givenName"],
            family_name=one["familyName"],
            mastery=[_mastery(cell) for cell in one["mastery"]],
        )
        for one in told["students"]["nodes"]
    ]
    return Class(title=told["title"], all_students=StudentConnection(nodes=nodes))


def app(told: dict[str, Any]) -> GraphQL[None, None]:
    """The application, with default settings."""
    constant = _class(told["class"])

    @strawberry.type
    class Query:
        @strawberry.field(name="class")
        def class_(self, id: strawberry.ID) -> Class | None:
            return constant

    return GraphQL(strawberry.Schema(query=Query))


if __name__ == "__main__":
    answer = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    uvicorn.run(app(answer["data"]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
