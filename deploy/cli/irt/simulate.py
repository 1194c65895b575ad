"""`trellis irt simulate-cat`: what a bank and rules are worth before anyone is tested."""

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deploy.cli import show
from deploy.cli.irt import output
from deploy.cli.irt.output import shown
from deploy.cli.irt.parameters import METRIC, ParameterFile
from deploy.cli.irt.pictures import simulate as pictures
from deploy.cli.refusal import refusing
from deploy.cli.report import Facts, Section, Table, Text, page
from services.assessment.domain.irt import kernels
from services.assessment.domain.irt.adaptive import Rules, Stop
from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.simulation import Simulated, simulate

Z = 1.959963984540054


def rules(
    *,
    se: float | None,
    shortest: int,
    longest: int,
    content: tuple[str, ...] | None,
    shares: dict[str, float] | None,
    exposure: float | None,
    cuts: tuple[float, ...],
    decide: Literal["interval", "sprt"],
    confidence: float,
    prior: tuple[float, float],
) -> Rules:
    """The rules of the tests. Raises: Refused when they ask for what cannot be."""
    with refusing("The rules"):
        return Rules(
            se=se, shortest=shortest, longest=longest, content=content, shares=shares, exposure=exposure, cuts=cuts,
            decide=decide, confidence=confidence, prior=prior,
        )  # fmt: skip


def run(
    bank: ParameterFile, asked: Rules, students: int, seed: int, population: tuple[float, float],
    kernel: kernels.Name, *, examinees: bool, json: bool, out: Path | None, report: Path | None
) -> None:  # fmt: skip
    """Simulate, and write what came of it."""
    rng = np.random.default_rng(seed)
    true = population[0] + population[1] * rng.standard_normal(students)
    with show.progress() as bar, refusing(bank.path):
        bar.show(f"{students:,} students are tested")
        found = simulate(bank.items, true, asked, rng, kernel)
    made = as_json(bank, asked, true, found, seed, population, kernel)
    if examinees:
        made["examinees"] = _examinees(bank, true, found)
    if report is not None:
        report.write_text(_report(bank, asked, true, found, made), encoding="utf-8")
    output.write(made, json=json, out=out)
    if not json:
        show.facts(_facts(made), title=f"{students:,} adaptive tests from {len(bank.items)} items")


def as_json(
    bank: ParameterFile, asked: Rules, true: Floats, found: Simulated, seed: int, population: tuple[float, float],
    kernel: str
) -> dict[str, Any]:  # fmt: skip
    """What `--json` prints."""
    error = found.theta - true
    given = found.items[found.items >= 0]
    stops = np.bincount(found.stop, minlength=max(Stop) + 1)
    made: dict[str, Any] = {
        "metric": METRIC,
        "kernel": kernel,
        "bank": {"file": bank.path.name, "sha256": bank.sha256, "items": len(bank.items)},
        "students": len(true),
        "seed": seed,
        "population": {"mean": population[0], "sd": population[1]},
        "rules": {
            "se": asked.se,
            "min_items": asked.shortest,
            "max_items": asked.longest,
            "exposure": asked.exposure,
            "cuts": list(asked.cuts),
            "decide": asked.decide if asked.cuts else None,
            "prior": {"mean": asked.prior[0], "sd": asked.prior[1]},
        },
        "mean_items": found.length.mean(),
        "sd_items": found.length.std(),
        "fewest_items": int(found.length.min()),
        "most_items": int(found.length.max()),
        "rmse": np.sqrt((error**2).mean()),
        "bias": error.mean(),
        "mean_se": found.se.mean(),
        "coverage": (np.abs(error) <= Z * found.se).mean(),
        "correlation": np.corrcoef(true, found.theta)[0, 1] if len(true) > 1 and found.theta.std() > 0 else None,
        "stops": {stop.name.lower(): int(stops[stop]) for stop in Stop},
        "exposure": {
            "highest": found.exposure.max(),
            "mean": found.exposure.mean(),
            "unused_items": int((found.exposure == 0).sum()),
        },
        "content": _content(asked, given),
        "items": [
            {"item": name, "exposure": found.exposure[place]}
            | ({} if asked.content is None else {"content": asked.content[place]})
            for place, name in enumerate(bank.names)
        ],
    }
    if asked.cuts:
        really = np.searchsorted(np.array(asked.cuts), true, side="right")
        made["classified_correctly"] = (really == found.level).mean()
    return made


