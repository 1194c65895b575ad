"""`trellis irt fit`: do students answer the items as their models say?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deploy.cli import show
from deploy.cli.irt import output
from deploy.cli.irt.files import ResponseFile
from deploy.cli.irt.output import shown
from deploy.cli.irt.parameters import ParameterFile
from deploy.cli.irt.pictures import fit as pictures
from deploy.cli.refusal import refusing
from deploy.cli.report import Facts, Section, Table, Text, page
from services.assessment.domain.irt import timing
from services.assessment.domain.irt.classical import classical
from services.assessment.domain.irt.fit import ItemFit, item_fit
from services.assessment.domain.irt.models import Parameters
from services.assessment.domain.irt.residuals import Latent, q3
from services.assessment.domain.irt.responses import Codes

LARGEST = 20
COLUMNS = ("item", "S-X²", "df", "p", "RMSEA", "infit", "outfit")


def run(
    file: ResponseFile, parameters: ParameterFile, elsewhere: bool, more: bool, *, json: bool, out: Path | None,
    report: Path | None
) -> None:  # fmt: skip
    """Compare, and write what was found."""
    items, answers = parameters.matched(file)
    with refusing(file.path):
        found = item_fit(
            answers.rows(),
            items,
            latent=Latent(parameters.mean, parameters.sd),
            names=file.items,
            estimated=[0] * len(items) if elsewhere else None,
        )
    made = as_json(file, found)
    if more:
        with refusing(file.path):
            made |= _more(answers, items, Latent(parameters.mean, parameters.sd))
    if report is not None:
        report.write_text(_report(file, parameters, answers, made), encoding="utf-8")
    output.write(made, json=json, out=out)
    if not json:
        output.table(f"Item fit, {file.size:,} students", COLUMNS, _rows(made))
        for one in made["items"]:
            if one["reason"]:
                show.message(one["reason"])
        if more:
            output.table(
                f"Classical statistics, α = {shown(made['alpha'])}",
                ("item", "difficulty", "discrimination", "α without"),
                [
                    [one["item"], *(shown(one[name]) for name in ("difficulty", "discrimination", "alpha_without"))]
                    for one in made["classical"]
                ],
            )
            output.table(
                "Pairs with the largest Q3",
                ("item", "with", "Q3"),
                [[one["item"], one["with"], shown(one["q3"])] for one in made["q3"]],
            )


def as_json(file: ResponseFile, found: ItemFit) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "students": file.size,
        "items": [
            {
                "item": name,
                "s_x2": found.s_x2[place],
                "df": int(found.df[place]),
                "p": found.p[place],
                "rmsea": found.rmsea[place],
                "infit": found.infit[place],
                "outfit": found.outfit[place],
                "z_infit": found.z_infit[place],
                "z_outfit": found.z_outfit[place],
                "students": int(found.students[place]),
                "reason": found.reasons[place],
            }
            for place, name in enumerate(file.items)
        ],
    }


def _more(file: ResponseFile, items: Sequence[Parameters], latent: Latent) -> dict[str, Any]:
    """Classical statistics, the largest Q3 and, where there are times, rapid guesses."""
    codes = file.rows()
    plain = classical(codes, highest=np.array([len(item.b) for item in items]), names=file.items)
    left = q3(codes, items, latent=latent, names=file.items)
    first, second = np.triu_indices(len(items), 1)
    order = np.argsort(-np.nan_to_num(np.abs(left[first, second])), kind="stable")[:LARGEST]
    return {
        "classical": [
            {
                "item": name,
                "difficulty": plain.difficulty[place],
                "discrimination": plain.discrimination[place],
                "answered": int(plain.answered[place]),
                "alpha_without": plain.alpha_without[place],
            }
            for place, name in enumerate(file.items)
        ],
        "alpha": plain.alpha,
        "q3": [
            {"item": file.items[first[at]], "with": file.items[second[at]], "q3": left[first[at], second[at]]}
            for at in order.tolist()
        ],
        "rapid_guessing": _rapid(file, codes),
    }


def _rapid(file: ResponseFile, codes: Codes) -> dict[str, Any] | None:
    """Each item's threshold and share of rapid guesses; how many students' scores are to be read with caution."""
    seconds = file.times()
    if seconds is None:
        return None
    thresholds = timing.normative_thresholds(seconds, codes)
    found = timing.effort(seconds, codes, thresholds)
    answered = np.maximum((~np.isnan(seconds)).sum(axis=0), 1)
    shares = found.rapid.sum(axis=0) / answered
    return {
        "students_to_read_with_caution": int(found.cautioned.sum()),
        "items": [
            {"item": name, "threshold_seconds": thresholds[place], "rapid": shares[place]}
            for place, name in enumerate(file.items)
        ],
    }


def _rows(made: dict[str, Any]) -> list[list[object]]:
    return [
        [
            one["item"],
            shown(one["s_x2"]),
            one["df"],
            shown(one["p"], 4),
            shown(one["rmsea"]),
            shown(one["infit"]),
            shown(one["outfit"]),
        ]
        for one in made["items"]
    ]


def _report(file: ResponseFile, parameters: ParameterFile, answers: ResponseFile, made: dict[str, Any]) -> str:
    misfit = [one["item"] for one in made["items"] if one["p"] < 0.01]
    facts = Facts(
        {
            "File": file.path.name,
            "Parameters": parameters.path.name,
            "Students": f"{file.size:,}",
            "Items with p < .01": ", ".join(misfit) or "none",
        }
    )
    meaning = Text(
        "S-X² (Orlando & Thissen 2000) compares, among students of each total score, how many got each score with how "
        "many should have. Infit and outfit are mean squares, 1 where answers vary as the model says; above, answers "
        "are noisier than that, below, more regular."
    )
    return page(
        "Item fit",
        [
            Section("Summary", [facts, meaning]),
            Section("Mean squares", [pictures.mean_squares(made["items"])]),
            Section("Observed and expected", [pictures.observed(answers, parameters, made["items"])]),
            Section("Table", [Table(COLUMNS, _rows(made))]),
        ],
        subtitle=file.path.name,
    )
