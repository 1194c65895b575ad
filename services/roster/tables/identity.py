"""What became of identities, what is to be decided, and what is needed to take it back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from services.roster.tables.records import C_TEXT, Base


class IdentityEvent(Base, table=True):
    """A row recognised under a new name, two people merged, one split, or what of that was taken back.

    `kind` is reattached, merged or split; `other_id` whom it concerned besides; `was_called` and `is_called` are
    sourcedIds.
    """

    __tablename__ = "identity_events"
    __table_args__ = (
        Index("identity_events_in_order", "district_id", "at", "id"),
        Index("identity_events_by_revision", "district_id", "revision"),
        Index("identity_events_undone", "district_id", postgresql_where=text("undone_at IS NOT NULL")),
        Index(
            "identity_events_of_import", "district_id", "import_id", postgresql_where=text("import_id IS NOT NULL")
        ),
    )  # fmt: skip

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    revision: int = Field(sa_type=BigInteger)
    at: datetime = Field(
        sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )
    kind: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    row_id: UUID
    other_id: UUID | None
    was_called: str | None = Field(sa_type=Text)
    is_called: str | None = Field(sa_type=Text)
    reason: str | None = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    import_id: UUID | None
    undone_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    undone_by: str | None = Field(sa_type=Text)


class IdentityChange(Base, table=True):
    """What an event did to one row of a table, in order: its columns before and after, as far as they differ.

    `was` is empty for a row that was made, `became` for one that was taken away (then `was` is the whole row).
    """

    __tablename__ = "identity_changes"

    district_id: UUID = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    number: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_args=(Identity(always=True),)
    )  # fmt: skip
    place: str = Field(sa_type=Text)
    key: dict[str, Any] = Field(sa_type=JSONB, nullable=False)
    was: dict[str, Any] | None = Field(sa_type=JSONB)
    became: dict[str, Any] | None = Field(sa_type=JSONB)


class IdentityReview(Base, table=True):
    """Somebody new who may be somebody known: for a person to decide. `decision` is same or different."""

    __tablename__ = "identity_reviews"
    __table_args__ = (
        Index("identity_reviews_of", "district_id", "sourced_id", "candidate_id", unique=True),
        Index("identity_reviews_open", "district_id", "found_at", "id", postgresql_where=text("decision IS NULL")),
    )

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    import_id: UUID
    found_at: datetime = Field(
        sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )
    sourced_id: str = Field(sa_type=C_TEXT)
    candidate_id: UUID
    reason: str = Field(sa_type=Text)
    agrees: list[str] = Field(sa_type=ARRAY(Text))
    differs: list[str] = Field(sa_type=ARRAY(Text))
    decision: str | None = Field(sa_type=Text)
    decided_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    decided_by: str | None = Field(sa_type=Text)
    event_id: UUID | None


class Merger(Base, table=True):
    """Who was absorbed by whom, as it is now."""

    __tablename__ = "mergers"
    __table_args__ = (Index("mergers_into", "district_id", "person_id"),)

    district_id: UUID = Field(primary_key=True)
    absorbed_id: UUID = Field(primary_key=True)
    person_id: UUID
    event_id: UUID
