"""Matching against HiGHS alone and OR-tools: 275 hosts, 1,600 guests, 8 areas, 32,000 pairs; JSON lines.

`matching.milp` is the choice under places, number, budget, equity, floors of areas and of a sector, certified within
1e-4; `matching.flow` the optimum where nothing but places bind; `matching.stable` deferred acceptance. Peers solve the
same programs, on one thread, in the same run. One that is stopped at its limit makes the ratio a lower bound.

    python -m tests.bench.matching --peers PYTHON [--seeds 10] [--limit 60] [--cp-sat 1]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from services.partnership.domain.flow import flow
from services.partnership.domain.optimum import choose
from services.partnership.domain.stable import deferred_acceptance
from tests.bench.figures import figure, machine, say
from tests.bench.matching_town import City, Network, city, network

GAP, MOST_SECONDS, MOST_FLOW_SECONDS, LEAST_TIMES, REPEATS = 1e-4, 3.0, 0.1, 8.0, 5
PEERS = Path(__file__).with_name("matching_peers.py")


class WrongAnswer(Exception):
    """A peer and we do not agree on the optimum; no figure is worth anything then."""


def peer(python: str, name: str, file: Path, limit: float) -> dict[str, Any]:
    """What a peer answers."""
    asked = [python, str(PEERS), name, str(file), "--limit", str(limit), "--gap", str(GAP)]
    answer = subprocess.run(asked, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def keep(folder: Path, one: City | Network) -> Path:
    """The program as a file for the peers."""
    file = folder / "program.npz"
    if isinstance(one, City):
        rules = one.rules
        np.savez(
            file, row=rules.row, column=rules.column, value=rules.value, lower=rules.lower, upper=rules.upper,
            worth=one.worth, weight=one.weight,
        )  # fmt: skip
    else:
        np.savez(file, host=one.host, guest=one.guest, weight=one.weight, places=one.places)
    return file


def milp(python: str, seeds: int, limit: float, cp_sat_seeds: int, folder: Path) -> None:
    """The choice under every rule."""
    ours, theirs, gaps, cp_sat, stopped = [], [], [], [], 0
    for seed in range(seeds):
        one = city(seed)
        begun = time.perf_counter()
        chosen = choose(one.rules, one.worth, one.weight, one.likely, GAP)
        ours.append(time.perf_counter() - begun)
        if chosen is None:
            raise WrongAnswer(f"seed {seed} has no choice")
        gaps.append(chosen.gap)
        file = keep(folder, one)
        direct = peer(python, "highs", file, limit)
        theirs.append(direct["seconds"])
        stopped += not direct["finished"]
        if direct["finished"] and abs(direct["worth"] - chosen.weight) > 2 * GAP * chosen.weight:
            raise WrongAnswer(f"seed {seed}: {chosen.weight} here and {direct['worth']} by HiGHS alone")
        say(f"seed {seed}: {ours[-1]:.2f} s, gap {chosen.gap:.1e} ({chosen.method}); HiGHS alone {theirs[-1]:.1f} s")
        if seed < cp_sat_seeds:
            other = peer(python, "cp-sat", file, limit)
            cp_sat.append((ours[-1], other["seconds"], other["finished"], other["worth"], chosen.weight))
    bound = f"; {stopped} stopped at {limit:g} s: a lower bound" if stopped else ""
    against = f"HiGHS alone, same gap, median of {seeds} seeds{bound}"
    figure("matching.milp", median(ours), "s", against, median(theirs), higher_is_better=False)
    figure("matching.milp.slowest", max(ours), "s", "at most", MOST_SECONDS, higher_is_better=False)
    least = min(other / mine for mine, other in zip(ours, theirs, strict=True))
    figure("matching.milp.least_ratio", least, "×", "at least", LEAST_TIMES, higher_is_better=True)
    figure("matching.milp.gap", max(gaps) / GAP, "1e-4", "at most", 1.0, higher_is_better=False)
    for mine, other, finished, worth, weight in cp_sat:
        short = "no choice" if worth is None else f"{1 - worth / weight:.2%} short of ours"
        end = "" if finished else f", stopped: a lower bound; {short}"
        figure("matching.milp.cp_sat", mine, "s", f"OR-tools CP-SAT{end}", other, higher_is_better=False)


def flows(python: str, seeds: int, limit: float, folder: Path) -> None:
    """Where nothing but places bind; the kernel is compiled, or read from its cache, before."""
    begun = time.perf_counter()
    solved(network(0))
    warm = time.perf_counter() - begun
    ours, theirs, linear = [], [], []
    for seed in range(seeds):
        one = network(seed)
        times = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            worth = solved(one)
            times.append(time.perf_counter() - begun)
        ours.append(median(times))
        file = keep(folder, one)
        own = [peer(python, "min-cost-flow", file, limit) for _ in range(3)]
        theirs.append(median(each["seconds"] for each in own))
        if own[0]["worth"] != worth:
            raise WrongAnswer(f"seed {seed}: {worth} here and {own[0]['worth']} by OR-tools")
        if seed == 0:
            linear.append(peer(python, "highs-linear", as_rows(folder, one), limit)["seconds"])
    figure("matching.flow", median(ours), "s", "OR-tools min-cost flow", median(theirs), higher_is_better=False)
    figure("matching.flow.slowest", max(ours), "s", "at most", MOST_FLOW_SECONDS, higher_is_better=False)
    figure("matching.flow.linear", ours[0], "s", "HiGHS, linear program", linear[0], higher_is_better=False)
    figure("matching.flow.warm_up", warm, "s", "compiling, or reading the cache", None, higher_is_better=False)


def solved(one: Network) -> int:
    """What the best flow weighs."""
    chosen, _ = flow(one.host, one.guest, one.weight, one.places, len(one.weight))
    return int(one.weight[chosen].sum())


def as_rows(folder: Path, one: Network) -> Path:
    """The network as a linear program."""
    file, every = folder / "linear.npz", np.arange(len(one.weight))
    size = len(one.places)
    np.savez(
        file, row=np.concatenate([one.host, one.guest]), column=np.tile(every, 2), value=np.ones(2 * len(every)),
        lower=np.full(size, -np.inf), upper=one.places.astype(np.float64), worth=one.weight.astype(np.float64),
    )  # fmt: skip
    return file


def stable(seeds: int) -> None:
    """Deferred acceptance, sorting included; beside it the plain twin."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(seeds + 1):
        one, chance = network(seed), np.random.default_rng(seed)
        by_host, by_guest = chance.permutation(len(one.weight)), np.argsort(np.argsort(-one.weight))
        for compiled, took in times.items():
            begun = time.perf_counter()
            deferred_acceptance(one.host, one.guest, by_host, by_guest, one.places, "guests", compiled=compiled)
            took.append(time.perf_counter() - begun)
    ours, plain = (median(took[1:]) for took in times.values())  # the first compiles
    figure("matching.stable", ours, "s", "the same in numpy", plain, higher_is_better=False)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--peers", required=True, help="the Python of the peers' environment")
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument("--limit", type=float, default=60.0, help="seconds for a peer")
    arguments.add_argument("--cp-sat", type=int, default=1, help="seeds that CP-SAT is tried on")
    asked = arguments.parse_args()
    say(machine())
    with tempfile.TemporaryDirectory() as folder:
        flows(asked.peers, asked.seeds, asked.limit, Path(folder))
        stable(asked.seeds)
        milp(asked.peers, asked.seeds, asked.limit, asked.cp_sat, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
