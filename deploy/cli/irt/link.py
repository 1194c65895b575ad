"""`trellis irt link`: one scale for forms that were calibrated apart."""

from pathlib import Path
from typing import Any

from deploy.cli import show
from deploy.cli.irt import output
from deploy.cli.irt.output import shown
from deploy.cli.irt.parameters import ParameterFile
from deploy.cli.irt.pictures import link as pictures
from deploy.cli.refusal import refusing
from deploy.cli.report import Facts, Section, Text, page
from services.assessment.domain.irt.linking import Link, Method, link


def run(
    from_: ParameterFile, to: ParameterFile, method: Method, symmetric: bool, without: list[str], *, json: bool,
    out: Path | None, report: Path | None
) -> None:  # fmt: skip
    """Link, and write what was found."""
    before, after = (dict(zip(one.names, one.items, strict=True)) for one in (from_, to))
    with refusing(f"{from_.path} and {to.path}"):
        found = link(
            before, after, method, from_.covariance, to.covariance, symmetric=symmetric, without=frozenset(without)
        )
    made = as_json(found)
    if found.se_A is None:
        show.message("No standard errors: they need the covariances of both calibrations.")
    if report is not None:
        report.write_text(_report(from_, to, found, made), encoding="utf-8")
    if found.published_se_A != found.se_A:
        show.message(
            f"By mean-sigma the standard error of A is {shown(found.se_A, 5)}; se has what is published, "
            f"{shown(found.published_se_A, 5)} (docs/numbers/linking.md)."
        )
    output.write(made, json=json, out=out)
    if not json:
        output.table(
            f"θ_TO = A θ_FROM + B, {method.value}, {len(found.common)} common items",
            ("", "value", "se"),
            [["A", shown(found.A, 5), shown(found.se_A, 5)], ["B", shown(found.B, 5), shown(found.se_B, 5)]],
        )


def as_json(found: Link) -> dict[str, Any]:
    """What `--json` prints."""
    assert found.method is not None
    return {
        "method": found.method.value,
        "A": found.A,
        "B": found.B,
        "se": {"A": found.published_se_A, "B": found.se_B},
        "se_exact": {"A": found.se_A, "B": found.se_B},
        "covariance": None if found.covariance is None else found.covariance[0][1],
        "common": list(found.common),
    }


def _report(from_: ParameterFile, to: ParameterFile, found: Link, made: dict[str, Any]) -> str:
    before, after = (dict(zip(one.names, one.items, strict=True)) for one in (from_, to))
    facts = Facts(
        {
            "From": from_.path.name,
            "To": to.path.name,
            "Method": made["method"],
            "A (standard error)": f"{shown(found.A, 5)} ({shown(found.se_A, 5)})",
            "B (standard error)": f"{shown(found.B, 5)} ({shown(found.se_B, 5)})",
            "Common items": len(found.common),
        }
    )
    meaning = Text(
        "θ_TO = A θ_FROM + B; an item moves by a/A and A b + B. Items far from the line have changed between the forms."
    )
    return page(
        "Linking",
        [
            Section("Constants", [facts, meaning]),
            Section("Common items", [pictures.common(before, after, found)]),
            Section("The two forms on one scale", [pictures.curves(before, after, found)]),
        ],
        subtitle=f"{from_.path.name} to {to.path.name}",
    )
