"""Parameter recovery: do the estimates find what was planted, and do their intervals cover it as often as they say?"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.assessment.domain.irt import NOT_PRESENTED, Codes, Model, Parameters, Responses
from services.assessment.domain.irt.calibration import Calibration, NotCalibratable, calibrate, prior
from services.assessment.domain.irt.kernels import kernel
from services.assessment.domain.irt.models import Floats, probabilities
from tests.studies import table, write

ITEMS = 20
PRIORS = ("a:normal(1.2,0.3)", "b:normal(0,1)", "c:beta(5,17)")
GROUPS = ((0.0, 1.0), (0.5, 1.2), (-0.5, 0.8), (1.0, 1.0))
SIZES = {500: 1.0, 2_000: 1.0, 10_000: 0.7, 100_000: 0.4}
"""Students, and replications in units of `--replications`."""
Items = Sequence[Parameters]


@dataclass(frozen=True)
class Design:
    """A way to draw items, what is asked of the calibration, and how many times the usual replications."""

    draw: Callable[[np.random.Generator], list[Parameters]]
    priors: Sequence[str] = ()
    groups: bool = False
    missing: float = 0.0
    least: int = 0
    times: float = 1.0


def slopes(rng: np.random.Generator) -> Floats:
    """Common slopes."""
    return rng.lognormal(0.1, 0.3, ITEMS)


def right_or_wrong(rng: np.random.Generator) -> list[Parameters]:
    """2-parameter items."""
    return [
        Parameters(Model.TWO_PL, (float(b),), float(a))
        for a, b in zip(slopes(rng), rng.normal(0, 1, ITEMS).clip(-2.5, 2.5), strict=True)
    ]


def guessed(rng: np.random.Generator) -> list[Parameters]:
    """3-parameter items, drawn from the priors of the calibration."""
    drawn = zip(rng.normal(1.2, 0.3, ITEMS), rng.normal(0, 1, ITEMS), rng.beta(5, 17, ITEMS), strict=True)
    return [Parameters(Model.THREE_PL, (float(b),), float(a), float(c)) for a, b, c in drawn]


def graded(rng: np.random.Generator) -> list[Parameters]:
    """Graded items of four scores."""
    middles = rng.normal(0, 0.6, ITEMS)
    return [
        Parameters(Model.GRM, (m - 1.0, m, m + 0.9), float(a))
        for a, m in zip(slopes(rng), middles.tolist(), strict=True)
    ]


def partial(rng: np.random.Generator) -> list[Parameters]:
    """Generalized partial credit items of four scores, steps out of order now and then."""
    steps = rng.normal(0, 0.5, ITEMS)[:, np.newaxis] + rng.normal(0, 0.4, (ITEMS, 3)) + [-0.7, 0.0, 0.7]
    return [
        Parameters(Model.GPCM, tuple(own), 0.8 * float(a)) for a, own in zip(slopes(rng), steps.tolist(), strict=True)
    ]


DESIGNS = {
    "2PL": Design(right_or_wrong),
    "3PL, priors": Design(guessed, priors=PRIORS, least=2_000, times=1.5),
    "GRM": Design(graded),
    "GPCM": Design(partial),
    "2PL, four groups": Design(right_or_wrong, groups=True, times=2.5),
    "2PL, 50 % missing by design": Design(right_or_wrong, missing=0.5),
}


@dataclass
class Found:
    """Errors and standard errors of every kind of parameter, over replications."""

    errors: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    standard: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    replications: int = 0
    refused: int = 0
    not_converged: int = 0
    seconds: float = 0.0

    def add(self, name: str, error: float, standard: float) -> None:
        """One estimate."""
        self.errors[name].append(error)
        self.standard[name].append(standard)


def answers(items: Items, theta: Floats, rng: np.random.Generator) -> Codes:
    """Responses of all to all, (students, items)."""
    made = np.empty((len(theta), len(items)), dtype=np.uint8)
    for at, item in enumerate(items):
        below = np.cumsum(probabilities(item, theta), axis=0)[:-1]
        made[:, at] = (rng.random(len(theta)) > below).sum(axis=0)
    return made


def forms(codes: Codes, part: float, rng: np.random.Generator) -> Codes:
    """Every student sees a part of the items, another one each: missing by design."""
    order = rng.random(codes.shape).argsort(axis=1)
    return np.where(order < part * codes.shape[1], NOT_PRESENTED, codes).astype(np.uint8)


def replicate(design: Design, students: int, rng: np.random.Generator, found: Found) -> None:
    """Draw, calibrate, compare."""
    items = design.draw(rng)
    group = np.arange(students) % len(GROUPS) if design.groups else np.zeros(students, dtype=np.int64)
    means, sds = np.array(GROUPS).T
    codes = answers(items, rng.normal(means[group], sds[group]), rng)
    if design.missing:
        codes = forms(codes, design.missing, rng)
    began = time.perf_counter()
    found.replications += 1
    try:
        made = calibrate(
            Responses(codes),
            [item.model for item in items],
            categories=[item.categories for item in items],
            kernel=kernel("compiled"),
            groups=np.array(["a", "b", "c", "d"])[group].tolist() if design.groups else None,
            priors=[prior(each) for each in design.priors],
        )
    except NotCalibratable:
        found.refused += 1
        return
    found.seconds += time.perf_counter() - began
    if not made.converged:
        found.not_converged += 1
        return
    for name, error, standard in compared(items, made):
        found.add(name, error, standard)


def compared(items: Items, made: Calibration) -> Iterator[tuple[str, float, float]]:
    """Kind of parameter, error and standard error, for everything that was estimated."""
    for at, (true, own) in enumerate(zip(items, made.items, strict=True)):
        errors = made.standard_errors(at)
        yield "a", own.a - true.a, errors["a"]
        for step, (b, planted) in enumerate(zip(own.b, true.b, strict=True)):
            yield "b", b - planted, errors["b" if len(own.b) == 1 else f"b{step + 1}"]
        if "c" in errors:
            yield "c", own.c - true.c, errors["c"]
    for at, (each, (mean, sd)) in enumerate(zip(made.groups, GROUPS, strict=False)):
        errors = made.group_errors(at)
        if errors:
            yield "mean", each.mean - mean, errors["mean"]
            yield "sd", each.sd - sd, errors["sd"]


def rows_of(name: str, students: int, found: Found) -> list[list[str]]:
    """A line of the table for each kind of parameter."""
    rows = []
    for kind, own in found.errors.items():
        errors, standard = np.array(own), np.array(found.standard[kind])
        rows.append(
            [
                name,
                f"{students:,}",
                kind,
                f"{len(errors):,}",
                f"{errors.mean():+.4f}",
                f"{np.sqrt((errors**2).mean()):.4f}",
                f"{np.sqrt((standard**2).mean()):.4f}",
                f"{(np.abs(errors) < 1.96 * standard).mean():.3f}",
            ]
        )
    return rows


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=60)
    parser.add_argument("--most", type=int, default=100_000, help="students at most")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--only", default="", help="designs whose name contains this")
    asked = parser.parse_args()
    rows, speeds, left_out, outside = [], [], [], []
    for place, (name, design) in enumerate(DESIGNS.items()):
        for students, share in SIZES.items():
            if students < design.least or students > asked.most or asked.only not in name:
                continue
            rng, found = np.random.default_rng([asked.seed, place, students]), Found()
            for _ in range(max(2, round(asked.replications * share * design.times))):
                replicate(design, students, rng, found)
            own = rows_of(name, students, found)
            rows += own
            outside += [row for row in own if not 0.93 <= float(row[-1]) <= 0.97]
            speeds.append([name, f"{students:,}", f"{found.replications}", f"{found.seconds / found.replications:.2f}"])
            if found.refused or found.not_converged:
                left_out.append(f"{name}, {students:,}: {found.refused} refused, {found.not_converged} not converged")
    write("recovery", _page(asked.seed, rows, speeds, left_out, outside))


def _page(
    seed: int, rows: list[list[str]], speeds: list[list[str]], left_out: list[str], outside: list[list[str]]
) -> str:
    held = "Every coverage is within .93 and .97."
    if outside:
        held = f"{len(outside)} of {len(rows)} coverages are outside .93–.97."
    groups = ", ".join(f"N({mean:g}, {sd:g}²)" for mean, sd in GROUPS)
    left = "Left out: " + "; ".join(left_out) + "." if left_out else "Every replication converged; none was refused."
    return f"""# Parameter recovery

Written by `make study NAME=recovery` (seed {seed}). {ITEMS} items, drawn anew in every replication: slopes
lognormal(.1, .3), thresholds about N(0, 1); four scores in GRM and GPCM. The items of the 3PL are drawn from its
priors, {", ".join(PRIORS)}. Four groups: {groups},
a quarter of the students each. Missing by design: every student sees another half of the items. Defaults of
`calibrate`; standard errors from the observed information.

*Bias* and *RMSE* of the estimates against what was planted; *SE* the root mean square of the standard errors, which
should be near the RMSE; *coverage* how often estimate ± 1.96 SE holds the planted value, over so many *intervals*.

{table(["design", "students", "parameter", "intervals", "bias", "RMSE", "SE", "coverage"], rows)}

{held} {left}

## Seconds for a calibration

With standard errors, compiled kernel, simulation left out; on a machine that others may have been using.

{table(["design", "students", "replications", "seconds"], speeds)}
"""


if __name__ == "__main__":
    main()
