"""Options that several commands share, and how a command that speaks to the platform is run."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from deploy.cli.access import default_home

T = TypeVar("T")

Home = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="HOME_DIR",
        help="Where the platform keeps its data.",
        default_factory=default_home,
        show_default="~/.trellis",
    ),
]
Url = Annotated[
    str | None,
    typer.Option("--url", help="The platform's address; else TRELLIS_URL, else the platform of --home.", metavar="URL"),
]
Key = Annotated[
    str | None,
    typer.Option("--key", help="The API key; else TRELLIS_KEY, else the one kept in --home.", metavar="KEY"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of tables.")]


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run what speaks to the platform to its end."""
    return asyncio.run(work)
