"""The page that tells what came of the cases."""

from collections import Counter
from datetime import datetime
from pathlib import Path

from tests.conformance.cases import Outcome

LEAST_SHARE = 0.6


def passes(outcomes: list[Outcome]) -> bool:
    """Nothing was violated, and reads mostly had something to tell."""
    return not any(one.violations or _is_thin(one) for one in outcomes)


def summary(outcomes: list[Outcome]) -> str:
    cases = sum(one.cases for one in outcomes)
    broken = sum(violation.count for one in outcomes for violation in one.violations.values())
    failed = sum(count for one in outcomes for status, count in one.statuses.items() if status >= 500)
    thin = sum(_is_thin(one) for one in outcomes)
    return (
        f"{len(outcomes)} operations, {cases:,} cases: {broken} violations, {failed} answers of 500 and above; "
        f"{thin} reads under {LEAST_SHARE:.0%}"
    )


def write(file: Path, outcomes: list[Outcome], *, seed: int, students: int, version: str, now: datetime) -> None:
    """Write the page."""
    lines = [
        "# OneRoster 1.2 as its official descriptions say it",
        "",
        f"`make conformance SEED={seed} CASES={sum(one.cases for one in outcomes)}` starts the platform with a "
        f"demonstration district of {students:,} students and a key with every scope. schemathesis {version} draws "
        "cases for every operation of the three official OpenAPI descriptions; most take identifiers, fields and "
        "filter values from the district, a seventh stay as the schemas alone allow. Checked are the answer's schema, "
        "headers and media type, that its status is documented, and that nothing answers 429, or 500 and above.",
        "",
        "OneRoster 1.1 has no official description: `tests/integration/oneroster/test_operations_11.py` asks its 61 "
        "operations, and holds what they answer against the published tables of its objects.",
        "",
        f"The last run ({now:%Y-%m-%d}):",
        "",
        f"**{summary(outcomes)}.**",
        "",
        "| operation | cases | answers | 200 with something in it | violations |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in outcomes:
        share = f"{one.share:.0%}" if one.method == "get" else ""
        broken = sum(violation.count for violation in one.violations.values())
        lines.append(
            f"| {one.method.upper()} `{one.service}{one.path}` | {one.cases} | {_answers(one.statuses)} | {share} "
            f"| {broken} |"
        )
    lines += violations(outcomes)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def violations(outcomes: list[Outcome]) -> list[str]:
    """Every violation, the first answer of its kind to be seen again."""
    if not any(one.violations for one in outcomes):
        return []
    lines = ["", "## Violations"]
    for one in outcomes:
        for violation in one.violations.values():
            lines += [
                "",
                f"**{one.method.upper()} {one.service}{one.path}**, {violation.count} times: {violation.rule}",
                "",
                "```text",
                violation.told.strip(),
                "",
                violation.curl,
                "```",
            ]
    return lines


def _answers(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))


def _is_thin(outcome: Outcome) -> bool:
    return outcome.method == "get" and outcome.share < LEAST_SHARE
