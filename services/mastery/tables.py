"""How mastery keeps what it knows; equal to the migrations, which a test proves. Only the store imports this."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as Uuid
from sqlmodel import Field, SQLModel


class Base(SQLModel):
    """Tables of the mastery service."""

    metadata = MetaData()


class Framework(Base, table=True):
    """A CFDocument, with all of its package but items and associations."""

    __tablename__ = "frameworks"

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    identifier: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    source: dict[str, Any] = Field(sa_type=JSONB)
    definitions: dict[str, Any] = Field(sa_type=JSONB)
    rest: dict[str, Any] = Field(sa_type=JSONB)


class Competency(Base, table=True):
    """A CFItem, `source` in the words of the package. No longer `is_current` when a newer package leaves it out."""

    __tablename__ = "competencies"
    __table_args__ = (Index("competencies_framework", "district_id", "framework_id"),)

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    framework_id: UUID
    identifier: str = Field(sa_type=Text)
    statement: str = Field(sa_type=Text)
    code: str | None = Field(sa_type=Text)
    parent_id: UUID | None
    is_current: bool
    source: dict[str, Any] = Field(sa_type=JSONB)


class Association(Base, table=True):
    """A CFAssociation. An end outside the package has the id it would have inside."""

    __tablename__ = "associations"
    __table_args__ = (
        Index("associations_framework", "district_id", "framework_id"),
        Index("associations_origin", "district_id", "origin_id", "type"),
        Index("associations_destination", "district_id", "destination_id", "type"),
    )

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    framework_id: UUID
    identifier: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    origin_id: UUID
    destination_id: UUID
    sequence_number: int | None
    source: dict[str, Any] = Field(sa_type=JSONB)


class Form(Base, table=True):
    """Our copy of a version of a form, `difficulties` of its items in logits.

    Item `aligned_items[i]` (from 0) is evidence for `aligned_competencies[i]`.
    """

    __tablename__ = "forms"

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    code: str = Field(sa_type=Text)
    items: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    maxima: list[int] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    difficulties: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    aligned_items: list[int] = Field(sa_column=Column(ARRAY(Integer), nullable=False))
    aligned_competencies: list[UUID] = Field(sa_column=Column(ARRAY(Uuid(as_uuid=True)), nullable=False))


class Administration(Base, table=True):
    """Our copy of a testing window; `purpose` as in the facts."""

    __tablename__ = "administrations"

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    code: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    purpose: int = Field(sa_type=SmallInteger)


class Placement(Base, table=True):
    """Where a student is enrolled, from `begin_on` (inclusive) to `end_on` (exclusive)."""

    __tablename__ = "placements"
    __table_args__ = (Index("placements_school", "district_id", "school_id"),)

    district_id: UUID = Field(primary_key=True)
    student_id: UUID = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    school_id: UUID
    begin_on: date | None
    end_on: date | None


class Sheet(Base, table=True):
    """The ledger of evidence: an attempt's latest version. `completed_at` in microseconds since 1970 UTC.

    The key begins with the student: it finds an attempt as well as everything of a student. `origin_id` is whose it was
    before they were merged into that student. What is `withdrawn` stays, to be no evidence.
    """

    __tablename__ = "sheets"

    district_id: UUID = Field(primary_key=True)
    student_id: UUID = Field(primary_key=True)
    attempt_id: UUID = Field(primary_key=True)
    administration_id: UUID
    form_id: UUID
    completed_at: int = Field(sa_type=BigInteger)
    version: int
    modality: int = Field(sa_type=SmallInteger)
    purpose: int = Field(sa_type=SmallInteger)
    scores: bytes = Field(sa_type=LargeBinary)
    withdrawn: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    origin_id: UUID | None


class Merger(Base, table=True):
    """Whom the roster has said to be whom; `holds` until it was taken back, as of this revision of the roster's."""

    __tablename__ = "mergers"
    __table_args__ = (Index("mergers_into", "district_id", "person_id"),)

    district_id: UUID = Field(primary_key=True)
    absorbed_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    revision: int = Field(sa_type=BigInteger)
    holds: bool


class Mastery(Base, table=True):
    """What is believed of one student, packed: parallel columns, little-endian, sorted by competency.

    `competencies` 16 bytes each, `probabilities`, `lowers` and `uppers` float64, `counts` int32, `last_evidence` int64
    (microseconds since 1970 UTC). `through_*` is the last sheet they have seen, in the order of evidence; `entries` the
    sum of the counts.
    """

    __tablename__ = "mastery"

    district_id: UUID = Field(primary_key=True)
    student_id: UUID = Field(primary_key=True)
    through_at: int = Field(sa_type=BigInteger)
    through_administration: str = Field(sa_type=Text)
    through_form: str = Field(sa_type=Text)
    model_version: str = Field(sa_type=Text)
    entries: int
    competencies: bytes = Field(sa_type=LargeBinary)
    probabilities: bytes = Field(sa_type=LargeBinary)
    lowers: bytes = Field(sa_type=LargeBinary)
    uppers: bytes = Field(sa_type=LargeBinary)
    counts: bytes = Field(sa_type=LargeBinary)
    last_evidence: bytes = Field(sa_type=LargeBinary)


class Snapshot(Base, table=True):
    """Figures of a district's groups at a moment; hidden were those below `threshold`, and others with them."""

    __tablename__ = "snapshots"
    __table_args__ = (Index("snapshots_taken", "district_id", "taken_at"),)

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    taken_at: datetime = Field(sa_type=DateTime(timezone=True), nullable=False)
    threshold: int
    model_version: str = Field(sa_type=Text)


class SnapshotArea(Base, table=True):
    """What is published of an organisation and a competency. The numbers of what is suppressed are not kept here."""

    __tablename__ = "snapshot_areas"

    district_id: UUID = Field(primary_key=True)
    snapshot_id: UUID = Field(primary_key=True)
    organisation_id: UUID = Field(primary_key=True)
    competency_id: UUID = Field(primary_key=True)
    is_school: bool
    learners: int | None
    strength: float | None = Field(sa_type=Double)
    need: float | None = Field(sa_type=Double)
    suppressed: bool


class Withheld(Base, table=True):
    """The counts the latest snapshot hides: the next one must not tell them by the difference. Nobody may ask for them.

    `is_own`: those placed in the organisation itself, which has parts. `layer` is empty for the sum of parts. `in_need`
    and `others` are the least there was of each since the layer began.
    """

    __tablename__ = "withheld"

    district_id: UUID = Field(primary_key=True)
    competency_id: UUID = Field(primary_key=True)
    organisation_id: UUID = Field(primary_key=True)
    is_own: bool = Field(primary_key=True)
    layer: int | None
    learners: int
    in_need: int
    others: int
