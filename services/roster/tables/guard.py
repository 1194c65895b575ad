"""What a district lets an import do without asking a person."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Double, Text, text
from sqlmodel import Field

from services.roster.tables.records import Base


class GuardSettings(Base, table=True):
    """The thresholds of a district that has changed them; shares in percent."""

    __tablename__ = "guard_settings"

    district_id: UUID = Field(primary_key=True)
    school_percent: float = Field(sa_type=Double)
    class_percent: float = Field(sa_type=Double)
    class_least: int
    rows_least_percent: float = Field(sa_type=Double)
    rows_most_percent: float = Field(sa_type=Double)
    absent_files: str = Field(sa_type=Text)
    changed_by: str = Field(sa_type=Text)
    changed_at: datetime = Field(
        sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": text("now()")}
    )
