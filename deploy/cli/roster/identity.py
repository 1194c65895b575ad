"""Who is who: what an import was not certain of, two people who are one, one who is two, and taking that back."""

from typing import Annotated, Any
from uuid import UUID

import typer

from deploy.cli import show
from deploy.cli.access import key_of, url_of
from deploy.cli.door import opened
from deploy.cli.options import Home, Json, Key, Url, wait_for

_PATH = "/v1/identity"
_PAGE = 100

Review = Annotated[UUID, typer.Argument(help="The id that trellis roster reviews shows.", show_default=False)]
Reason = Annotated[str | None, typer.Option(help="Why, for whoever asks later.", show_default=False)]


def reviews(
    home: Home,
    decided: Annotated[bool, typer.Option("--decided", help="Those that are decided already.")] = False,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """List newcomers who may be people known, with what agrees and what differs."""

    async def work() -> list[Any]:
        found: list[Any] = []
        params = {"first": str(_PAGE), "decided": "true" if decided else "false"}
        async with opened(url_of(url, home), key_of(key, home)) as door:
            while True:
                page = await door.get(f"{_PATH}/reviews", params)
                found += page["items"]
                if page["next"] is None:
                    return found
                params["after"] = page["next"]

    found = wait_for(work())
    if json:
        show.as_json(found)
        return
    show.table(
        ["review", "newcomer", "known", "why", "agrees", "differs", "decision"],
        [
            [
                one["id"], _name(one["newcomer"]), _name(one["candidate"]), one["reason"], ", ".join(one["agrees"]),
                ", ".join(one["differs"]), one["decision"] or "",
            ]
            for one in found
        ],
    )  # fmt: skip


def same(review: Review, home: Home, url: Url = None, key: Key = None, json: Json = False) -> None:
    """Decide that a newcomer is the somebody known."""
    _tell(_post(f"{_PATH}/reviews/{review}:same", {}, home, url, key), "decided: the same person", as_json=json)


def different(review: Review, home: Home, url: Url = None, key: Key = None, json: Json = False) -> None:
    """Decide that a newcomer is somebody else; it is not asked again."""
    _tell(_post(f"{_PATH}/reviews/{review}:different", {}, home, url, key), "decided: two people", as_json=json)


def merge(
    person: Annotated[str, typer.Argument(help="Who stays: sourcedId or id.", show_default=False)],
    absorbed: Annotated[str, typer.Argument(help="Who is the same person: sourcedId or id.", show_default=False)],
    home: Home,
    force: Annotated[bool, typer.Option("--force", help="Also when the roster names both.")] = False,
    reason: Reason = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Make two people one; all of the second is the first's from then on."""
    body = {"person": person, "absorbed": absorbed, "force": force, "reason": reason}
    event = _post(f"{_PATH}/merges", body, home, url, key)
    _tell(event, f"merged; to take it back: trellis roster undo-identity {event['id']}", as_json=json)


def split(
    person: Annotated[str, typer.Argument(help="Who is two: sourcedId or id.", show_default=False)],
    sourced_ids: Annotated[
        list[str],
        typer.Argument(help="sourcedIds of what is the other's: users, enrolments, roles.", show_default=False),
    ],
    home: Home,
    called: Annotated[
        str | None, typer.Option(help="The other person's sourcedId, if none of these is.", show_default=False)
    ] = None,
    given_name: Annotated[str | None, typer.Option(help="The other person's given name.", show_default=False)] = None,
    family_name: Annotated[str | None, typer.Option(help="The other person's family name.", show_default=False)] = None,
    reason: Reason = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Make one person two; who was absorbed under one of these names is themselves again."""
    body = {
        "person": person, "sourced_ids": sourced_ids, "sourced_id": called, "given_name": given_name,
        "family_name": family_name, "reason": reason,
    }  # fmt: skip
    event = _post(f"{_PATH}/splits", body, home, url, key)
    _tell(event, f"split; to take it back: trellis roster undo-identity {event['id']}", as_json=json)


def undo_identity(
    event: Annotated[UUID, typer.Argument(help="The merge or split to take back.", show_default=False)],
    home: Home,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Take a merge or a split back."""
    _tell(_post(f"{_PATH}/{event}:undo", {}, home, url, key), "taken back", as_json=json)


def _post(path: str, body: dict[str, Any], home: Any, url: Any, key: Any) -> Any:
    async def work() -> Any:
        async with opened(url_of(url, home), key_of(key, home)) as door:
            return await door.post(path, body)

    return wait_for(work())


def _tell(answer: Any, said: str, *, as_json: bool) -> None:
    if as_json:
        show.as_json(answer)
    else:
        print(said)


def _name(one: Any) -> str:
    if one is None:
        return "gone"
    born = f", {one['birth_date']}" if one["birth_date"] else ""
    return f"{one['given_name']} {one['family_name']} ({one['sourced_id']}{born})"
