"""Loading one file through the door, watched from the first byte until its effects can be read."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from deploy.cli import show
from deploy.cli.door import Door, Report

SHOWN_PROBLEMS = 50


class Kind(StrEnum):
    """The kinds of file a district sends, in the order in which they build on each other."""

    ROSTER = "roster"
    FRAMEWORK = "framework"
    FORMS = "forms"
    ANSWERS = "answers"
    PROGRAMME = "programme"
    WILLINGNESS = "willingness"


@dataclass(frozen=True, slots=True)
class Load:
    """A file to load."""

    kind: Kind
    file: Path
    keep_good: bool = False
    idempotency_key: str | None = None


class Progress(Protocol):
    """Hears how far the work on a subject is; an unknown total is None."""

    def __call__(self, subject: str, done: int | None = None, total: int | None = None) -> None:
        """Now at `done` of `total`."""


async def load(door: Door, what: Load, progress: Progress) -> Report:
    """Send a file, and wait until it is refused or everything that follows from it can be read: the final report."""
    size = what.file.stat().st_size
    name = f"{what.kind.value} {what.file.name}"
    sending = f"{name}: sending"
    progress(sending, 0, size)
    accepted = await door.send(
        what.kind,
        what.file,
        keep_good=what.keep_good,
        idempotency_key=what.idempotency_key,
        sent=lambda gone: progress(sending, gone, size),
    )

    def heard(report: Report) -> None:
        if report["state"] == "applied":
            progress(f"{name}: taking effect")
        else:
            progress(f"{name}: {report['state']}", report.get("done"), report.get("total") or None)

    return await door.wait(str(accepted["id"]), heard)


def print_report(what: Load, report: Report) -> None:
    """Counts, problems and repairs for a person."""
    counts = report["counts"]
    said = {"applied": "applied", "refused": "REFUSED, nothing was applied", "failed": "FAILED, nothing was applied"}
    row = [what.file.name, said.get(report["state"], report["state"]), *(counts[name] for name in _COUNTS)]
    show.table(["file", "state", *_COUNTS], [row])
    _findings("problem", report["problem_count"], report["problems"])
    _findings("repair", report["repair_count"], report["repairs"])
    if has_parked(report):
        parked = ", ".join(f"{count} in {service}" for service, count in report["effects"]["parked"].items())
        show.message(f"Facts were parked ({parked}): what follows from them is missing until they are driven again.")


def has_parked(report: Report) -> bool:
    """Whether a service could not take in something that followed from the file."""
    return bool(report["effects"]["parked"])


_COUNTS = ("added", "changed", "unchanged", "refused")
_COLUMNS = ("file", "line", "column", "value", "rule", "remedy")


def _findings(name: str, count: int, findings: list[dict[str, object]]) -> None:
    if count:
        rows = [[one[column] for column in _COLUMNS] for one in findings[:SHOWN_PROBLEMS]]
        more = f", the first {len(rows)} shown" if count > len(rows) else ""
        show.table(_COLUMNS, rows, title=f"{count:,} {name}{'s' if count > 1 else ''}{more}")
