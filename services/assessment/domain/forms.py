"""Test forms and administrations: what a test is made of, and when it may be taken.

A form never changes: a changed form is a new version with a new id. The content hash is taken of the canonical
content, so the order of properties and the way a number is written (`1` or `1.0`) make no new version.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from services.assessment.domain.irt.models import Model, Parameters

FORMAT = "trellis-forms/1"


class Purpose(StrEnum):
    """What an administration's results may be used for."""

    DIAGNOSTIC = "diagnostic"
    FORMATIVE = "formative"
    SUMMATIVE = "summative"


@dataclass(frozen=True, slots=True)
class Item:
    """A question. `scores` says what a response earns; when `closed`, no other response is allowed."""

    code: str
    maximum: int
    competencies: tuple[str, ...]
    key: tuple[tuple[str, int], ...] = ()
    options: tuple[str, ...] | None = None
    rubric: tuple[tuple[str, str], ...] = ()
    parameters: Parameters | None = None

    @property
    def closed(self) -> bool:
        """Whether only the listed responses are allowed."""
        return bool(self.rubric) or self.options is not None

    @property
    def scores(self) -> dict[str, int]:
        """Points by response, for every response that is listed."""
        if self.rubric:
            return {level: int(level) for level, _ in self.rubric}
        return dict.fromkeys(self.options or (), 0) | dict(self.key)


@dataclass(frozen=True, slots=True)
class Form:
    """One version of a test form: its items in the order they are given."""

    code: str
    title: str
    items: tuple[Item, ...]
    parameter_version: str | None = None

    @property
    def calibrated(self) -> bool:
        """Whether any item has parameters."""
        return any(item.parameters for item in self.items)

    @property
    def competencies(self) -> set[str]:
        """The identifiers of every competency the items touch."""
        return {identifier for item in self.items for identifier in item.competencies}


@dataclass(frozen=True, slots=True)
class Administration:
    """A testing window: `opens_at` inclusive, `closes_at` exclusive, in microseconds since 1970 UTC."""

    code: str
    title: str
    purpose: Purpose
    opens_at: int
    closes_at: int
    forms: tuple[str, ...]


def content(form: Form) -> dict[str, Any]:
    """The form as canonical JSON values: the same words as in a forms file."""
    return {
        "id": form.code,
        "title": form.title,
        "parameterVersion": form.parameter_version,
        "items": [_item_content(item) for item in form.items],
    }


def _item_content(item: Item) -> dict[str, Any]:
    made: dict[str, Any] = {"id": item.code, "maximum": item.maximum, "competencies": list(item.competencies)}
    if item.rubric:
        made["rubric"] = dict(item.rubric)
    else:
        made["key"] = dict(item.key)
    if item.options is not None:
        made["options"] = list(item.options)
    if item.parameters:
        asked = item.parameters
        made["parameters"] = {"model": asked.model.value, "a": asked.a, "b": list(asked.b), "c": asked.c}
    return made


def from_content(made: Mapping[str, Any]) -> Form:
    """The form again, from what `content` made of it."""
    return Form(
        code=made["id"],
        title=made["title"],
        parameter_version=made["parameterVersion"],
        items=tuple(_item_from(item) for item in made["items"]),
    )


def _item_from(made: Mapping[str, Any]) -> Item:
    asked = made.get("parameters")
    return Item(
        code=made["id"],
        maximum=made["maximum"],
        competencies=tuple(made["competencies"]),
        key=tuple(sorted(made.get("key", {}).items())),
        options=tuple(made["options"]) if "options" in made else None,
        rubric=tuple(sorted(made.get("rubric", {}).items())),
        parameters=Parameters(
            model=Model(asked["model"]), a=float(asked["a"]), b=tuple(map(float, asked["b"])), c=float(asked["c"])
        )
        if asked
        else None,
    )


def content_hash(form: Form) -> str:
    """SHA-256 of the canonical content, in hexadecimal. Ids of versions are made of it; never change it."""
    text = json.dumps(content(form), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def form_id(district: UUID, code: str) -> UUID:
    """The id of a form, whatever its versions."""
    return uuid5(district, f"forms:form:{code}")


def version_id(district: UUID, code: str, hash_: str) -> UUID:
    """The id of one version of a form."""
    return uuid5(district, f"forms:formVersion:{code}:{hash_}")


def administration_id(district: UUID, code: str) -> UUID:
    """The id of an administration."""
    return uuid5(district, f"forms:administration:{code}")
