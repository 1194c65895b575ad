"""Measure knowledge tracing: fits of the published files against pyBKT built from source, and updates a second.

    python -m tests.bench.trace --peers .venv-pybkt/bin/python --data ../shared/data/kt

A fit is everything from columns of responses to parameters with standard errors: with forgetting, from five starts. The
peer runs in this run, on the same responses, in its own environment. Compiling is outside the figures and beside them.
An AUC `.student-prior` is of the model that `trellis trace evaluate` has by default, with students' own priors, and its
seconds are those on top of the fit of the skills; an AUC without is of the skills alone, as the peer's is.
`.difficulty` says that items' difficulties were used.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from services.mastery.domain.tracing import compiled
from services.mastery.domain.tracing.evidence import Responses
from services.mastery.domain.tracing.fit import fit
from services.mastery.domain.tracing.items import difficulties
from services.mastery.domain.tracing.predict import predict, quality
from services.mastery.domain.tracing.skill import DEFAULT, Floats, Skills
from services.mastery.domain.tracing.students import fit_student_prior, predict_students
from services.mastery.domain.tracing.update import likelihoods
from tests.bench.figures import figure, machine, say
from tests.bench.knowledge import Rows, Split, assist09, assist2015, write

REPEATS = 3
STUDENTS, SKILLS, UPDATES = 10_000, 100, 10_000_000
T = TypeVar("T")

WARM = """
import time
begun = time.perf_counter()
import numpy as np
from services.mastery.domain.tracing.evidence import Responses
from services.mastery.domain.tracing.fit import fit
rng = np.random.default_rng(1)
n = 2_000
made = Responses(rng.integers(0, 100, n), rng.integers(0, 2, n), rng.integers(0, 2, n).astype(float), None,
                 np.zeros(n), np.empty((n, 0)))
fit(made, 2, rng=rng, kernel="numba")
print(time.perf_counter() - begun)
"""


def timed(work: Callable[[], T], repeats: int = REPEATS) -> tuple[float, T]:
    """Seconds of the fastest of some runs, and what the last gave."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        made = work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds), made


def responses_of(rows: Rows, names: np.ndarray, difficulty: Floats | None = None) -> Responses:
    """The rows with skills numbered by their place among `names`; one that is not there comes after the last."""
    place = np.minimum(np.searchsorted(names, rows.skill), len(names) - 1)
    skill = np.where(names[place] == rows.skill, place, len(names))
    none = np.zeros(len(rows))
    return Responses(
        rows.user, skill, rows.correct.astype(np.float64), None, none if difficulty is None else difficulty,
        np.empty((len(rows), 0)),
    )  # fmt: skip


def with_difficulty(split: Split, names: np.ndarray) -> tuple[Responses, Responses]:
    """Both parts with the difficulties of their items, all from the first part."""
    assert split.train.item is not None
    assert split.test.item is not None
    train, test = (responses_of(rows, names) for rows in (split.train, split.test))
    size = len(names) + 1
    pairs, pair = np.unique(split.train.item * size + train.skill, return_inverse=True)
    found = difficulties(pair, pairs % size, train.user, train.credit)
    asked = split.test.item * size + test.skill
    place = np.minimum(np.searchsorted(pairs, asked), len(pairs) - 1)
    of_test = np.where(pairs[place] == asked, found.of_item[place], 0.0)
    return responses_of(split.train, names, found.of_response), responses_of(split.test, names, of_test)


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds to fit the skills, and then the students' own priors; the AUC of predictions without and with those."""

    skills_seconds: float
    students_seconds: float
    plain: float
    students: float


def found_of(train: Responses, test: Responses, skills: int) -> Found:
    """Fit the one and predict the other."""
    seconds, found = timed(lambda: fit(train, skills, rng=np.random.default_rng(1), kernel="numba", starts=5))
    columns = Skills.of(found.parameters())
    more, student = timed(lambda: fit_student_prior(train, columns, found.covariates))
    made = (predict(test, columns, found.covariates), predict_students(test, columns, found.covariates, student))
    plain, own = (quality(test.credit, one.expected).auc for one in made)
    assert plain is not None
    assert own is not None
    return Found(seconds, more, plain, own)


def students(name: str, found: Found, against: str, other: float | None) -> None:
    """The lines of the model with students' own priors, which cost so many seconds more."""
    figure(f"trace.fit.{name}.student-prior", found.students_seconds, "s", "", None, higher_is_better=False)
    figure(f"trace.auc.{name}.student-prior", found.students, "AUC", against, other, higher_is_better=True)


