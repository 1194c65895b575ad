"""Differential item functioning: how often it is found where it is, and claimed where it is not."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.assessment.domain.irt.dif import mantel_haenszel
from services.assessment.domain.irt.logistic import logistic_dif
from services.assessment.domain.irt.strata_compiled import matched_counts
from tests.studies import table, write

ITEMS, DIFFERENT = 30, 3
METHODS = ("MH", "MH purified", "logistic", "logistic purified")


@dataclass(frozen=True)
class Case:
    """Two groups of `students` each; the focal `impact` SD less able; `DIFFERENT` items changed for it.

    `logits` harder (uniform), or with `flatter` times the slope (non-uniform); slopes of 1 (Rasch) or spread (2PL).
    """

    students: int
    logits: float = 0.0
    impact: float = 0.0
    flatter: float = 1.0
    spread: float = 0.0

    @property
    def changed(self) -> np.ndarray:
        """Which items are changed."""
        return np.arange(ITEMS) < (DIFFERENT if self.logits or self.flatter != 1 else 0)


def answers(case: Case, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong (students, items) and who is focal."""
    focal = np.arange(2 * case.students) % 2 == 1
    theta = rng.normal(size=len(focal)) - case.impact * focal
    difficulty = np.tile(rng.normal(0, 1, ITEMS), (len(focal), 1))
    slope = np.tile(np.exp(case.spread * rng.normal(size=ITEMS)), (len(focal), 1))
    here = np.ix_(focal, case.changed)
    difficulty[here] += case.logits
    slope[here] *= case.flatter
    chance = 1 / (1 + np.exp(-slope * (theta[:, np.newaxis] - difficulty)))
    return (rng.random(chance.shape) < chance).astype(np.uint8), focal


def found(scores: np.ndarray, focal: np.ndarray) -> dict[str, tuple[np.ndarray, list[str]]]:
    """By method the p and the class of every item."""
    methods: dict[str, Callable[[], object]] = {
        "MH": lambda: mantel_haenszel(scores, focal, purify=False, counter=matched_counts),
        "MH purified": lambda: mantel_haenszel(scores, focal, purify=True, counter=matched_counts),
        "logistic": lambda: logistic_dif(scores, focal, purify=False, counter=matched_counts),
        "logistic purified": lambda: logistic_dif(scores, focal, purify=True, counter=matched_counts),
    }
    return {name: (made.p, [one or "A" for one in made.classes]) for name, make in methods.items() for made in [make()]}


def rates(case: Case, replications: int, seed: int) -> dict[str, dict[str, float]]:
    """By method: share of p < .05 and of classes B or C and C, among changed items and among the others."""
    sums = {name: dict.fromkeys(("power", "power C", "false", "false BC", "false C"), 0.0) for name in METHODS}
    changed = case.changed
    for replication in range(replications):
        rng = np.random.default_rng([seed, replication])
        scores, focal = answers(case, rng)
        for name, (p, classes) in found(scores, focal).items():
            of_class = np.array(classes)
            one = sums[name]
            if changed.any():
                one["power"] += float((p[changed] < 0.05).mean())
                one["power C"] += float((of_class[changed] == "C").mean())
            one["false"] += float((p[~changed] < 0.05).mean())
            one["false BC"] += float((of_class[~changed] != "A").mean())
            one["false C"] += float((of_class[~changed] == "C").mean())
    return {name: {key: value / replications for key, value in one.items()} for name, one in sums.items()}


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=30)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 250, 1000, 2500])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    write("dif", _page(asked.sizes, asked.replications, asked.seed))


def _rows(
    sizes: list[int], cases: list[tuple[str, Case]], shown: tuple[str, ...], replications: int, seed: int
) -> list[list[object]]:
    made: list[list[object]] = []
    for label, pattern in cases:
        for size in sizes:
            case = Case(size, pattern.logits, pattern.impact, pattern.flatter, pattern.spread)
            by_method = rates(case, replications, seed)
            made.append(
                [label, f"{size:,}", *(" / ".join(f"{by_method[name][key]:.2f}" for key in shown) for name in METHODS)]
            )
    return made


def _page(sizes: list[int], replications: int, seed: int) -> str:
    heads = ["", "students a group", *METHODS]
    none = [
        ("Rasch, no impact", Case(0)),
        ("Rasch, impact 0.5 SD", Case(0, impact=0.5)),
        ("Rasch, impact 1 SD", Case(0, impact=1.0)),
        ("2PL, no impact", Case(0, spread=0.3)),
        ("2PL, impact 0.5 SD", Case(0, impact=0.5, spread=0.3)),
        ("2PL, impact 1 SD", Case(0, impact=1.0, spread=0.3)),
    ]
    uniform = [
        (f"{logits} logits{', impact 0.5 SD' if impact else ''}", Case(0, logits=logits, impact=impact))
        for logits in (0.3, 0.5, 0.8)
        for impact in (0.0, 0.5)
    ]
    crossing = [("slope halved, no impact", Case(0, flatter=0.5))]
    nothing = _rows(sizes, none, ("false", "false BC", "false C"), replications, seed)
    power = _rows(sizes, uniform, ("power", "power C", "false"), replications, seed + 1)
    other = _rows(sizes, crossing, ("power", "power C", "false"), replications, seed + 2)
    return f"""# Differential item functioning found and claimed

Written by `make study NAME=dif` (seed {seed}, {replications} replications a line). Two groups of equal size answer
{ITEMS} items; difficulties N(0, 1), abilities N(0, 1) in the reference group; *impact* is how many standard deviations
the focal group is less able, which is no fault of any item. Methods and classes are those of
[dif.md](../numbers/dif.md); logistic classes are Jodoin & Gierl's.

## Where no item differs

Share of items with p < .05 / in class B or C / in class C. The first should be .05, the others as small as can be.

{table(heads, nothing)}

With Rasch items the total score says all there is of ability, so matching by it is exact and impact does no harm to
Mantel-Haenszel. When slopes differ it does not, and with impact more items are flagged as samples grow. The chance of a
right answer is not quite a logistic function of the score either, which with impact costs the regression more, and
purification by it then drops sound items and makes it worse. Significance alone is no ground for a verdict: that is
what the classes are for, and they hold.

## Where {DIFFERENT} of {ITEMS} items are harder for the focal group (Rasch)

Share found (p < .05) / in class C, of the items that differ; share of the other items with p < .05.

{table(heads, power)}

On the delta scale .3, .5 and .8 logits are −.71, −1.18 and −1.88: A, B and C. All against one group, the items that
differ shift the matching score; purification takes that back, which is seen in the last figure. The classes by R² are
coarser: .8 logits are hardly ever a C.

## Where {DIFFERENT} of {ITEMS} items discriminate less in the focal group (Rasch for the reference group)

The same figures. The odds ratio averages over scores and sees little of it; logistic regression tests it.

{table(heads, other)}
"""


if __name__ == "__main__":
    main()
