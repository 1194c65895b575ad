"""The official descriptions of OneRoster 1.2, and what 1.1 has, as far as they lie beside the project."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SPECS = Path(__file__).parents[4] / "shared" / "data" / "specs"
FILES = {
    "rostering": "oneroster-1.2-onerosterv1p2rostersservice_openapi3_v1p0.json",
    "gradebook": "oneroster-1.2-onerosterv1p2gradebookservice_openapi3_v1p0.json",
    "resources": "oneroster-1.2-onerosterv1p2resourcesservice_openapi3_v1p0.json",
}
HERE = SPECS.is_dir()


@dataclass(frozen=True)
class Operation:
    """An operation as the description has it."""

    service: str
    method: str
    path: str
    scopes: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.service} {self.method} {re.sub('{[^}]*}', '{}', self.path)}"


@cache
def description(service: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SPECS / FILES[service]).read_text())
    return loaded


def operations(service: str, method: str = "get") -> Iterator[Operation]:
    """The operations of a service with this method."""
    if not HERE:
        return
    for path, methods in description(service)["paths"].items():
        if method in methods:
            (security,) = methods[method]["security"]
            yield Operation(service, method.upper(), path, frozenset(next(iter(security.values()))))


def check(service: str, path: str, status: int, body: Any, method: str = "get") -> None:
    """The body is what the description promises for this status."""
    whole = description(service)
    answers = whole["paths"][path][method]["responses"]
    schema = answers.get(str(status), answers["default"])["content"]["application/json"]["schema"]
    resolved = {**schema, "components": whole["components"]}
    jsonschema.Draft202012Validator(resolved, format_checker=jsonschema.FormatChecker()).validate(body)


def operations_11() -> list[str]:
    """The paths that 1.1 reads, with {} for every sourcedId, gradebook left out."""
    if not HERE:
        return []
    text = (SPECS / "oneroster-1.1-operations.md").read_text()
    found: list[str] = []
    for line in text.splitlines():
        if not line.startswith(("**Rostering, GET", "**Resources, GET")):
            continue
        for said in re.findall("`([^`]+)`", line):
            path = said.replace("…", "/schools/{id}/classes/{classId}")
            found.append(re.sub("{[^}]*}", "{}", path))
    return found
