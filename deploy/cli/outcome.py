"""What came of an import, for a person, for a program, and as an exit code."""

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.cli import show
from deploy.cli.door import Report

ACCEPTED, WENT_WRONG, REFUSED, HELD = 0, 1, 2, 3
SHOWN_FINDINGS = 50
SHOWN_SCHOOLS = 10

_COUNTS = ("added", "changed", "unchanged", "refused")
_CHANGES = ("added", "changed", "unchanged", "leaving")
_COLUMNS = ("file", "line", "column", "value", "rule", "remedy")
_SAID = {
    "refused": "REFUSED, nothing was applied",
    "failed": "FAILED, nothing was applied",
    "held": "HELD for approval, nothing was applied",
    "reported": "a dry run, nothing was applied",
    "expired": "EXPIRED, nothing was applied",
    "undone": "undone",
}


def exit_code(report: Report) -> int:
    """0 accepted, 2 refused, 3 held; a dry run says what would come of it. 1 is a mistake of ours."""
    if has_parked(report):
        return WENT_WRONG
    match report.get("verdict") or report["state"]:
        case "accepted" | "applied":
            return ACCEPTED
        case "refused":
            return REFUSED
        case "held":
            return HELD
        case "reported" if report["problem_count"] and not report.get("options", {}).get("keep_good"):
            return REFUSED
        case "reported":
            return HELD if report.get("hold_count") else ACCEPTED
    return WENT_WRONG


def has_parked(report: Report) -> bool:
    """Whether a service could not take in something that followed from the file."""
    return bool(report.get("effects", {}).get("parked"))


def as_json(report: Report) -> Report:
    """The report for a program: what differs from what was known stands in `diff`."""
    return {**report, "diff": _summary(report).get("diff")}


def print_report(name: str, report: Report) -> None:
    """Counts, what would change, what was found, and what can be done next."""
    counts = report["counts"]
    said = _SAID.get(report["state"], report["state"])
    show.table(["file", "state", *_COUNTS], [[name, said, *(counts[one] for one in _COUNTS)]])
    if report["state"] != "undone":
        _diff(_summary(report).get("diff") or {})
    _findings("problem", report["problem_count"], report["problems"])
    _findings("repair", report["repair_count"], report["repairs"])
    _findings("reason to ask first", report.get("hold_count", 0), report.get("holds", []), "reasons to ask first")
    _undone(_summary(report).get("undone") or {})
    if has_parked(report):
        parked = ", ".join(f"{count} in {service}" for service, count in report["effects"]["parked"].items())
        show.message(f"Facts were parked ({parked}): what follows from them is missing until they are driven again.")
    for sentence in _next(report):
        show.message(sentence)


def _summary(report: Report) -> Mapping[str, Any]:
    found: Mapping[str, Any] = report.get("summary") or {}
    return found


def _diff(diff: Mapping[str, Any]) -> None:
    types: Mapping[str, Mapping[str, int]] = diff.get("types") or {}
    if types:
        show.table(
            ["records", *_CHANGES],
            [[name, *(f"{one.get(change, 0):,}" for change in _CHANGES)] for name, one in types.items()],
            title="What the file says, beside what was known",
        )
    leaving = [one for one in diff.get("schools") or [] if any(_leaving(one))]
    leaving.sort(key=_leaving, reverse=True)
    if leaving:
        rows: list[list[object]] = [[one["school"], one.get("name"), *_leaving(one)] for one in leaving[:SHOWN_SCHOOLS]]
        more = f", the {len(rows)} with the most" if len(leaving) > len(rows) else ""
        columns = ["school", "name", "people named no more", "enrolments named no more"]
        show.table(columns, rows, title=f"Schools that somebody leaves{more}")


def _leaving(school: Mapping[str, Any]) -> tuple[int, int]:
    """People, and enrolments, that a school would lose."""
    people, enrolments = ((school.get(name) or {}).get("leaving", 0) for name in ("users", "enrollments"))
    return people, enrolments


def _undone(undone: Mapping[str, Any]) -> None:
    if undone:
        rows = [
            [name, f"{one.get('came_back', 0):,}", f"{one.get('changed_since', 0):,}"]
            for name, one in (undone.get("types") or {}).items()
        ]
        show.table(["records", "came back", "changed since, left as they are"], rows, title="Undone")


def _findings(name: str, count: int, findings: Sequence[Mapping[str, object]], several: str | None = None) -> None:
    if count:
        rows = [[one[column] for column in _COLUMNS] for one in findings[:SHOWN_FINDINGS]]
        more = f", the first {len(rows)} shown" if count > len(rows) else ""
        show.table(_COLUMNS, rows, title=f"{count:,} {name if count == 1 else several or f'{name}s'}{more}")


def _next(report: Report) -> list[str]:
    id_ = report["id"]
    match report["state"]:
        case "held":
            return [
                f"To apply it all the same: trellis roster approve {id_}",
                f"To give it up: trellis roster reject {id_}",
            ]
        case "reported" if exit_code(report) != REFUSED:
            return [f"To apply it: trellis roster apply {id_}"]
        case "applied" if str(report["kind"]) == "roster" and _ended(report):
            return [f"To bring back within 30 days what it ended: trellis roster undo {id_}"]
    return []


def _ended(report: Report) -> bool:
    types = (_summary(report).get("diff") or {}).get("types") or {}
    return any(one.get("leaving") for one in types.values())
