"""`python -m tests.conformance`: start a platform with a district, or take one that runs, and ask it all there is."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import schemathesis

from deploy.cli.demo import write_demo
from deploy.cli.door import opened
from tests.conformance import official, page
from tests.conformance.cases import Conformance, Outcome
from tests.conformance.district import District
from tests.e2e.harness import Platform, load_all, start

PAGE = Path(__file__).resolve().parents[2] / "docs" / "roster" / "conformance.md"


def main() -> int:
    told = _arguments()
    if not official.are_here(told.specs):
        _say(f"Left out: the official descriptions of OneRoster are not in {told.specs}")
        return 0
    with _platform(told) as (url, key):
        described = official.descriptions(told.specs, url)
        place = District(described, key, seed=told.seed)
        outcomes: list[Outcome] = []
        for one in Conformance(described, place, key, seed=told.seed).run(told.cases, told.only):
            outcomes.append(one)
            broken = sum(violation.count for violation in one.violations.values())
            share = f"{one.share:.0%}" if one.method == "get" else ""
            name = f"{one.method.upper()} {one.service}{one.path}"
            _say(f"{name:75} {one.cases:5} {share:5} {broken or '':5} {dict(sorted(one.statuses.items()))}")
            if told.refusals:
                for sentence, count in one.refusals.most_common():
                    _say(f"    {count:4} {sentence}")
        place.close()
    _say("\n".join(page.violations(outcomes)))
    _say(page.summary(outcomes))
    if told.page is not None:
        version, now = schemathesis.__version__, datetime.now(UTC)
        page.write(told.page, outcomes, seed=told.seed, students=told.students, version=version, now=now)
    return 0 if page.passes(outcomes) else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--specs", type=Path, default=official.FOLDER, help="where the official descriptions are")
    parser.add_argument("--cases", type=int, default=5_000, help="over all operations")
    parser.add_argument("--students", type=int, default=5_000, help="of the demonstration district")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="only operations with this in their name, e.g. 'GET rostering/terms'")
    parser.add_argument("--refusals", action="store_true", help="tell why the platform refused what it refused")
    parser.add_argument("--page", type=Path, help=f"write the page, e.g. {PAGE.name}")
    parser.add_argument("--url", help="a platform that runs, with --key")
    parser.add_argument("--key")
    return parser.parse_args()


@contextmanager
def _platform(told: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """A platform with a district, and a key to it with every scope."""
    if told.url is not None:
        yield told.url, told.key
        return
    with tempfile.TemporaryDirectory(prefix="trellis-conformance-") as folder:
        platform = start("embedded", Path(folder) / "home")
        try:
            yield platform.url, asyncio.run(_loaded(platform, Path(folder), told.students, told.seed))
        finally:
            platform.stop()


async def _loaded(platform: Platform, folder: Path, students: int, seed: int) -> str:
    files = await asyncio.to_thread(write_demo, folder / "files", students, seed)
    async with opened(platform.url, platform.key) as door:
        await load_all(door, files)
    return platform.key


if __name__ == "__main__":
    sys.exit(main())
