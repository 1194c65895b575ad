"""`trellis run`, `up`, `down` and `service`: starting and stopping what others have built."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import show
from deploy.cli.access import keep_url
from deploy.cli.door import Report
from deploy.cli.example import Example, queries, to_show
from deploy.cli.load import Kind, Load
from deploy.cli.options import Home
from deploy.cli.outcome import print_report
from deploy.home import opened

if TYPE_CHECKING:
    from deploy import embedded

DEMO_STUDENTS = 2_000

Port = Annotated[int, typer.Option(min=0, max=65535, help="The gateway's port; 0 takes a free one.")]
File = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, readable=True, show_default=False)]


class Terminal:
    """Shows a platform starting: progress on stderr, the address and the key on stdout."""

    def __init__(self, home: Path, files: Sequence[Load]) -> None:
        self._home = home
        self._files = files
        self._shown = ExitStack()
        self._bar: show.Bar | None = None

    def step(self, text: str) -> None:
        """What is being done now."""
        self._clear()
        show.message(text)

    def progress(self, subject: str, done: int | None = None, total: int | None = None) -> None:
        """How far it is."""
        if self._bar is None:
            self._bar = self._shown.enter_context(show.progress())
        self._bar.show(subject, done, total)

    def loaded(self, load: Load, report: Report) -> None:
        """The outcome for one of the user's own files."""
        self._clear()
        print_report(load.file.name, report)

    def ready(self, platform: embedded.Platform) -> None:
        """The table, queries to paste, and the two lines."""
        self._clear()
        announce(platform.url, platform.key, platform.home, to_show(platform.home, self._files, platform.demo))
        show.message(f"Logs in {platform.log}. Ctrl-C ends it.")

    def _clear(self) -> None:
        self._shown.close()
        self._bar = None


def announce(url: str, key: str, home: Path, example: Example) -> None:
    """Where everything is, for people, and the two lines that programs read."""
    keep_url(opened(home), url)
    show.facts(
        {
            "gateway": url,
            "GraphiQL": f"{url}/graphql  (in a browser)",
            "REST": f"{url}/v1/imports/{{{'|'.join(Kind)}}}",
            "data": home,
        },
        title="Trellis is running",
    )
    show.line("\nQueries to paste")
    for name, query in queries(example):
        show.line(f"\n# {name}\n{query}")
    show.line("")
    show.line(f"GraphQL  {url}/graphql")
    show.line(f"API key  {key}")


def run(
    home: Home,
    port: Port = 8000,
    roster: File = None,
    attendance: File = None,
    closures: File = None,
    framework: File = None,
    forms: File = None,
    answers: File = None,
    programme: File = None,
    willingness: File = None,
    students: Annotated[
        int, typer.Option(min=0, help="Students of the demonstration district that an empty database gets; 0: none.")
    ] = DEMO_STUDENTS,
) -> None:
    """Run the whole platform on this machine until Ctrl-C; with files, load them first."""
    from deploy import embedded  # every service comes with it: a second that `trellis load` need not wait
    from shared import runtime

    given = {
        Kind.ROSTER: roster,
        Kind.ATTENDANCE: attendance,
        Kind.CLOSURES: closures,
        Kind.FRAMEWORK: framework,
        Kind.FORMS: forms,
        Kind.ANSWERS: answers,
        Kind.PROGRAMME: programme,
        Kind.WILLINGNESS: willingness,
    }
    files = [Load(kind, file) for kind, file in given.items() if file is not None]
    try:
        runtime.run_until_complete(embedded.run(embedded.Options(home, port, files, students), Terminal(home, files)))
    except embedded.CannotRun as why:
        show.message(str(why))
        raise typer.Exit(1) from why
