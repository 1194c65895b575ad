"""Growth: how often it is claimed where there is none, and found where there is some."""

import argparse
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.growth import Growth, growth, mean_growth
from services.assessment.domain.irt.linking import IDENTITY, Link
from services.assessment.domain.irt.models import Floats, Model, Parameters, information, probabilities, warm
from tests.studies import table, write

LENGTHS = (20, 40, 60)
CHANGES = (0.0, 0.2, 0.4)
SE_A, SE_B = 0.03, 0.05
CLASS, SCHOOL, DISTRICT = 25, 100, 1000
LINKED = Link(1.0, 0.0, ((SE_A**2, 0.0), (0.0, SE_B**2)))
GRID = np.linspace(-12, 12, 1201)
FORMS = 24  # of every length
NODES = np.linspace(-6, 6, 61)


@dataclass(frozen=True)
class Form:
    """A form of 2PL items, with what turns a weighted score Σ a x into abilities.

    Under the 2PL that score says all there is to say: WLE solves Σ a x = Σ a P − J/2I, EAP is a table over it too.
    """

    items: tuple[Parameters, ...]
    score_at: Floats
    se_at: Floats

    def answers(self, theta: Floats, rng: np.random.Generator) -> Floats:
        """Weighted scores of students of these abilities."""
        score = np.zeros(len(theta))
        for item in self.items:
            score += item.a * (rng.random(len(theta)) < probabilities(item, theta)[1])
        return score

    def wle(self, score: Floats) -> tuple[Floats, Floats]:
        """Weighted likelihood estimates and 1/sqrt(I) there."""
        theta = np.interp(score, self.score_at, GRID)
        return theta, np.interp(theta, GRID, self.se_at)

    def eap(self, score: Floats) -> tuple[Floats, Floats]:
        """EAP and posterior sd under N(0, 1)."""
        wrong = np.sum([np.logaddexp(0.0, item.a * (NODES - item.b[0])) for item in self.items], axis=0)
        logs = score[:, np.newaxis] * NODES - (wrong + 0.5 * NODES**2)
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        mean = weights @ NODES
        return mean, np.sqrt((weights * (NODES - mean[:, np.newaxis]) ** 2).sum(axis=1))


@cache
def a_form(length: int, number: int) -> Form:
    """One of the forms of this length: slopes around 1.1, difficulties N(0, 1)."""
    rng = np.random.default_rng([length, number])
    drawn = zip(rng.lognormal(0.1, 0.25, length), rng.normal(0, 1, length), strict=True)
    items = tuple(Parameters(Model.TWO_PL, (float(b),), float(a)) for a, b in drawn)
    told = np.sum([information(item, GRID) for item in items], axis=0)
    drawn_in = np.sum([warm(item, GRID) for item in items], axis=0) / (2 * told)
    expected = np.sum([item.a * probabilities(item, GRID)[1] for item in items], axis=0)
    return Form(items, expected - drawn_in, 1 / np.sqrt(told))


@dataclass(frozen=True)
class Windows:
    """Two windows of the same students, `change` apart, and the link that was estimated between them."""

    theta: Floats
    before: Form
    after: Form
    score_before: Floats
    score_after: Floats


def windows(lengths: tuple[int, int], change: float, students: int, rng: np.random.Generator) -> Windows:
    """Abilities N(0, 1) before, everyone `change` more after; a form of its own in each window."""
    theta = rng.normal(size=students)
    first, second = rng.choice(FORMS, 2, replace=False)
    before, after = a_form(lengths[0], int(first)), a_form(lengths[1], int(second))
    return Windows(theta, before, after, before.answers(theta, rng), after.answers(theta + change, rng))


def a_link(error: bool, rng: np.random.Generator) -> Link:
    """A link whose truth is the identity, estimated with the stated errors."""
    if not error:
        return IDENTITY
    a, b = rng.normal(0, (SE_A, SE_B))
    return Link(1 + a, b, LINKED.covariance)


def students_claims(
    lengths: tuple[int, int], change: float, error: bool, replications: int, students: int, seed: int
) -> dict[str, tuple[float, float]]:
    """By estimator: part of students said to have grown, and to have fallen."""
    sums: dict[str, NDArray[np.float64]] = {}
    for replication in range(replications):
        rng = np.random.default_rng([seed, replication])
        seen = windows(lengths, change, students, rng)
        link = a_link(error, rng)
        exact = Link(link.A, link.B, IDENTITY.covariance)
        wle = (*seen.before.wle(seen.score_before), *seen.after.wle(seen.score_after))
        eap = (*seen.before.eap(seen.score_before), *seen.after.eap(seen.score_after))
        for name, found in (
            ("WLE", growth(*wle, link)),
            ("WLE, link taken as exact", growth(*wle, exact)),
            ("EAP as it is", growth(*eap, link)),
        ):
            said = np.array([(found.direction > 0).mean(), (found.direction < 0).mean()])
            sums[name] = sums.get(name, np.zeros(2)) + said / replications
    return {name: (float(said[0]), float(said[1])) for name, said in sums.items()}


def far_from_the_middle(lengths: tuple[int, int], replications: int, students: int, seed: int) -> tuple[float, float]:
    """Part of students beyond two standard deviations of whom a change is claimed where there is none: WLE, EAP."""
    claims, of = np.zeros(2), 0
    for replication in range(replications):
        rng = np.random.default_rng([seed, replication])
        seen = windows(lengths, 0.0, students, rng)
        far = np.abs(seen.theta) > 2
        for place, found in enumerate(_both(seen)):
            claims[place] += int((found.direction[far] != 0).sum())
        of += int(far.sum())
    return float(claims[0] / of), float(claims[1] / of)


