"""The district and the key that a platform on one machine starts with, made through the gateway's door."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from deploy.cli.door import Door, DoorError, opened
from deploy.home import Home
from shared.auth import SCOPES, Purpose

DISTRICT = "demo"
DISTRICT_NAME = "Demonstration district"
DAYS = 365
RENEWED_DAYS_BEFORE = 30


async def ensure(url: str, home: Home) -> tuple[UUID, str]:
    """The first district's id and its key: the kept one while it is good for another month, else a new one."""
    async with opened(url, home.secrets.operator_secret) as operator:
        district = await _district(operator)
        key = home.key
        if key is None or not await _is_good(url, key):
            made = await operator.post(
                "/v1/keys",
                {
                    "district": DISTRICT,
                    "name": "first key",
                    "scopes": sorted(SCOPES),
                    "purpose": Purpose.ADMINISTRATION.value,
                    "days": DAYS,
                },
            )
            key = str(made["key"])
            home.keep_key(key)
    return UUID(district["id"]), key


async def _district(operator: Door) -> dict[str, Any]:
    for district in await operator.get("/v1/districts"):
        if district["slug"] == DISTRICT:
            return dict(district)
    return dict(await operator.post("/v1/districts", {"slug": DISTRICT, "name": DISTRICT_NAME}))


async def _is_good(url: str, key: str) -> bool:
    """Whether the gateway takes the key, and will for a while."""
    async with opened(url, key) as door:
        try:
            keys = await door.get("/v1/keys")
        except DoorError as refused:
            if refused.status in (401, 403):
                return False
            raise
    soon = datetime.now(UTC) + timedelta(days=RENEWED_DAYS_BEFORE)
    return any(
        key.startswith(f"trl_live_{one['id']}_") and datetime.fromisoformat(one["expiresAt"]) > soon for one in keys
    )
