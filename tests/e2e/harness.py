"""A whole platform as a subprocess, and what the end-to-end tests ask of it."""

import asyncio
import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psutil

from deploy.cli.demo import AnswersFormat, DemoFiles, write_demo
from deploy.cli.door import Door, DoorError, Report, opened
from deploy.cli.load import Kind, Load, load
from deploy.home import opened as opened_home
from shared.auth import SCOPES
from tests.e2e.recompute import instant

READY_SECONDS = 120.0
STOP_SECONDS = 30.0
TRELLIS = [sys.executable, "-m", "deploy.cli"]
ROOT = Path(__file__).parents[2]

FIRST_CLASS = "CLS-0001-03-1-M"
"""The class of the first lines of every file that `write_demo` writes."""

CLASS_PAGE = """
query ClassPage($class: ID!, $after: String) {
  class(id: $class) {
    sourcedId
    students(first: 30, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes {
        sourcedId
        abilities {
          administration { sourcedId } form completedAt theta standardError rawScore maximum reason parameterVersion
        }
        mastery { competency { sourcedId } probability lower upper level evidenceCount lastEvidenceAt modelVersion }
      }
    }
  }
}
"""


@dataclass(slots=True)
class Platform:
    """A platform that runs in processes of its own."""

    mode: str
    home: Path
    url: str
    key: str
    process: subprocess.Popen[bytes] | None

    @property
    def operator_secret(self) -> str:
        return opened_home(self.home).secrets.operator_secret

    async def new_district(self, slug: str) -> str:
        """Makes a district; the key to all of it."""
        async with opened(self.url, self.operator_secret) as operator:
            await operator.post("/v1/districts", {"slug": slug, "name": slug})
        return await self.new_key(slug)

    async def new_key(self, district: str, **more: object) -> str:
        """Makes a key to a district, with every scope unless said otherwise."""
        body = {"district": district, "name": "e2e", "scopes": sorted(SCOPES), "purpose": "administration"}
        async with opened(self.url, self.operator_secret) as operator:
            made = await operator.post("/v1/keys", body | more)
        return str(made["key"])

    def processes(self) -> list[psutil.Process]:
        """Everything that was started, whoever is its parent by now."""
        if self.process is None:
            return []
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        return []

    def kill(self) -> None:
        """kill -9 of the whole process group."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> float:
        """Ctrl-C, or `down`; how many seconds it took."""
        begun = time.monotonic()
        if self.process is None:
            subprocess.run([*TRELLIS, "down", "--home", str(self.home)], check=True, cwd=ROOT, capture_output=True)
        elif self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return time.monotonic() - begun


def environment() -> dict[str, str]:
    """Without what a developer's shell may say about another platform."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TRELLIS_", "HOME_DIR"))}


