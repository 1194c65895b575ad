"""Matchings: equal to a direct integer program and to brute force, what a small change does, what cannot be met.

python -m tests.studies.matching [--instances 500] [--tiny 500] [--towns 6] [--cities 10] [--seed 1]
"""

import argparse
import time
from dataclasses import replace
from statistics import median
from uuid import UUID

import numpy as np

from services.partnership.domain.candidates import candidates
from services.partnership.domain.flow import choose
from services.partnership.domain.instance import Instance, Pair, School, Willing
from services.partnership.domain.matching import solve
from services.partnership.domain.optimum import choose as choose_columns
from services.partnership.domain.programme import Balance
from services.partnership.domain.stable import deferred_acceptance
from tests.bench.matching_town import city
from tests.studies import table, write
from tests.unit.partnership.instances import school
from tests.unit.partnership.ruled import direct, ruled
from tests.unit.partnership.test_contradictions import KINDS, town
from tests.unit.partnership.test_stable import stable_choices, tiny

BONUSES = (0.0, 0.05, 0.2)
CHANGES = ("a host of 60 leaves", "results move by .02 SD", "results move by .1 SD", "one place more for one host")


def equal_to_direct(instances: int) -> tuple[int, int, int]:
    """How many programmes have a choice, how many do not, and how often we agree with the direct program."""
    feasible = equal = 0
    for seed in range(instances):
        instance = ruled(seed)
        outcome, expected = solve(instance), direct(instance)
        feasible += expected is not None
        equal += (outcome.weight if outcome.is_feasible else None) == expected
    return feasible, instances - feasible, equal


def equal_to_brute_force(tiny_ones: int) -> tuple[int, int, int]:
    """Instances with several stable matchings, all stable matchings, and how often both of ours are among them."""
    several = total = equal = 0
    for seed in range(tiny_ones):
        every = stable_choices(seed)
        several += len(every) > 1
        total += len(every)
        ours = [deferred_acceptance(*tiny(seed), side) for side in ("hosts", "guests")]
        equal += all(any((one == each).all() for each in every) for one in ours)
    return several, total, equal


def a_town(seed: int) -> Instance:
    """60 hosts, 150 guests, results of everybody, places from one to three, 80 partnerships, a sector's floor."""
    chance = np.random.default_rng(seed)
    at = chance.random((210, 2)) / 5
    schools = tuple(
        School(school(n), f"School {n}", "charter" if n % 4 == 0 else "district", 40.6 + at[n, 0], -74.0 + at[n, 1])
        for n in range(210)
    )
    willing = tuple(
        Willing(
            school(n), "m", "offers" if n < 60 else "seeks", int(chance.integers(1, 6)), int(chance.integers(1, 4)),
            float(np.clip(chance.normal(0.5, 0.15), 0.01, 0.99)),
        )
        for n in range(210)
    )  # fmt: skip
    return Instance(
        UUID(int=seed), (("m", "Mathematics"),), schools, willing, 80, 80, 15.0, (Balance("charter", 40, None),)
    ).ordered()


def pairs_of(instance: Instance) -> set[Pair]:
    """What is proposed."""
    found = candidates(instance)
    chosen = choose(instance, found)
    if chosen is None:
        raise SystemExit("a town of the study has no choice")
    return {
        (instance.willing[int(found.host[n])].school, instance.willing[int(found.guest[n])].school, "m")
        for n in np.flatnonzero(chosen.pairs)
    }


def changed(instance: Instance, what: str, chance: np.random.Generator) -> Instance:
    """The same with one of the small changes."""
    hosts = [each for each in instance.willing if each.role == "offers"]
    one = hosts[int(chance.integers(len(hosts)))]
    if what == CHANGES[0]:
        return replace(instance, willing=tuple(each for each in instance.willing if each is not one))
    if what == CHANGES[3]:
        more = replace(one, capacity=one.capacity + 1)
        return replace(instance, willing=tuple(more if each is one else each for each in instance.willing))
    by = 0.15 * (0.02 if what == CHANGES[1] else 0.1)
    moved = [float(np.clip((each.share or 0) + chance.normal(0, by), 0.01, 0.99)) for each in instance.willing]
    return replace(
        instance, willing=tuple(replace(each, share=new) for each, new in zip(instance.willing, moved, strict=True))
    )  # fmt: skip


def small_changes(towns: int, seed: int) -> list[list[str]]:
    """For each change, the pairs of 80 that are given up for others, by the bonus for what is proposed already."""
    rows = []
    for what in CHANGES:
        cells = [what]
        for bonus in BONUSES:
            lost = []
            for number in range(towns):
                first = a_town(number)
                before = pairs_of(first)
                after = changed(first, what, np.random.default_rng([seed, number]))
                after = replace(after, previous=tuple(sorted(before)), keep=bonus).ordered()
                lost.append(len(before - pairs_of(after)))
            cells.append(f"{np.mean(lost):.1f} ({max(lost)})")
        rows.append(cells)
    return rows


def cities(number: int) -> list[list[str]]:
    """The cities of the bench: time, gap and how."""
    rows = []
    for seed in range(number):
        one = city(seed)
        begun = time.process_time()
        chosen = choose_columns(one.rules, one.worth, one.weight, one.likely, 1e-4)
        took = time.process_time() - begun
        if chosen is None:
            raise SystemExit(f"city {seed} has no choice")
        rows.append([str(seed), f"{int(chosen.pairs.sum())}", f"{chosen.gap:.1e}", chosen.method, f"{took:.2f}"])
    return rows


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=500)
    parser.add_argument("--tiny", type=int, default=500)
    parser.add_argument("--towns", type=int, default=6)
    parser.add_argument("--cities", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    feasible, not_feasible, equal = equal_to_direct(asked.instances)
    several, stable_ones, stable_equal = equal_to_brute_force(asked.tiny)
    if equal != asked.instances or stable_equal != asked.tiny:
        raise SystemExit(f"equal: {equal} of {asked.instances} and {stable_equal} of {asked.tiny}")
    measured = cities(asked.cities)
    explained = []
    for kind, (rules, _) in KINDS.items():
        outcome = solve(town(**rules))  # type: ignore[arg-type]  # the fields of an instance by name
        explained.append([kind, outcome.explanation or ""])
    sums = [
        ["programmes with every rule, against a direct integer program over all pairs", asked.instances, equal,
         f"{feasible} have a choice, {not_feasible} have none"],
        ["tiny instances with any preferences, deferred acceptance for either side against all stable matchings",
         asked.tiny, stable_equal, f"{stable_ones} stable matchings; {several} have more than one"],
    ]  # fmt: skip
    seconds = median(float(row[-1]) for row in measured)
    write(
        "matching",
        f"""# Matchings: optimal, stable, steady, explained

Written by `make study NAME=matching` (seed {asked.seed}).

{table(["what", "tried", "equal", "of them"], sums)}

## Small changes

60 hosts, 150 guests, 80 pairs, {asked.towns} towns: how many of the 80 pairs give way to others after a change, on
average and (at most). `keep` is the bonus that a programme may give to what is proposed already.

{table(["change", *(f"keep {bonus:g}" for bonus in BONUSES)], small_changes(asked.towns, asked.seed))}

## Cities

275 hosts, 1,600 guests, 8 areas, 32,000 pairs, with every rule; an allowed gap of 1e-4. Median {seconds:.2f} s of one
processor.

{table(["seed", "pairs", "certified gap", "by", "processor seconds"], measured)}

## Programmes that cannot be met

{table(["kind", "what is said"], explained)}
""",
    )


if __name__ == "__main__":
    main()
