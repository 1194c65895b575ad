"""What a person sees: tables on stdout, progress on stderr, JSON for programs."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

err = Console(stderr=True)


def console() -> Console:
    """stdout; a pipe is as wide as it needs to be, so that nothing is cut off or wrapped."""
    return Console() if sys.stdout.isatty() else Console(width=240)


def as_json(value: object) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def line(text: str) -> None:
    """One line at the line's start, plain, whole and at once: programs read these."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def message(text: str) -> None:
    """A sentence for whoever watches, on one line: programs look for words in it."""
    err.print(Text(text), highlight=False, soft_wrap=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    """Rows of text; None is a dash."""
    drawn = Table(*columns, title=title, title_justify="left", title_style="bold", header_style="bold")
    for row in rows:
        drawn.add_row(*(Text("–" if cell is None else str(cell)) for cell in row))
    console().print(drawn)


def facts(rows: Mapping[str, object], title: str | None = None) -> None:
    """Names and values, without a frame."""
    drawn = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        drawn.add_row(Text(name, style="bold"), Text(str(value), overflow="fold"))
    out = console()
    if title:
        out.print(Text(title, style="bold green"))
    out.print(drawn)


class Bar:
    """One line of progress that changes its subject as the work goes on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._subject = ""

    def show(self, subject: str, done: int | None = None, total: int | None = None) -> None:
        """Now at `done` of `total` of this subject; an unknown total moves to and fro."""
        if self._task is None or subject != self._subject:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._subject = subject
            self._task = self._progress.add_task(subject, total=total)
        self._progress.update(self._task, completed=done or 0, total=total)


@contextmanager
def progress(*, counted: bool = False) -> Iterator[Bar]:
    """A progress line on stderr while the block runs; on a pipe nothing at all."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if counted else TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as drawn:
        yield Bar(drawn)