def mean_found(length: int, replications: int, students: int, seed: int) -> tuple[float, float]:
    """Mean growth found where everyone grew by .4: WLE, EAP."""
    sums = np.zeros(2)
    for replication in range(replications):
        seen = windows((length, length), 0.4, students, np.random.default_rng([seed, replication]))
        sums += [found.growth.mean() / replications for found in _both(seen)]
    return float(sums[0]), float(sums[1])


def _both(seen: Windows) -> tuple[Growth, Growth]:
    """Growth of everyone by WLE and by EAP, the link exact."""
    wle = (*seen.before.wle(seen.score_before), *seen.after.wle(seen.score_after))
    eap = (*seen.before.eap(seen.score_before), *seen.after.eap(seen.score_after))
    return growth(*wle), growth(*eap)


def groups_claims(students: int, change: float, replications: int, seed: int) -> tuple[float, float]:
    """Part of groups (40 items each window) of which growth or loss is claimed: with linking error in SE, without."""
    with_error = without = 0.0
    for replication in range(replications):
        rng = np.random.default_rng([seed, students, replication])
        seen = windows((40, 40), change, students, rng)
        link = a_link(True, rng)
        wle = (*seen.before.wle(seen.score_before), *seen.after.wle(seen.score_after))
        found = mean_growth(*wle, link)
        with_error += abs(found.growth) > 1.96 * found.se
        without += abs(found.growth) > 1.96 * found.se_measurement
    return with_error / replications, without / replications


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--students", type=int, default=500)
    parser.add_argument("--groups", type=int, default=1000, help="groups of each size")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    write("growth", _page(asked.replications, asked.students, asked.groups, asked.seed))


def _page(replications: int, students: int, groups: int, seed: int) -> str:
    size = (replications, students, seed)
    wrong, power = [], []
    for error in (False, True):
        for length in LENGTHS:
            link = f"SE(A) {SE_A}, SE(B) {SE_B}" if error else "exact"
            none = students_claims((length, length), 0.0, error, *size)
            wrong.append([length, link, *(f"{100 * sum(said):.1f} %" for said in none.values())])
            some = [students_claims((length, length), change, error, *size)["WLE"] for change in CHANGES[1:]]
            power.append([length, link, *(f"{100 * grew:.1f} % / {100 * fell:.1f} %" for grew, fell in some)])
    uneven = students_claims((20, 60), 0.0, False, *size)
    wrong.append(["20, then 60", "exact", *(f"{100 * sum(said):.1f} %" for said in uneven.values())])
    pairs = {str(length): (length, length) for length in LENGTHS} | {"20, then 60": (20, 60)}
    far = [
        [name, *(f"{100 * part:.1f} %" for part in far_from_the_middle(lengths, *size))]
        for name, lengths in pairs.items()
    ]
    found = [[length, *(f"{mean:.3f}" for mean in mean_found(length, *size))] for length in LENGTHS]
    of_groups = []
    for number in (CLASS, SCHOOL, DISTRICT):
        told = [groups_claims(number, change, groups, seed) for change in (0.0, 0.1, 0.2, 0.4)]
        of_groups.append(
            [f"{number:,}", f"{100 * told[0][1]:.1f} %", *(f"{100 * with_error:.1f} %" for with_error, _ in told)]
        )
    names = list(uneven)
    return f"""# Growth claimed and growth missed

Written by `make study NAME=growth` (seed {seed}, {replications} pairs of {FORMS} forms, {students} students each).
Abilities are N(0, 1); both windows have forms of their own of 2PL items (slopes around 1.1, difficulties N(0, 1)).
Where the link has an error, its A and B are drawn anew for every pair of forms, with the standard errors that the link
reports. A claim is a change outside of 1.96 SE; the rule is that of [linking.md](../numbers/linking.md).

## Nobody changed: claims that are wrong

Part of the students of whom growth or loss is claimed. It should be 5 % at most.

{table(["items a window", "link", *names], wrong)}

Students beyond two standard deviations only, link exact:

{table(["items a window", "WLE", "EAP as it is"], far)}

Mean growth found where everyone grew by .4:

{table(["items a window", "WLE", "EAP as it is"], found)}

EAP is drawn to the mean of its prior: growth comes out too small, and where the second window measures better than the
first, students far from the middle seem to move outwards. So growth takes WLE (or ML). Of a single student the link's
error is a small part of all the error there is.

## Everyone grew: claims that are right

Part of the students said to have grown / to have fallen, WLE with the link's error in the standard error.

{table(["items a window", "link", *(f"{change} SD" for change in CHANGES[1:])], power)}

A single student's growth of .2 or .4 SD can hardly be seen with tests of this length: the honest answer for most is "no
measurable change".

## Groups: where the link's error decides

Mean growth of groups of students, 40 items a window, link with SE(A) {SE_A} and SE(B) {SE_B}; {groups:,} groups of each
size. The first column leaves the link's error out of the standard error: what would be claimed of groups in which
nobody changed.

{table(["students", "no change, link taken as exact", "no change", ".1 SD", ".2 SD", ".4 SD"], of_groups)}

Every student of a group is carried over by the same A and B, so the error does not average out: the larger the group,
the surer the wrong claim of whoever leaves it out.
"""


if __name__ == "__main__":
    main()
