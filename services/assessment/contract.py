"""What assessment promises the gateway and the other services: REST bodies, nothing else of ours."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

Purpose = Literal["diagnostic", "formative", "summative"]
Reason = Literal["NOT_CALIBRATED", "NO_RESPONSES"]


class ByKeys(BaseModel):
    """Ask by our ids or by the codes of the district's source; what is not found is left out."""

    ids: list[UUID] = Field(default_factory=list, max_length=10_000)
    codes: list[str] = Field(default_factory=list, max_length=10_000)


class Page(BaseModel):
    """Ask for one page. `after` is the id of the last one seen."""

    first: int = Field(ge=1, le=100)
    after: UUID | None = None


class Administration(BaseModel):
    """A testing window: `opens_at` inclusive, `closes_at` exclusive."""

    id: UUID
    code: str
    title: str
    purpose: Purpose
    opens_at: datetime
    closes_at: datetime


class AdministrationPage(BaseModel):
    """Administrations ordered by opening and id."""

    items: list[Administration]
    has_next: bool


class ByStudents(BaseModel):
    """Ask about many students at once; those the caller may not see are left out."""

    students: list[UUID] = Field(max_length=10_000)


class Ability(BaseModel):
    """One attempt's result. `theta` and `standard_error` are in logits (D = 1) or None for the `reason` given."""

    attempt: UUID
    administration: UUID
    form: str
    completed_at: datetime
    theta: float | None
    standard_error: float | None
    raw_score: int
    maximum: int
    reason: Reason | None
    parameter_version: str | None


class StudentAbilities(BaseModel):
    """A student's results in the order of evidence."""

    student: UUID
    abilities: list[Ability]
