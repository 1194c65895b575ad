"""The official OpenAPI descriptions of OneRoster 1.2, pointed at a platform."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "specs"
SERVICES = {
    "rostering": "oneroster-1.2-onerosterv1p2rostersservice_openapi3_v1p0.json",
    "gradebook": "oneroster-1.2-onerosterv1p2gradebookservice_openapi3_v1p0.json",
    "resources": "oneroster-1.2-onerosterv1p2resourcesservice_openapi3_v1p0.json",
}
METHODS = ("get", "post", "put", "delete")
"""In the order in which they are asked: what deletes comes last."""


@dataclass(frozen=True, slots=True)
class Described:
    """One service's description; `address` is where it is served."""

    service: str
    address: str
    raw: dict[str, Any]

    def operations(self) -> Iterator[tuple[str, str]]:
        for path, methods in self.raw["paths"].items():
            for method in methods:
                if method in METHODS:
                    yield method, path

    def fields(self, method: str, path: str) -> dict[str, dict[str, Any]]:
        """The fields of the objects that an operation answers with, by name."""
        answers = self.raw["paths"][path][method]["responses"]
        content = answers.get("200", {}).get("content", {}).get("application/json")
        if content is None:
            return {}
        around = self._resolved(content["schema"])
        inner = self._resolved(next(iter(around["properties"].values())))
        if inner.get("type") == "array":
            inner = self._resolved(inner["items"])
        return {name: self._resolved(one) for name, one in inner["properties"].items()}

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self.raw
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema


def descriptions(folder: Path, url: str) -> list[Described]:
    """All three, with the platform as their server."""
    found = []
    for service, name in SERVICES.items():
        raw = json.loads((folder / name).read_text(encoding="utf-8"))
        address = f"{url}/ims/oneroster/{service}/v1p2"
        raw["servers"] = [{"url": address}]
        found.append(Described(service, address, raw))
    return found


def are_here(folder: Path) -> bool:
    return all((folder / name).exists() for name in SERVICES.values())
