"""What mastery promises the gateway and the other services: REST bodies, nothing else of ours."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

Modality = Literal["in person", "remote", "paper"]


class ByKeys(BaseModel):
    """Ask by our ids or by the CFItems' CASE identifiers; what is not found is left out."""

    ids: list[UUID] = Field(default_factory=list, max_length=10_000)
    identifiers: list[str] = Field(default_factory=list, max_length=10_000)


class Competency(BaseModel):
    """A CFItem: `identifier` is its CASE identifier, `code` its humanCodingScheme, `parent` by isChildOf."""

    id: UUID
    identifier: str
    statement: str
    code: str | None
    parent: UUID | None


class ByStudents(BaseModel):
    """Ask for many students' mastery; `competencies` None means every one with evidence."""

    students: list[UUID] = Field(max_length=10_000)
    competencies: list[UUID] | None = Field(default=None, max_length=1_000)


class Mastery(BaseModel):
    """What is believed of one competency. Without evidence probability is None: unknown is not zero."""

    competency: UUID
    probability: float | None
    evidence_count: int
    last_evidence_at: datetime | None
    model_version: str


class StudentMastery(BaseModel):
    """One student's mastery, ordered by the competencies' code and id (or as they were asked for)."""

    student: UUID
    mastery: list[Mastery]


class StudentColumns(BaseModel):
    """One student's mastery in parallel columns: only what there is evidence for, the rest is unknown and not zero.

    `places` are positions (from 0) in the vocabulary of the answer, rising; `last_evidence` in microseconds since 1970
    UTC.
    """

    student: UUID
    places: list[int]
    probabilities: list[float]
    evidence_counts: list[int]
    last_evidence: list[int]


class MasteryColumns(BaseModel):
    """The same as a list of `StudentMastery`, for a fraction of the cost.

    `competencies` is the vocabulary: what was asked for, each once, or all with evidence, ordered by code and
    id. `known` describes those of them that are in a framework here. `students` come as they were asked for; those the
    caller may not see are left out.
    """

    model_version: str
    competencies: list[UUID]
    known: list[Competency]
    students: list[StudentColumns]


class EvidenceOf(BaseModel):
    """Ask for a page of each student's evidence; `after` is the number of entries already seen."""

    students: list[UUID] = Field(max_length=1_000)
    first: int = Field(ge=1, le=100)
    after: int = Field(default=0, ge=0)


class Evidence(BaseModel):
    """One scored response as evidence for one competency; `score` is points over the maximum, 0 to 1."""

    competency: UUID
    administration: UUID
    completed_at: datetime
    modality: Modality
    item: str
    score: float
    before: float
    after: float


class EvidencePage(BaseModel):
    """A student's evidence in the order it counts, oldest first; `total` is the number of entries in all."""

    student: UUID
    items: list[Evidence]
    total: int
    has_next: bool


class EvidenceCount(BaseModel):
    """How many entries the district's ledgers of evidence hold, for the students the caller may see."""

    sheets: int
    entries: int


class AreasOf(BaseModel):
    """Ask for the latest snapshot of many organisations (schools, or what they are part of).

    `within` None means every competency of the snapshot; else these and all that are below them in their frameworks.
    """

    organisations: list[UUID] = Field(max_length=10_000)
    within: list[UUID] | None = Field(default=None, max_length=1_000)


class AreaFigures(BaseModel):
    """What a snapshot says of one organisation and one competency.

    `learners` are those with evidence; `strength` is the mean probability of mastery among them, `need` the share who
    have probably not mastered it (probability below .5), both rounded to hundredths and need held between .05 and .95.
    All three are None when `suppressed`.
    """

    competency: UUID
    learners: int | None
    strength: float | None
    need: float | None
    suppressed: bool


class OrganisationAreas(BaseModel):
    """One organisation's figures, ordered by the competencies' code and id."""

    organisation: UUID
    snapshot_at: datetime
    areas: list[AreaFigures]


class Snapshot(BaseModel):
    """The state of the district's snapshots: when the latest was taken, and whether another is asked for."""

    taken_at: datetime | None
    due_at: datetime | None
