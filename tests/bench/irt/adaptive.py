"""How many adaptive tests a second: ours, mirt's and catsim's, from one bank to one standard error."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from services.assessment.domain.irt.adaptive import Rules
from services.assessment.domain.irt.models import Model, Parameters
from services.assessment.domain.irt.simulation import Simulated, simulate
from tests.bench.figures import figure, say

ITEMS = 300
SCRIPT = Path(__file__).with_name("adaptive_peers.py")


def bench(peers: Path, students: int = 100_000, mirt_students: int = 10_000, seed: int = 1) -> None:
    """Print examinees per second with each peer's in the same run, then without a peer what rules cost."""
    rng = np.random.default_rng(seed)
    slopes, difficulties = rng.uniform(0.5, 2, ITEMS), rng.normal(0, 1.5, ITEMS)
    theta = rng.normal(size=students)
    bank = [Parameters(Model.TWO_PL, (float(b),), float(a)) for a, b in zip(slopes, difficulties, strict=True)]
    areas = tuple(np.array(["number", "algebra", "geometry", "statistics"])[rng.integers(0, 4, ITEMS)].tolist())
    began = time.perf_counter()
    simulate(bank, theta[:10], Rules(), rng, "compiled")
    say(f"adaptive: warm-up {time.perf_counter() - began:.2f} s, outside of the figures")
    made, rate = _measured(bank, theta, Rules(), seed)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "bank.npz"
        np.savez(given, slopes=slopes, difficulties=difficulties, theta=theta[:mirt_students])
        # Both arguments are paths of ours.
        answered = subprocess.run([peers, SCRIPT, given], check=True, capture_output=True, text=True, timeout=600)
    _tell("ours", made, theta)
    for line in filter(None, answered.stdout.splitlines()):
        peer = json.loads(line)
        say(f"adaptive: {peer['peer']} {peer['items']:.1f} items, RMSE {peer['rmse']:.3f}")
        figure("irt.adaptive", rate, "examinees/s", peer["peer"], round(peer["per_second"], 1), higher_is_better=True)
    for name, rules in (
        ("exposure", Rules(exposure=0.25)),
        ("exposure.content", Rules(exposure=0.25, content=areas)),
    ):
        made, rate = _measured(bank, theta, rules, seed)
        _tell(name, made, theta)
        figure(f"irt.adaptive.{name}", rate, "examinees/s", "none", None, higher_is_better=True)


def _measured(bank: list[Parameters], theta: np.ndarray, rules: Rules, seed: int) -> tuple[Simulated, float]:
    began = time.perf_counter()
    made = simulate(bank, theta, rules, np.random.default_rng(seed), "compiled")
    return made, len(theta) / (time.perf_counter() - began)


def _tell(name: str, made: Simulated, theta: np.ndarray) -> None:
    rmse = float(np.sqrt(np.mean((made.theta - theta) ** 2)))
    say(f"adaptive: {name} {made.length.mean():.1f} items, RMSE {rmse:.3f}, highest rate {made.exposure.max():.3f}")
