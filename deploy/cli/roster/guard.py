"""The guard of a district's rosters: what may happen without a person being asked."""

from typing import Annotated, Any

import typer

from deploy.cli import show
from deploy.cli.access import key_of, url_of
from deploy.cli.door import opened
from deploy.cli.options import Home, Json, Key, Url, wait_for

_PATH = "/v1/roster/guard"
_SAID = {
    "school_percent": "of a school's people may leave, in percent",
    "class_percent": "of a class's students may leave, up to but not including, in percent",
    "class_least": "students a class has before it is watched",
    "rows_least_percent": "of the fewest rows of the last imports a file has at least, in percent",
    "rows_most_percent": "of the most rows of the last imports a file has at most, in percent",
    "absent_files": "a file that was there may be absent: allow, or hold",
}


def guard(
    home: Home,
    school_percent: Annotated[
        float | None, typer.Option(min=0, max=100, help="More of a school's people leaving asks a person.")
    ] = None,
    class_percent: Annotated[
        float | None, typer.Option(min=0, max=100, help="So much of a class's students leaving asks a person.")
    ] = None,
    class_least: Annotated[int | None, typer.Option(min=1, help="Classes of fewer students are not watched.")] = None,
    rows_least_percent: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Fewer rows than this share of the last imports' fewest ask a person."),
    ] = None,
    rows_most_percent: Annotated[
        float | None, typer.Option(min=100, help="More rows than this share of the last imports' most ask a person.")
    ] = None,
    absent_files: Annotated[
        str | None, typer.Option(help="hold or allow: when a file that was there is absent.", metavar="hold|allow")
    ] = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Show what asks a person first, or change it."""
    given = {
        name: value
        for name, value in {
            "school_percent": school_percent,
            "class_percent": class_percent,
            "class_least": class_least,
            "rows_least_percent": rows_least_percent,
            "rows_most_percent": rows_most_percent,
            "absent_files": absent_files,
        }.items()
        if value is not None
    }

    async def work() -> Any:
        async with opened(url_of(url, home), key_of(key, home)) as door:
            return await (door.put(_PATH, given) if given else door.get(_PATH))

    known = wait_for(work())
    if json:
        show.as_json(known)
    else:
        show.table(["setting", "value", "meaning"], [[name, known[name], said] for name, said in _SAID.items()])
