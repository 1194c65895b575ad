"""Linking: whether A and B and their standard errors are right, and whether drift is found."""

import argparse
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from services.assessment.domain.irt.calibration import calibrate
from services.assessment.domain.irt.drift import anchor_drift, item_drift
from services.assessment.domain.irt.kernels import kernel
from services.assessment.domain.irt.linking import Covariance, Method, link
from services.assessment.domain.irt.models import Floats, Model, Parameters, probabilities
from services.assessment.domain.irt.responses import Responses
from tests.studies import table, write

MEAN, SD = 0.5, 1.2  # ability of those who took the second form; the first form's students are N(0, 1)
A, B = 1 / SD, -MEAN / SD
FORM = 30
DRIFT = 0.6


@dataclass(frozen=True)
class Case:
    """Two forms of 30 items, `anchors` of them in common, `students` each, all of one model."""

    model: Model
    anchors: int
    students: int


def a_bank(model: Model, items: int, rng: np.random.Generator) -> list[Parameters]:
    """Slopes around 1.2, difficulties N(0, 1); graded items have four categories."""
    made = []
    for _ in range(items):
        a, b = float(rng.lognormal(0.15, 0.25)), float(rng.normal())
        made.append(Parameters(model, (b,) if model is Model.TWO_PL else (b - 0.9, b, b + 0.9), a))
    return made


class Drawn(Counter[str]):
    """How many pairs of forms were drawn, and how many of them were `unsure`: calibrated without standard errors."""


def calibrated(
    bank: dict[str, Parameters], theta: Floats, rng: np.random.Generator
) -> tuple[dict[str, Parameters], Covariance | None]:
    """The form's items as calibrated from simulated answers, on a scale of their own, with their covariance.

    There is none where the information of the answers is not positive definite.
    """
    names = list(bank)
    codes = np.empty((len(theta), len(names)), dtype=np.uint8)
    for place, item in enumerate(bank.values()):
        below = np.cumsum(probabilities(item, theta), axis=0)[:-1]
        codes[:, place] = (rng.random(len(theta)) > below).sum(axis=0)
    made = calibrate(
        Responses(codes),
        [item.model for item in bank.values()],
        categories=[item.categories for item in bank.values()],
        kernel=kernel("compiled"),
    )
    free = tuple((None if each.item is None else names[each.item], each.name) for each in made.free)
    covariance = None if made.covariance is None else Covariance(free, made.covariance)
    return dict(zip(names, made.items, strict=True)), covariance


def forms(
    case: Case, drifted: int, rng: np.random.Generator, drawn: Drawn
) -> tuple[tuple[dict[str, Parameters], Covariance], tuple[dict[str, Parameters], Covariance]]:
    """Both calibrations; drawn anew, and counted, where one of them has no standard errors."""
    while True:
        (one, of_one), (other, of_other) = _forms(case, drifted, rng)
        drawn["all"] += 1
        if of_one is not None and of_other is not None:
            return (one, of_one), (other, of_other)
        drawn["unsure"] += 1


def _forms(
    case: Case, drifted: int, rng: np.random.Generator
) -> tuple[tuple[dict[str, Parameters], Covariance | None], tuple[dict[str, Parameters], Covariance | None]]:
    """The first `drifted` anchors are harder in the second form."""
    bank = a_bank(case.model, 2 * FORM - case.anchors, rng)
    first = {f"item{place:02}": item for place, item in enumerate(bank[:FORM])}
    second = {f"item{place:02}": bank[place] for place in [*range(case.anchors), *range(FORM, len(bank))]}
    for place in range(drifted):
        item = second[f"item{place:02}"]
        second[f"item{place:02}"] = replace(item, b=tuple(b + DRIFT for b in item.b))
    return (
        calibrated(first, rng.normal(size=case.students), rng),
        calibrated(second, rng.normal(MEAN, SD, case.students), rng),
    )


