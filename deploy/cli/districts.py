"""`trellis districts`: the districts on this platform, for whoever runs it."""

from typing import Annotated, Any

import typer

from deploy.cli import show
from deploy.cli.access import operator_secret, url_of
from deploy.cli.door import opened
from deploy.cli.options import Home, Json, Url, wait_for

app = typer.Typer(help="Make and list districts (with the operator's secret).", no_args_is_help=True)


@app.command()
def create(
    slug: Annotated[str, typer.Argument(help="Short name for ever: its id is made from it.", show_default=False)],
    home: Home,
    name: Annotated[str | None, typer.Option(help="The name people use; else the slug.")] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Make a district."""

    async def work() -> dict[str, Any]:
        async with opened(url_of(url, home), operator_secret(home)) as door:
            made: dict[str, Any] = await door.post("/v1/districts", {"slug": slug, "name": name or slug})
            return made

    made = wait_for(work())
    if json:
        show.as_json(made)
    else:
        show.table(("slug", "name", "id"), [[made["slug"], made["name"], made["id"]]])


@app.command("list")
def list_(home: Home, url: Url = None, json: Json = False) -> None:
    """List the districts."""

    async def work() -> list[dict[str, Any]]:
        async with opened(url_of(url, home), operator_secret(home)) as door:
            found: list[dict[str, Any]] = await door.get("/v1/districts")
            return found

    found = wait_for(work())
    if json:
        show.as_json({"districts": found})
    else:
        show.table(("slug", "name", "id"), [[one["slug"], one["name"], one["id"]] for one in found])
