"""How the gateway keeps districts and keys. No row-level security: a key is looked up before it is known whose."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel


class Base(SQLModel):
    """The gateway's own tables."""

    metadata = MetaData()


class District(Base, table=True):
    """A tenant. Its id is uuid5 of its slug."""

    __tablename__ = "districts"

    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    slug: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=text("now()"))
    )


class ApiKey(Base, table=True):
    """A key, without its secret: only the HMAC of that is here."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("expires_at <= created_at + interval '365 days'", name="api_keys_expire"),
        Index("api_keys_of_district", "district_id", "id"),
    )

    id: str = Field(sa_column=Column(Text, primary_key=True))
    district_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("districts.id"), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    secret: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    previous_secret: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    previous_until: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    schools: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid)))
    networks: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=text("now()"))
    )
    expires_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
