"""`trellis irt dif`: is an item harder for one group than for its equals in another?"""

from pathlib import Path
from typing import Any

import numpy as np

from deploy.cli import show
from deploy.cli.irt import output
from deploy.cli.irt.files import ResponseFile
from deploy.cli.irt.output import shown
from deploy.cli.irt.pictures import dif as pictures
from deploy.cli.refusal import Refused, refusing
from deploy.cli.report import Facts, Section, Table, Text, page
from services.assessment.domain.irt import strata_plain
from services.assessment.domain.irt.dif import MantelHaenszel, mantel_haenszel
from services.assessment.domain.irt.strata import Counter

MANY = 50_000
COLUMNS = ("item", "delta", "se", "chi2", "p", "class")


def run(
    file: ResponseFile, focal: str, purify: bool, smallest_group: int, *, json: bool, out: Path | None,
    report: Path | None
) -> None:  # fmt: skip
    """Compare, and write what was found."""
    grouping = file.grouping
    assert grouping is not None
    if focal not in grouping.labels:
        labels = ", ".join(grouping.labels[:12])
        raise Refused(f"{file.path}: nobody is {focal!r} in column {grouping.column!r}; its values are {labels}.")
    grouped = grouping.codes >= 0
    is_focal = grouping.codes[grouped] == grouping.labels.index(focal)
    with refusing(file.path):
        found = mantel_haenszel(
            file.rows()[grouped],
            is_focal,
            purify=purify,
            names=file.items,
            counter=_counter(file.size),
            smallest_group=smallest_group,
        )
    made = as_json(file, focal, purify, is_focal, found)
    if left_out := made["left_out"]:
        show.message(f"Students without a group, left out: {left_out:,}.")
    if found.thin:
        show.message("The groups are small (below 100, or below 500 together): read the classes with care.")
    if not found.converged:
        show.message("Purification did not settle on one set of items.")
    if report is not None:
        report.write_text(_report(file, made), encoding="utf-8")
    output.write(made, json=json, out=out)
    if not json:
        output.table(f"{focal} (focal) and others (reference), by {grouping.column}", COLUMNS, _rows(made))


def _counter(students: int) -> Counter:
    """What counts: the compiled pass where there is much to count. The counts are the same whole numbers."""
    if students < MANY:
        return strata_plain.matched_counts
    from services.assessment.domain.irt import strata_compiled  # here only: a second that small files need not wait

    return strata_compiled.matched_counts


def as_json(
    file: ResponseFile, focal: str, purify: bool, is_focal: "np.ndarray[Any, np.dtype[np.bool_]]", found: MantelHaenszel
) -> dict[str, Any]:
    """What `--json` prints."""
    assert file.grouping is not None
    return {
        "method": "mh",
        "column": file.grouping.column,
        "focal": focal,
        "students": {"focal": int(is_focal.sum()), "reference": int((~is_focal).sum())},
        "left_out": file.size - len(is_focal),
        "purify": purify,
        "purified": [file.items[place] for place in found.purified],
        "rounds": found.rounds,
        "converged": found.converged,
        "items": [
            {
                "item": name,
                "delta": found.delta[place],
                "se": found.se[place],
                "chi2": found.chi2[place],
                "p": found.p[place],
                "class": found.classes[place],
                "smd": found.smd[place],
                "reason": found.reasons[place],
            }
            for place, name in enumerate(file.items)
        ],
    }


def _rows(made: dict[str, Any]) -> list[list[object]]:
    return [
        [one["item"], shown(one["delta"]), shown(one["se"]), shown(one["chi2"]), shown(one["p"], 4), one["class"]]
        for one in made["items"]
    ]


def _report(file: ResponseFile, made: dict[str, Any]) -> str:
    classes = [one["class"] for one in made["items"]]
    reasons = [Text(one["reason"]) for one in made["items"] if one["reason"]]
    summary = Facts(
        {
            "File": file.path.name,
            "Focal group": f"{made['focal']} ({made['students']['focal']:,} students)",
            "Reference group": f"all others ({made['students']['reference']:,} students)",
            "Items in class C, B, A": ", ".join(str(classes.count(one)) for one in "CBA"),
            "Left out of the matching score": ", ".join(made["purified"]) or "none",
        }
    )
    meaning = Text(
        "Delta is −2.35 times the logarithm of the Mantel-Haenszel odds ratio: negative when the item is harder for "
        "the focal group than for students of the reference group with the same score. Class A is negligible, B "
        "moderate, C large (Zieky 1993). A large difference is a reason to read the item, not a verdict on it."
    )
    return page(
        "Differential item functioning",
        [
            Section("Summary", [summary, meaning]),
            Section("Items by size of the difference", [pictures.deltas(made["items"], made["focal"])]),
            Section("Table", [Table(COLUMNS, _rows(made)), *reasons]),
        ],
        subtitle=f"{file.path.name}: {made['column']} {made['focal']} and all others",
    )
