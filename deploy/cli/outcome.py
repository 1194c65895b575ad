"""What came of an import, for a person, for a program, and as an exit code."""

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.cli import show
from deploy.cli.door import Report

ACCEPTED, WENT_WRONG, REFUSED, HELD = 0, 1, 2, 3
SHOWN_FINDINGS = 50
SHOWN_LINES = 5
SHOWN_VALUES = 3
SHOWN_SCHOOLS = 10

_COUNTS = ("added", "changed", "unchanged", "refused")
_WOULD = {"added": "would be added", "changed": "would be changed"}
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
    is_applied = report["state"] in ("applied", "undone")
    heads = [one if is_applied else _WOULD.get(one, one) for one in _COUNTS]
    show.table(["file", "state", *heads], [[name, said, *(counts[one] for one in _COUNTS)]])
    if report["state"] != "undone":
        _diff(_summary(report).get("diff") or {})
    _findings("problem", report["problem_count"], report["problems"])
    _findings("repair", report["repair_count"], report["repairs"])
    _findings("reason to ask first", report.get("hold_count", 0), report.get("holds", []), "reasons to ask first")
    _undone(_summary(report).get("undone") or {})
    if has_parked(report):
        parked = ", ".join(f"{count} in {service}" for service, count in report["effects"]["parked"].items())
        show.message(f"Facts were parked ({parked}): what follows from them is missing until they are driven again.")
    if failed := _summary(report).get("undo_failed"):
        show.message(f"It was to be undone, by {failed['by']}, which failed at {failed['at']}: it is as it was before.")
        show.message(f"Why: {failed['reason']}")
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


def _findings(name: str, count: int, findings: Sequence[Mapping[str, Any]], several: str | None = None) -> None:
    """Findings of the same kind share a row, so that a thousand alike hide no other."""
    if not count:
        return
    alike: dict[tuple[object, ...], list[Mapping[str, Any]]] = {}
    for one in findings:
        alike.setdefault((one["file"], one["column"], one["rule"], one["remedy"]), []).append(one)
    shown = list(alike.items())[:SHOWN_FINDINGS]
    told = sum(len(group) for _, group in shown)
    rows = [
        [file, _lines([one["line"] for one in group]), column, _values([one["value"] for one in group]), rule, remedy]
        for (file, column, rule, remedy), group in shown
    ]
    more = f", the first {told:,} shown" if count > told else ""
    show.table(_COLUMNS, rows, title=f"{count:,} {name if count == 1 else several or f'{name}s'}{more}")


def _lines(numbers: Sequence[int | None]) -> str | None:
    """Where they are: `3`, `3, 7–9`; and how many more there are."""
    spans: list[list[int]] = []
    for number in sorted({one for one in numbers if one is not None}):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    said = [str(first) if first == last else f"{first}–{last}" for first, last in spans[:SHOWN_LINES]]
    left = sum(last - first + 1 for first, last in spans[SHOWN_LINES:])
    return ", ".join(said + ([f"and {left:,} more"] if left else [])) or None


def _values(values: Sequence[object]) -> str | None:
    """What stood there: the first few, each once."""
    different = [str(one) for one in dict.fromkeys(values) if one is not None]
    return ", ".join(different[:SHOWN_VALUES] + (["…"] if len(different) > SHOWN_VALUES else [])) or None


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