def against_peer(split: Split, peers: Path | None) -> None:
    """Seconds and AUC of one file, and the peer's."""
    names = np.unique(split.train.skill)
    train, test = (responses_of(rows, names) for rows in (split.train, split.test))
    say(f"{split.name}: {len(train):,} responses, {len(names)} skills")
    found = found_of(train, test, len(names))
    theirs = peer(split, peers) if peers else None
    area = theirs["auc"] if theirs else None
    figure(
        f"trace.fit.{split.name}", found.skills_seconds, "s", "pyBKT in C++, same responses, forgetting, 5 starts",
        theirs["seconds"] if theirs else None, higher_is_better=False,
    )  # fmt: skip
    figure(f"trace.auc.{split.name}", found.plain, "AUC", "pyBKT in C++, the same model", area, higher_is_better=True)
    students(split.name, found, "pyBKT in C++, without students' own priors", area)


def peer(split: Split, python: Path) -> dict[str, float]:
    """What pyBKT takes and reaches."""
    with tempfile.TemporaryDirectory() as folder:
        files = [
            write(rows, Path(folder) / f"{part}.csv") for part, rows in (("train", split.train), ("test", split.test))
        ]
        done = subprocess.run(
            [python, str(Path(__file__).with_name("trace_peer.py")), *map(str, files)],
            check=True,
            capture_output=True,
            text=True,
        )
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def item_difficulty(split: Split) -> None:
    """What the items' difficulty adds."""
    names = np.unique(split.train.skill)
    found = found_of(*with_difficulty(split, names), len(names))
    name = f"{split.name}.difficulty"
    figure(f"trace.fit.{name}", found.skills_seconds, "s", "", None, higher_is_better=False)
    figure(f"trace.auc.{name}", found.plain, "AUC", "required", 0.75, higher_is_better=True)
    students(name, found, "required", 0.75)


def updates(students: int, count: int) -> None:
    """Updates a second on an array of students and skills, in random order and by student, one lane and all three."""
    rng = np.random.default_rng(1)
    skills = Skills.of([DEFAULT] * SKILLS)
    credit = np.array([0.0, 1.0])[:, np.newaxis]
    if_known, if_unknown = (
        np.ascontiguousarray(np.transpose(one, (2, 1, 0)))
        for one in likelihoods(credit, np.zeros((2, SKILLS)), skills.take(np.tile(np.arange(SKILLS), (2, 1))))
    )
    student = rng.integers(0, students, count).astype(np.uint32)
    skill = rng.integers(0, SKILLS, count).astype(np.uint16)
    right = rng.integers(0, 2, count).astype(np.uint8)
    for order, who in (("random", student), ("by-student", np.sort(student))):
        for lanes, name in ((1, ""), (3, ".with-bounds")):
            beliefs = np.tile(np.ascontiguousarray(skills.prior.T[np.newaxis, :, :lanes]), (students, 1, 1))
            tables = [np.ascontiguousarray(one[:, :, :lanes]) for one in (if_known, if_unknown)]
            moves = [np.ascontiguousarray(one.T[:, :lanes]) for one in (skills.learn, skills.forget)]
            compiled.updated(beliefs, who[:1], skill[:1], right[:1], *tables, *moves)
            seconds, _ = timed(lambda: compiled.updated(beliefs, who, skill, right, *tables, *moves))  # noqa: B023 - called at once
            figure(f"trace.update.{order}{name}", count / seconds / 1e6, "M/s", "", None, higher_is_better=True)


def warm_up() -> None:
    """How long compiling takes with nothing kept on disk, and until a fresh process has its first fit otherwise."""
    with tempfile.TemporaryDirectory() as cache:
        for name in ("trace.warm-up.compiling", "trace.warm-up.fresh-process"):
            done = subprocess.run(
                [sys.executable, "-c", WARM],
                check=True,
                capture_output=True,
                text=True,
                env={"NUMBA_CACHE_DIR": cache, "PATH": "/usr/bin:/bin"},
            )
            limit = 2.0 if name.endswith("process") else None
            figure(name, float(done.stdout), "s", "limit" if limit else "", limit, higher_is_better=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="pyBKT's Python; without it only our figures")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the published files")
    parser.add_argument("--only", choices=("assist09", "assist2015", "update", "warm-up"))
    parser.add_argument("--updates", type=int, default=UPDATES)
    asked = parser.parse_args()
    say(machine())
    if asked.only in (None, "warm-up"):
        warm_up()
    if asked.only in (None, "assist09"):
        small = np.arange(400)
        found_of(*[responses_of(Rows(small, small % 2, small // 2 % 2, None), np.arange(2))] * 2, 2)  # compiles
        split = assist09(asked.data)
        against_peer(split, asked.peers)
        item_difficulty(split)
    if asked.only in (None, "assist2015"):
        against_peer(assist2015(asked.data), asked.peers)
    if asked.only in (None, "update"):
        updates(STUDENTS, asked.updates)


if __name__ == "__main__":
    main()
