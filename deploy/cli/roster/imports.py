"""Imports of rosters after they were sent: what they found, and what a person decides about them."""

from typing import Annotated, Any

import typer

from deploy.cli import show
from deploy.cli.access import key_of, url_of
from deploy.cli.door import Door, Report, opened
from deploy.cli.load import watched
from deploy.cli.options import Home, Json, Key, Url, wait_for
from deploy.cli.outcome import WENT_WRONG, as_json, exit_code, print_report

Id = Annotated[str, typer.Argument(help="The import's id, as load and imports say it.", show_default=False)]


def recent(
    home: Home,
    first: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    state: Annotated[
        str | None, typer.Option(help="Only those in this state, e.g. held, refused, applied.", show_default=False)
    ] = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """The imports that came last, newest first."""
    params = {"first": str(first), **({"state": state} if state else {})}

    async def work() -> Any:
        async with opened(url_of(url, home), key_of(key, home)) as door:
            return await door.get("/v1/imports", params)

    found = wait_for(work())
    if json:
        show.as_json(found)
        return
    columns = ("problem_count", "repair_count", "hold_count")
    show.table(
        ["id", "came (UTC)", "state", "added", "changed", "unchanged", "problems", "repairs", "holds"],
        [
            [
                one["id"],
                str(one["created_at"])[:19].replace("T", " "),
                one["state"],
                *(one["counts"][name] for name in ("added", "changed", "unchanged")),
                *(one[name] for name in columns),
            ]
            for one in found["imports"]
        ],
    )


def report(id: Id, home: Home, url: Url = None, key: Key = None, json: Json = False) -> None:
    """What an import found, and what became of it."""

    async def work() -> Report:
        async with opened(url_of(url, home), key_of(key, home)) as door:
            return await door.report(_full(id))

    _say(wait_for(work()), json=json)


def approve(id: Id, home: Home, url: Url = None, key: Key = None, json: Json = False) -> None:
    """Apply a held import all the same, and wait until all that follows can be read."""
    _decide(id, "approve", home, url, key, json=json)


def apply(id: Id, home: Home, url: Url = None, key: Key = None, json: Json = False) -> None:
    """Apply for real what a dry run reported, and wait until all that follows can be read."""
    _decide(id, "apply", home, url, key, json=json)


def undo(id: Id, home: Home, url: Url = None, key: Key = None, json: Json = False) -> None:
    """Bring back what an import of the last 30 days ended."""
    found = _decide(id, "undo", home, url, key, json=json)
    if found["state"] != "undone":
        show.message(f"{found['id']} could not be undone, and is as it was before; it is {found['state']}.")
        raise typer.Exit(WENT_WRONG)


def reject(id: Id, home: Home, url: Url = None, key: Key = None, json: Json = False) -> None:
    """Refuse a held import, or a dry run; its files are deleted."""

    async def work() -> Report:
        async with opened(url_of(url, home), key_of(key, home)) as door:
            return await door.decide(_full(id), "reject")

    decided = wait_for(work())
    if json:
        show.as_json(as_json(decided))
    else:
        show.message(f"{decided['id']} is rejected.")


def _decide(id: str, what: str, home: Any, url: str | None, key: str | None, *, json: bool) -> Report:
    async def work() -> Report:
        async with opened(url_of(url, home), key_of(key, home)) as door:
            return await decided(door, id, what)

    found = wait_for(work())
    _say(found, json=json)
    return found


async def decided(door: Door, id: str, what: str) -> Report:
    """Say it, and wait until nothing more comes of it."""
    accepted = await door.decide(_full(id), what)
    with show.progress() as bar:
        return await watched(door, str(accepted["id"]), str(accepted["kind"]), bar.show)


def _say(found: Report, *, json: bool) -> None:
    if json:
        show.as_json(as_json(found))
    else:
        print_report(str(found["id"]), found)
    if found.get("verdict") and (code := exit_code(found)):
        raise typer.Exit(code)


def _full(id: str) -> str:
    """An import's id with its kind before it, as the door knows it; alone it is a roster's."""
    return f"roster-{id}" if all(one in "0123456789abcdefABCDEF-" for one in id) else id
