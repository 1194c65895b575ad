"""Runs `trellis irt …` on files made for a test."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.cli.main import _exit_code

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"


@dataclass(frozen=True)
class Run:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The object on stdout; nothing else may be there, and no NaN."""
        assert self.code == 0, self.err

        def no_constant(text: str) -> float:
            raise AssertionError(f"{text} is no JSON")

        found: dict[str, Any] = json.loads(self.out, parse_constant=no_constant)
        return found


Irt = Callable[..., Run]


@pytest.fixture
def irt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Irt:
    """A command line after `trellis irt`."""
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: object) -> Run:
        monkeypatch.setattr("sys.argv", ["trellis", "irt", *map(str, arguments)])
        code = _exit_code()
        said = capsys.readouterr()
        return Run(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def shared() -> Path:
    """Files that others published."""
    if not SHARED.exists():
        pytest.skip("the shared data are not here")
    return SHARED


@pytest.fixture
def lsat6(shared: Path, tmp_path: Path) -> Path:
    """LSAT section 6, a row per student, from the patterns and how often each came."""
    header, *lines = (shared / "irt" / "LSAT6_patterns_freq.csv").read_text().split()
    rows = [line.rpartition(",") for line in lines]
    file = tmp_path / "lsat6.csv"
    names = header.replace('"', "").rpartition(",")[0]
    file.write_text(names + "\n" + "".join(f"{scores}\n" * int(times) for scores, _, times in rows))
    return file


def two_parameter_answers(students: int, a: Sequence[float], b: Sequence[float], seed: int) -> "np.ndarray[Any, Any]":
    """Right and wrong answers of students from N(0, 1), (students, items)."""
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(students)
    chances = 1 / (1 + np.exp(-np.array(a) * (theta[:, np.newaxis] - np.array(b))))
    return (rng.random(chances.shape) < chances).astype(np.uint8)


def write_wide(file: Path, names: Sequence[str], scores: "np.ndarray[Any, Any]") -> Path:
    """Students × items; 255 is an empty cell."""
    cells = [["" if one == 255 else str(one) for one in row] for row in scores.tolist()]
    file.write_text("\n".join([",".join(names), *(",".join(row) for row in cells)]) + "\n")
    return file


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """400 students × 6 items."""
    scores = two_parameter_answers(400, [0.8, 1.0, 1.2, 1.4, 0.9, 1.1], [-1.5, -0.8, -0.2, 0.3, 0.9, 1.4], 1)
    return write_wide(tmp_path / "answers.csv", [f"i{item}" for item in range(1, 7)], scores)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Parameters of the items of `answers`."""
    file = tmp_path / "bank.json"
    pairs = zip([0.8, 1.0, 1.2, 1.4, 0.9, 1.1], [-1.5, -0.8, -0.2, 0.3, 0.9, 1.4], strict=True)
    items = [{"item": f"i{place}", "model": "2pl", "a": a, "b": b} for place, (a, b) in enumerate(pairs, start=1)]
    file.write_text(json.dumps({"latent": {"mean": 0, "sd": 1}, "items": items}))
    return file