def recovered(case: Case, replications: int, seed: int, drawn: Drawn) -> list[list[object]]:
    """A line for each method: bias, spread over replications, mean standard error, coverage; of A, then of B."""
    found: dict[Method, list[tuple[float, ...]]] = {method: [] for method in Method}
    for replication in range(replications):
        rng = np.random.default_rng([seed, replication, case.students, case.anchors])
        (one, of_one), (other, of_other) = forms(case, 0, rng, drawn)
        for method in Method:
            made = link(one, other, method, of_one, of_other)
            found[method].append((made.A, made.B, made.se_A or 0.0, made.se_B or 0.0))
    lines = []
    for method, all_ in found.items():
        a, b, se_a, se_b = np.array(all_).T
        line: list[object] = [case.model.value, case.anchors, f"{case.students:,}", method.value]
        for value, truth, se in ((a, A, se_a), (b, B, se_b)):
            covered = float((np.abs(value - truth) <= 1.96 * se).mean())
            line.append(f"{value.mean() - truth:+.3f} / {value.std(ddof=1):.3f} / {se.mean():.3f} / {covered:.2f}")
        lines.append(line)
    return lines


def drift_found(case: Case, drifted: int, replications: int, seed: int, drawn: Drawn) -> list[object]:
    """How often drifting anchors leave and others stay; the error in B before and after; Wald's test likewise."""
    hit = false = wald_hit = wald_false = 0.0
    before, after = [], []
    for replication in range(replications):
        rng = np.random.default_rng([seed, 7, replication, case.students])
        (one, of_one), (other, of_other) = forms(case, drifted, rng, drawn)
        bad = {f"item{place:02}" for place in range(drifted)}
        screened = anchor_drift(one, other)
        gone = set(screened.removed)
        tested = item_drift(one, other, of_one, of_other, without=gone)
        said = {each.item for each in tested if each.p < 0.05}
        hit += len(gone & bad) / max(drifted, 1) / replications
        false += len(gone - bad) / (case.anchors - drifted) / replications
        wald_hit += len(said & bad) / max(drifted, 1) / replications
        wald_false += len(said - bad) / (case.anchors - drifted) / replications
        before.append(link(one, other).B - B)
        after.append(screened.link.B - B)
    shown = [f"{hit:.2f}", f"{wald_hit:.2f}"] if drifted else ["", ""]
    return [
        drifted,
        f"{case.students:,}",
        shown[0],
        f"{false:.3f}",
        shown[1],
        f"{wald_false:.3f}",
        *(f"{np.sqrt(np.mean(np.square(each))):.3f}" for each in (before, after)),
    ]


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    designs = ((Model.TWO_PL, 8), (Model.TWO_PL, 15), (Model.GRM, 15))
    cases = [Case(model, anchors, students) for model, anchors in designs for students in asked.sizes]
    drawn = Drawn()
    lines = [line for case in cases for line in recovered(case, asked.replications, asked.seed, drawn)]
    drift = [
        drift_found(Case(Model.TWO_PL, 15, students), drifted, asked.replications, asked.seed, drawn)
        for drifted in (0, 1, 3)
        for students in asked.sizes
    ]
    write("linking", _page(asked.replications, asked.seed, drawn, lines, drift))


def _page(replications: int, seed: int, drawn: Drawn, lines: list[list[object]], drift: list[list[object]]) -> str:
    heads = [
        "drifting",
        "students",
        "removed",
        "removed wrongly",
        "Wald, found",
        "Wald, wrongly",
        "B, all",
        "B, screened",
    ]
    return f"""# Links found again, and drift

Written by `make study NAME=linking` (seed {seed}, {replications} replications a line). Two forms of {FORM} items are
calibrated apart, from students N(0, 1) and N({MEAN}, {SD}²), so that A is {A:.3f} and B {B:.3f}; the rules are those of
[linking.md](../numbers/linking.md). Of {drawn["all"]:,} pairs, {drawn["unsure"]} were drawn anew: a
calibration of so few answers had no standard errors (its information is not positive definite, and it says so).

## Constants and their standard errors

Bias / standard deviation over replications / mean standard error / part of replications with the truth inside 1.96 SE.

{table(["model", "anchors", "students", "method", "A", "B"], lines)}

## Drift

15 anchors, 2PL, of which some are {DRIFT} logits harder in the second form. *Removed* by the screen; *Wald* at p < .05,
the link resting on what the screen left; then the error of B (root mean square) with all anchors and with those that
stayed.

{table(heads, drift)}
"""


if __name__ == "__main__":
    main()
