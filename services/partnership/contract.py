"""What partnership promises the gateway and the other services: REST bodies, nothing else of ours."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

Role = Literal["offers", "seeks"]
Basis = Literal["measured", "declared"]
MatchingState = Literal["queued", "solving", "proposed", "infeasible", "failed"]
ProposalState = Literal["proposed", "accepted", "declined", "withdrawn", "superseded"]
Answer = Literal["accepted", "declined"]


class ByKeys(BaseModel):
    """Ask by our ids or by the codes of the district's file; what is not found is left out."""

    ids: list[UUID] = Field(default_factory=list, max_length=1_000)
    codes: list[str] = Field(default_factory=list, max_length=1_000)


class Page(BaseModel):
    """Ask for one page. `after` is the id of the last one seen."""

    first: int = Field(ge=1, le=100)
    after: UUID | None = None


class Area(BaseModel):
    """What schools help each other in. Without competencies it rests on what schools declare."""

    code: str
    title: str
    competencies: list[UUID]


class Programme(BaseModel):
    """Partnerships that somebody pays for. Money is in the programme's own currency."""

    id: UUID
    code: str
    title: str
    partnerships: int
    budget: float
    cost_per_partnership: float
    currency: str
    max_distance_km: float | None
    areas: list[Area]
    rules: list[str] = Field(default_factory=list)
    """Every other rule of the programme in words."""


class ProgrammePage(BaseModel):
    """Programmes ordered by title and id."""

    items: list[Programme]
    has_next: bool


class BySchools(BaseModel):
    """Ask about many schools at once; those the caller may not see are left out."""

    schools: list[UUID] = Field(max_length=10_000)


class Willingness(BaseModel):
    """What a school declares in one area. `eagerness` is 1 to 5, `capacity` partnerships at once."""

    school: UUID
    area: str
    role: Role
    eagerness: int
    capacity: int
    diagnostics_allowed: bool
    declared_at: datetime


class SchoolWillingness(BaseModel):
    """A school's declarations, ordered by area."""

    school: UUID
    willingness: list[Willingness]


class Declare(BaseModel):
    """A school says that it is willing. Ranges are checked by the service, so that its errors name the field."""

    school: UUID
    area: str
    role: Role
    eagerness: int
    capacity: int
    diagnostics_allowed: bool


class Withdraw(BaseModel):
    """A school takes back what it declared in one area."""

    school: UUID
    area: str


class Propose(BaseModel):
    """Start a matching for a programme."""

    programme: UUID


class Matching(BaseModel):
    """One matching of a programme: `done` of `total` steps; `explanation` says why there is no proposal.

    `gap` is how far below the best the whole may be at most, as a share of it: 0 when it is the best.
    """

    id: UUID
    programme: UUID
    state: MatchingState
    requested_at: datetime
    finished_at: datetime | None
    done: int
    total: int
    proposals: int
    unmatched: int
    explanation: str | None
    snapshot_at: datetime | None
    gap: float | None = None
    method: str | None = None


class ByProgrammes(BaseModel):
    """Ask for the latest matching of each of these programmes."""

    programmes: list[UUID] = Field(max_length=1_000)


class OfProgramme(BaseModel):
    """Ask for a page of what the latest matching of a programme came to."""

    programme: UUID
    state: ProposalState | None = None
    first: int = Field(ge=1, le=100)
    after: UUID | None = None


class Proposal(BaseModel):
    """A partnership that is proposed. `reason` is a sentence for people.

    A basis is `measured` when it rests on the school's published diagnostic aggregates, with its consent, and
    `declared` when it rests on what the school says of itself. `distance_km` is None where a location is missing.
    """

    id: UUID
    programme: UUID
    matching: UUID
    area: str
    host: UUID
    guest: UUID
    state: ProposalState
    reason: str
    host_basis: Basis
    guest_basis: Basis
    distance_km: float | None
    host_answer: Answer | None
    guest_answer: Answer | None
    declined_because: str | None
    proposed_at: datetime
    alternative: str | None = None


class ProposalPage(BaseModel):
    """Proposals ordered by id: never by anything about results."""

    items: list[Proposal]
    has_next: bool


class Unmatched(BaseModel):
    """A willing school without a proposal in an area, and the sentence that says why."""

    id: UUID
    school: UUID
    area: str
    role: Role
    reason: str
    alternative: str | None = None


class UnmatchedPage(BaseModel):
    """Unmatched schools ordered by id: never by anything about results."""

    items: list[Unmatched]
    has_next: bool


class Respond(BaseModel):
    """One side of a proposal answers it."""

    proposal: UUID
    school: UUID
    answer: Answer
    because: str | None = Field(default=None, max_length=1_000)


class ByIds(BaseModel):
    """Ask by our ids; what is not found or not visible is left out."""

    ids: list[UUID] = Field(max_length=1_000)
