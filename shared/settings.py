"""What every service is told from outside. Read once, in `main`; nothing below reads the environment."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """The settings all services share; each service names its prefix, `TRELLIS_<SERVICE>_`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field(description="PostgreSQL, as the service's runtime role: postgresql://role:…@host/db")
    token_secret: str = Field(min_length=32, description="Signs the inside token; the same for all services")
    pool_size: int = Field(default=5, ge=2, le=50, description="Connections to PostgreSQL")

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: str) -> str:
        if not value.startswith("postgresql://"):
            raise ValueError("must begin with postgresql://")
        return value