def start(mode: str, home: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Platform:
    """Start a platform on a free port and wait for the two lines; `mode` is embedded or kafka."""
    home.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        home.chmod(0o711)
    out, err = home / "stdout.txt", home / "stderr.txt"
    command = ["run", "--students", "0"] if mode == "embedded" else ["up"]
    with out.open("wb") as said, err.open("wb") as complained:
        process = subprocess.Popen(
            [*TRELLIS, *command, "--port", "0", "--home", str(home), *arguments],
            cwd=ROOT,
            env=environment() | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=complained,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        found = dict(_two_lines(out.read_text()))
        if len(found) == 2 and (mode == "embedded" or process.poll() is not None):
            address = found["GraphQL"].removesuffix("/graphql")
            return Platform(mode, home, address, found["API key"], process if mode == "embedded" else None)
        if process.poll() not in (None, 0):
            break
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError(f"the platform did not start:\n{out.read_text()}\n{err.read_text()}")


def _two_lines(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines(keepends=True):
        for name in ("GraphQL", "API key"):
            if line.startswith(f"{name}  ") and line.endswith("\n"):
                yield name, line.removeprefix(name).strip()


@asynccontextmanager
async def district(platform: Platform, slug: str) -> AsyncIterator[Door]:
    """A door to a new district."""
    async with opened(platform.url, await platform.new_district(slug)) as door:
        yield door


def demo_as(form: AnswersFormat, folder: Path, students: int, seed: int) -> tuple[DemoFiles, Path]:
    """A demonstration district with its sheets in a format, and the same sheets as CSV."""
    as_csv = write_demo(folder / "csv", students, seed)
    if form is AnswersFormat.CSV:
        return as_csv, as_csv.answers
    return write_demo(folder / form.value, students, seed, answers_format=form), as_csv.answers


async def load_file(door: Door, kind: Kind, file: Path, *, keep_good: bool = False) -> Report:
    """The final report of one file."""
    return await load(door, Load(kind, file, keep_good), lambda *_: None)


async def load_all(door: Door, files: DemoFiles, answers: Iterable[Path] | None = None) -> None:
    """Load a district's files in the order in which they build on each other."""
    steps = [(Kind.ROSTER, files.roster), (Kind.FRAMEWORK, files.framework), (Kind.FORMS, files.forms)]
    steps += [(Kind.ANSWERS, path) for path in ([files.answers] if answers is None else answers)]
    for kind, path in steps:
        report = await load_file(door, kind, path)
        assert report["state"] == "applied", report


def roster_table(roster: Path, name: str) -> list[dict[str, str]]:
    """The rows of one file of a OneRoster zip."""
    with ZipFile(roster) as packed:
        return list(csv.DictReader(io.StringIO(packed.read(f"{name}.csv").decode())))


async def ask_class(door: Door, class_id: str) -> dict[str, dict[str, Any]]:
    """Attempts and mastery of a class's students by sourcedId, in the form of `recompute`; none for no such class."""
    told: dict[str, dict[str, Any]] = {}
    after: str | None = None
    while True:
        data = await _patiently(door, {"class": f"sourcedId:{class_id}", "after": after})
        if data["class"] is None:
            return told
        students = data["class"]["students"]
        told.update({node["sourcedId"]: _told(node) for node in students["nodes"]})
        if not students["pageInfo"]["hasNextPage"]:
            return told
        after = students["pageInfo"]["endCursor"]


async def _patiently(door: Door, variables: Mapping[str, object], tries: int = 10) -> dict[str, Any]:
    """Ask again when a service was too busy to answer in time: the deadline is short, and test machines are slow."""
    for left in reversed(range(tries)):
        try:
            return await door.graphql(CLASS_PAGE, variables)
        except DoorError as said:
            codes = {
                one.get("extensions", {}).get("code")
                for one in (said.body if isinstance(said.body, dict) else {}).get("errors", [])
            }
            if codes == {"NOT_FOUND"}:
                return {"class": None}
            if not left or not codes <= {"UNAVAILABLE", "LIMIT"}:
                raise
            await asyncio.sleep(1)
    raise AssertionError("unreachable")


async def ask_everything(door: Door, roster: Path) -> dict[str, dict[str, Any]]:
    """What `ask_class` says of every class of mathematics, and so of every student."""
    classes = [row["sourcedId"] for row in roster_table(roster, "classes") if row["sourcedId"].endswith("-M")]
    told: dict[str, dict[str, Any]] = {}
    at_once = asyncio.Semaphore(2)

    async def ask(class_id: str) -> None:
        async with at_once:
            told.update(await ask_class(door, class_id))

    async with asyncio.TaskGroup() as asking:
        for class_id in classes:
            asking.create_task(ask(class_id))
    return told


def _told(student: Mapping[str, Any]) -> dict[str, Any]:
    attempts = [
        {
            "administration": one["administration"]["sourcedId"],
            "form": one["form"],
            "completedAt": instant(one["completedAt"]),
            "rawScore": one["rawScore"],
            "maximum": one["maximum"],
            "theta": one["theta"],
            "standardError": one["standardError"],
            "reason": one["reason"],
        }
        for one in student["abilities"]
    ]
    mastery = {
        one["competency"]["sourcedId"]: {
            "probability": one["probability"],
            "lower": one["lower"],
            "upper": one["upper"],
            "level": one["level"],
            "evidenceCount": one["evidenceCount"],
            "lastEvidenceAt": instant(one["lastEvidenceAt"]),
        }
        for one in student["mastery"]
    }
    return {"attempts": attempts, "mastery": mastery}


def differences(told: Mapping[str, Any], expected: Mapping[str, Any], everyone: Iterable[str]) -> list[str]:
    """Where the platform says something else than the plain recomputation: nothing, if both are right."""
    found: list[str] = []
    for student in sorted(everyone):
        want = expected.get(student, {"attempts": [], "mastery": {}})
        have = told.get(student)
        if have is None:
            found.append(f"{student}: not told")
            continue
        if len(have["attempts"]) != len(want["attempts"]) or have["mastery"].keys() != want["mastery"].keys():
            counts = [len(x[part]) for x in (have, want) for part in ("attempts", "mastery")]
            found.append(
                f"{student}: {counts[0]} attempts and {counts[1]} competencies, not {counts[2]} and {counts[3]}"
            )
            continue
        for mine, right in zip(have["attempts"], want["attempts"], strict=True):
            found += [f"{student}: {name} {mine[name]} is not {right[name]}" for name in _unequal(mine, right, 1e-5)]
        for competency, right in want["mastery"].items():
            mine = have["mastery"][competency]
            found += [
                f"{student} {competency}: {name} {mine[name]} is not {right[name]}"
                for name in _unequal(mine, right, 1e-12)
            ]
    found += [f"{student}: told, but not in the roster" for student in sorted(set(told) - set(everyone))]
    return found


def _unequal(have: Mapping[str, Any], want: Mapping[str, Any], tolerance: float) -> list[str]:
    def same(name: str) -> bool:
        mine, right = have[name], want[name]
        if isinstance(right, float) and isinstance(mine, int | float):
            return abs(mine - right) <= tolerance
        return bool(mine == right)

    return [name for name in want if not same(name)]


def students_of(files: DemoFiles) -> set[str]:
    """The sourcedIds of every student in the roster."""
    return {row["userSourcedId"] for row in roster_table(files.roster, "roles") if row["role"] == "student"}


class Mortal:
    """An embedded platform that is killed, and started again on the same folder."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.running = start("embedded", home, environ=environ)

    def kill(self) -> None:
        """kill -9 of everything it consists of; nothing of it is left when this returns."""
        everything = self.running.processes()
        self.running.kill()
        gone, left = psutil.wait_procs(everything, timeout=30)
        assert not left, f"{len(gone)} processes ended, still there: {left}"

    def bury(self) -> None:
        """What is left of a platform that killed itself."""
        assert self.running.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.running.process.pid, signal.SIGKILL)

    def start_again(self, environ: Mapping[str, str] | None = None) -> None:
        self.running = start("embedded", self.running.home, environ={**self._environ, **(environ or {})})
