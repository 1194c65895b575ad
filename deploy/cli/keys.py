"""`trellis keys`: the API keys of a district."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import show
from deploy.cli.access import key_of, operator_secret, url_of
from deploy.cli.door import Door, opened
from deploy.cli.options import Home, Json, Key, Url, wait_for
from shared.auth import SCOPES, Purpose

OfDistrict = Annotated[
    str | None, typer.Option("--district", help="A district's slug: asked with the operator's secret instead of a key.")
]

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whom or what the key is for.", show_default=False)],
    home: Home,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help=f"May be given often: {', '.join(sorted(SCOPES))}.")
    ] = None,
    purpose: Annotated[Purpose, typer.Option(help="What it is used for.")] = Purpose.INTEGRATION,
    school: Annotated[
        list[str] | None,
        typer.Option("--school", help="A school's id or sourcedId:…; may be given often. None: the whole district."),
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option("--network", help="Only from here, e.g. 192.0.2.0/24; may be given often.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is good for.")] = 90,
    district: OfDistrict = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Make a key. It is shown this once."""
    body = {
        "name": name,
        "scopes": scope or [],
        "purpose": purpose.value,
        "schools": school or None,
        "networks": network or [],
        "expires_in_days": days,
        "district": district,
    }

    async def work() -> dict[str, Any]:
        async with opened(url_of(url, home), _bearer(home, key, district)) as door:
            made: dict[str, Any] = await door.post("/v1/keys", body)
            return made

    made = wait_for(work())
    if json:
        show.as_json(made)
        return
    show.line(f"API key  {made['key']}")
    show.message("Keep it now: it cannot be shown again.")
    _table([made])


@app.command("list")
def list_(home: Home, district: OfDistrict = None, url: Url = None, key: Key = None, json: Json = False) -> None:
    """List the district's keys; their secrets are not kept."""

    async def work() -> list[dict[str, Any]]:
        async with opened(url_of(url, home), _bearer(home, key, district)) as door:
            return [one async for one in _every_key(door, district)]

    found = wait_for(work())
    if json:
        show.as_json({"keys": found})
    else:
        _table(found)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as listed.", show_default=False)],
    home: Home,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Revoke a key: every replica of the gateway refuses it within seconds."""

    async def work() -> None:
        async with opened(url_of(url, home), key_of(key, home)) as door:
            await door.delete(f"/v1/keys/{key_id}")

    wait_for(work())
    if json:
        show.as_json({"id": key_id, "revoked": True})
    else:
        show.line(f"Revoked  {key_id}")


def _bearer(home: Path, key: str | None, district: str | None) -> str:
    return operator_secret(home) if district else key_of(key, home)


async def _every_key(door: Door, district: str | None) -> AsyncIterator[dict[str, Any]]:
    asked = {"district": district} if district else {}
    while True:
        page = await door.get("/v1/keys", asked)
        for one in page["items"]:
            yield one
        if not page["has_next"] or not page["items"]:
            return
        asked["after"] = page["items"][-1]["id"]


def _table(keys: list[dict[str, Any]]) -> None:
    columns = ("id", "name", "purpose", "scopes", "schools", "expires", "revoked", "last used")
    show.table(columns, [_row(one) for one in keys])


def _row(key: Mapping[str, Any]) -> list[object]:
    schools = key.get("schools")
    return [
        key["id"],
        key["name"],
        key["purpose"],
        " ".join(key["scopes"]),
        "all" if not schools else " ".join(schools),
        _minute(key["expires_at"]),
        _minute(key.get("revoked_at")),
        _minute(key.get("last_used_at")),
    ]


def _minute(time: str | None) -> str | None:
    return None if time is None else time[:16].replace("T", " ")
