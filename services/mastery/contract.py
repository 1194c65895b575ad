"""What mastery promises the gateway and the other services: REST bodies, nothing else of ours."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

Modality = Literal["in person", "remote", "paper"]
Level = Literal["unknown", "beginning", "developing", "mastered"]


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
    """What is believed of one competency, as of its last evidence. Without evidence it is unknown, and not zero.

    `lower` and `upper` are the least and the most the probability could be, as far as the model's parameters are known.
    All three are None where nothing is known.
    """

    competency: UUID
    probability: float | None
    lower: float | None
    upper: float | None
    level: Level
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
    model_version: str
    places: list[int]
    probabilities: list[float]
    lowers: list[float]
    uppers: list[float]
    levels: list[Level]
    evidence_counts: list[int]
    last_evidence: list[int]


class MasteryColumns(BaseModel):
    """The same as a list of `StudentMastery`, for a fraction of the cost.

    `competencies` is the vocabulary: what was asked for, each once, or all with evidence, ordered by code and
    id. `known` describes those of them that are in a framework here. `students` come as they were asked for; those the
    caller may not see are left out.
    """

    competencies: list[UUID]
    known: list[Competency]
    students: list[StudentColumns]


class RollUpsOf(BaseModel):
    """Ask for many students' roll-ups; `competencies` None means everything with evidence below it."""

    students: list[UUID] = Field(max_length=1_000)
    competencies: list[UUID] | None = Field(default=None, max_length=1_000)


class RollUp(BaseModel):
    """What is believed of all that is below a competency in its framework: the mean over what there is evidence for.

    `leaves` counts the competencies below it that have none below themselves, `assessed` those of them with evidence:
    an unknown one has no part in the mean. `lower` and `upper` are the means of the leaves' own. Without evidence all
    three are None. `last_evidence_at` is the latest of the leaves'. A competency with none below it is its own leaf.
    """

    competency: UUID
    probability: float | None
    lower: float | None
    upper: float | None
    assessed: int
    leaves: int
    evidence_count: int
    last_evidence_at: datetime | None
    model_version: str


class StudentRollUps(BaseModel):
    """One student's roll-ups, as they were asked for; else of all there is evidence below, by code and id."""

    student: UUID
    roll_ups: list[RollUp]


class EvidenceOf(BaseModel):
    """Ask for a page of each student's evidence; `after` is the number of entries already seen."""

    students: list[UUID] = Field(max_length=1_000)
    first: int = Field(ge=1, le=100)
    after: int = Field(default=0, ge=0)


class Evidence(BaseModel):
    """One scored response as evidence for one competency; `score` is points over the maximum, 0 to 1.

    `before` is the probability at the moment of the response: time has passed since the `after` of the one before it.
    """

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
    `need_lower` and `need_upper` are the 95 % interval of need, made of these published numbers alone, for
    learners like these: a share of few says little. All are None when `suppressed`.
    """

    competency: UUID
    learners: int | None
    strength: float | None
    need: float | None
    need_lower: float | None = None
    need_upper: float | None = None
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
