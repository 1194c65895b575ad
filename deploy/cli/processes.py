"""`trellis up`, `down` and `service`: the platform as processes on Kafka and PostgreSQL."""

import asyncio
from typing import Annotated

import typer

from deploy.cli import show
from deploy.cli.example import to_show
from deploy.cli.options import Home
from deploy.cli.platform import Port, announce


def up(home: Home, port: Port = 8000) -> None:
    """Run every service as a process of its own, in the background, on Apache Kafka and PostgreSQL."""
    from deploy import processes

    running = processes.up(home, port, show.message)
    announce(running.url, running.key, running.home, to_show(running.home, [], is_demo=False))
    show.message(f"Logs in {running.home / 'logs'}. trellis down (make down) ends it.")


def down(home: Home) -> None:
    """Stop what `up` started."""
    from deploy import processes

    was_running = processes.down(home)
    show.message("Stopped" if was_running else "Nothing of this folder was running")


def service(
    name: Annotated[
        str, typer.Argument(help="roster, assessment, mastery, partnership or gateway.", show_default=False)
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, envvar="TRELLIS_PORT", help="Where it listens.")] = 8000,
    host: Annotated[str, typer.Option(envvar="TRELLIS_HOST", help="The address it listens on.")] = "127.0.0.1",
) -> None:
    """Run one service on Kafka, told everything else by its environment (see docs/kafka.md)."""
    from deploy.service import serve
    from shared import runtime

    runtime.run_until_complete(serve(name, host, port))


def provision() -> None:
    """Make the databases, roles and topics on your PostgreSQL and Kafka, or bring them up to date (docs/kafka.md)."""
    from deploy.managed import prepare

    for line in asyncio.run(prepare()):
        show.message(line)
