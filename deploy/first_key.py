"""The district and the key that a platform on one machine starts with, made through the gateway's door."""

from collections.abc import AsyncIterator
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
        district = await operator.post("/v1/districts", {"slug": DISTRICT, "name": DISTRICT_NAME})
        key = home.key
        if key is None or not await _is_good(url, key):
            wanted = {
                "district": DISTRICT,
                "name": "first key",
                "scopes": sorted(SCOPES),
                "purpose": Purpose.ADMINISTRATION.value,
                "expires_in_days": DAYS,
            }
            key = str((await operator.post("/v1/keys", wanted))["key"])
            home.keep_key(key)
    return UUID(district["id"]), key


async def _is_good(url: str, key: str) -> bool:
    """Whether the gateway takes the key, and will for a while."""
    soon = datetime.now(UTC) + timedelta(days=RENEWED_DAYS_BEFORE)
    async with opened(url, key) as door:
        try:
            async for record in _keys(door):
                if key.startswith(f"trl_live_{record['id']}_"):
                    return datetime.fromisoformat(record["expires_at"]) > soon
        except DoorError as refused:
            if refused.status not in (401, 403):
                raise
    return False


async def _keys(door: Door) -> AsyncIterator[dict[str, Any]]:
    after: dict[str, str] = {}
    while True:
        page = await door.get("/v1/keys", after)
        for record in page["items"]:
            yield record
        if not page["has_next"]:
            return
        after = {"after": page["items"][-1]["id"]}
