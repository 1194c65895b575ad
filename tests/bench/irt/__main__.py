"""`python -m tests.bench.irt --peers PYTHON [--students N] [--only a,b]`: measurement beside peers, as JSON lines."""

import argparse
from pathlib import Path

from tests.bench.figures import machine, say
from tests.bench.irt import adaptive, calibrate, scoring

GROUPS = ("scoring", "calibrate", "adaptive")


def main() -> None:
    """Run the benches that were asked for, all unless named."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--peers", type=Path, required=True, help="the Python of the peers' environment")
    asked.add_argument("--students", type=int, help="students instead of each bench's own number")
    asked.add_argument("--only", default=",".join(GROUPS), help=f"some of {', '.join(GROUPS)}, with commas between")
    given = asked.parse_args()
    chosen = given.only.split(",")
    unknown = sorted(set(chosen) - set(GROUPS))
    if unknown:
        asked.error(f"there is no bench {unknown[0]}; there are {', '.join(GROUPS)}")
    say(machine())
    benches = {"scoring": scoring.bench, "calibrate": calibrate.bench, "adaptive": adaptive.bench}
    for name in chosen:
        bench = benches[name]
        if given.students:
            bench(given.peers, given.students)
        else:
            bench(given.peers)


if __name__ == "__main__":
    main()