def _content(asked: Rules, given: "np.ndarray[Any, np.dtype[np.int32]]") -> list[dict[str, Any]] | None:
    """What part of all items given each area has, and what part it should have."""
    if asked.content is None:
        return None
    bank = Counter(asked.content)
    wanted = dict(asked.shares) if asked.shares is not None else {area: float(count) for area, count in bank.items()}
    whole = sum(wanted.values())
    had = Counter(asked.content[place] for place in given.tolist())
    return [
        {
            "content": area,
            "items": bank[area],
            "wanted": wanted.get(area, 0.0) / whole,
            "given": had[area] / len(given),
        }
        for area in bank
    ]


def _examinees(bank: ParameterFile, true: Floats, found: Simulated) -> list[dict[str, Any]]:
    return [
        {
            "true_theta": true[student],
            "theta": found.theta[student],
            "se": found.se[student],
            "stop": Stop(found.stop[student]).name.lower(),
            "items": [bank.names[place] for place in found.items[student, :length].tolist()],
            "scores": [
                bank.categories[place][score]
                for place, score in zip(
                    found.items[student, :length].tolist(), found.scores[student, :length].tolist(), strict=True
                )
            ],
        }
        for student, length in enumerate(found.length.tolist())
    ]


def _facts(made: dict[str, Any]) -> dict[str, object]:
    facts: dict[str, object] = {
        "items a test": f"{shown(made['mean_items'], 1)} (sd {shown(made['sd_items'], 1)}, "
        f"{made['fewest_items']} to {made['most_items']})",
        "RMSE": shown(made["rmse"]),
        "bias": shown(made["bias"]),
        "mean SE": shown(made["mean_se"]),
        "95 % coverage": shown(made["coverage"]),
        "stopped": ", ".join(f"{name} {count:,}" for name, count in made["stops"].items() if count),
        "highest exposure": shown(made["exposure"]["highest"]),
        "items never used": f"{made['exposure']['unused_items']:,} of {made['bank']['items']:,}",
    }
    if "classified_correctly" in made:
        facts["classified correctly"] = shown(made["classified_correctly"])
    return facts


def _report(bank: ParameterFile, asked: Rules, true: Floats, found: Simulated, made: dict[str, Any]) -> str:
    mean, sd = shown(made["population"]["mean"], 2), shown(made["population"]["sd"], 2)
    asked_for = Facts(
        {
            "Bank": f"{bank.path.name}, {len(bank.items)} items",
            "Students": f"{len(true):,}, N({mean}, {sd}²)",
            "Seed": made["seed"],
            "Stop at a standard error of": "–" if asked.se is None else shown(asked.se, 2),
            "Items": f"{asked.shortest} to {asked.longest}",
            "Largest exposure allowed": "–" if asked.exposure is None else shown(asked.exposure, 2),
            "Cuts": ", ".join(shown(cut, 2) for cut in asked.cuts) or "–",
        }
    )
    sections = [
        Section("Rules", [asked_for]),
        Section(
            "What came of them", [Facts(_facts(made)), pictures.accuracy(true, found), pictures.lengths(true, found)]
        ),
        Section("Use of the bank", [pictures.exposure(found.exposure, asked.exposure)]),
    ]
    if made["content"]:
        rows = [[one["content"], one["items"], shown(one["wanted"]), shown(one["given"])] for one in made["content"]]
        sections.append(Section("Content", [Table(("area", "items in the bank", "share wanted", "share given"), rows)]))
    sections.append(
        Section(
            "How to read this",
            [
                Text(
                    "Coverage is how often the true ability lies within 1.96 standard errors of the estimate. "
                    "Estimates are expected a posteriori, so they are drawn towards the prior's mean at the extremes."
                )
            ],
        )
    )
    return page("Adaptive test, simulated", sections, subtitle=bank.path.name)
