"""The roster's facts as they are now, for a system that begins to listen."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from deploy.cli import show
from deploy.cli.access import key_of, url_of
from deploy.cli.door import DoorError
from deploy.cli.options import Home, Json, Key, Url
from deploy.cli.roster.fetching import fetched

_LAST_LINE = 1 << 16
"""More bytes than the last line ever has."""


def bootstrap(
    out: Annotated[
        Path, typer.Argument(help="The file of lines of JSON to write.", dir_okay=False, show_default=False)
    ],
    home: Home,
    types: Annotated[
        str | None,
        typer.Option(
            "--types",
            help="Only these facts, with commas between: StudentsPlaced,EnrollmentsChanged.",
            metavar="NAMES",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Write the present state of the roster as facts, for a system that begins to listen to the bus.

    The first line says from when on to listen, the last how many facts there are. Demographics need demographics:read.
    """
    params = {"types": types} if types is not None else {}
    platform, bearer = url_of(url, home), key_of(key, home)
    _, (head, told) = fetched(platform, bearer, "/v1/exports/roster-facts", params, out, _checked)
    if json:
        said = {name: head[name] for name in ("revision", "at", "listen_from")}
        show.as_json({"file": str(out), "bytes": out.stat().st_size, **said, "facts": told})
        return
    show.table(["fact", "how many"], [[name, f"{many:,}"] for name, many in told.items()])
    show.message(f"{out}: the roster at {head['at']}. Listen to facts from {head['listen_from']} on.")


def _checked(file: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The first line, and how many facts of each type there are by the last; every line of them has arrived."""
    with file.open("rb") as lines:
        first = lines.readline()
        lines.seek(max(0, file.stat().st_size - _LAST_LINE))
        last = lines.read().rstrip(b"\n").rpartition(b"\n")[2]
        lines.seek(0)
        count = sum(piece.count(b"\n") for piece in iter(lambda: lines.read(1 << 20), b""))
    try:
        head, end = orjson.loads(first), orjson.loads(last)
        is_whole = end["facts"] == sum(end["end"].values()) == count - 2 and "listen_from" in head
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise DoorError("the facts did not arrive whole; ask for them again")
    return head, end["end"]
