"""How long a calibration takes: ours with standard errors, mirt's as it comes and with SQUAREM, girth's.

Everybody has one thread.
The memory of 1.1 million students is the peak of a process that does nothing else.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from services.assessment.domain.irt.models import Floats, Model, Parameters, probabilities
from services.assessment.domain.irt.responses import Codes
from tests.bench.figures import figure, say

ITEMS = 40
LARGE = 1_100_000
MEGABYTES = 500
ROOT = Path(__file__).parents[3]
PEERS = Path(__file__).with_name("calibrate_peers.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
PATIENCE_SECONDS = 1800


def bench(peers: Path, students: int = 100_000, others: int = 20_000, large: int = LARGE, seed: int = 1) -> None:
    """Print seconds for the 2PL with every peer in the same run, other models with mirt, and the large one's memory."""
    rng = np.random.default_rng(seed)
    slopes, thresholds = rng.lognormal(0.0, 0.3, ITEMS), rng.normal(0.0, 1.0, ITEMS)
    size = f"{students // 1000}k"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.npy"
        items = [Parameters(Model.TWO_PL, (float(b),), float(a)) for a, b in zip(slopes, thresholds, strict=True)]
        np.save(path, answers(items, students, rng))
        by_mirt, by_girth = _peer(peers, path, "mirt", "2PL"), _peer(peers, path, "girth", "2PL")
        by_squarem = _peer(peers, path, "mirt.squarem", "2PL")
        ours, squarem = _ours(path, "newton", Model.TWO_PL), _ours(path, "squarem", Model.TWO_PL)
        for name, found in (("ours", ours), ("mirt", by_mirt), ("mirt squarem", by_squarem), ("girth", by_girth)):
            a, b = _rmse(found["a"], slopes), _rmse(found["b"], thresholds)
            say(f"calibrate {size}: {name} {found['seconds']:.2f} s, RMSE of a {a:.5f}, of b {b:.5f}")
        _seconds(f"irt.calibrate.{size}", ours, "mirt", by_mirt)
        _seconds(f"irt.calibrate.{size}", ours, "girth", by_girth)
        _seconds(f"irt.calibrate.{size}.squarem", squarem, "mirt squarem", by_squarem)
        for name, planted in (("a", slopes), ("b", thresholds)):
            own, other = _rmse(ours[name], planted), _rmse(by_mirt[name], planted)
            figure(f"irt.calibrate.{size}.rmse.{name}", own, "logits", "mirt", round(other, 5), higher_is_better=False)
        for model, asked in ((Model.THREE_PL, "3PL"), (Model.GRM, "GRM"), (Model.GPCM, "GPCM")):
            np.save(path, answers(_items_of(model, slopes, thresholds), others, rng))
            made = _ours(path, "newton", model)
            _seconds(f"irt.calibrate.{others // 1000}k.{model}", made, "mirt", _peer(peers, path, "mirt", asked))
        np.save(path, answers(items, large, rng))
        made = _ours(path, "newton", Model.TWO_PL)
        say(f"calibrate {large // 1000}k: {made['seconds']:.2f} s, {made['iterations']} iterations")
        name = f"irt.calibrate.{large // 1000}k"
        figure(name, made["megabytes"], "MB", "limit", MEGABYTES, higher_is_better=False)
        figure(f"{name}.seconds", made["seconds"], "s", "none", None, higher_is_better=False)


def answers(items: list[Parameters], students: int, rng: np.random.Generator) -> Codes:
    """A response of every student to every item; abilities N(0, 1)."""
    theta = rng.normal(size=students)
    made = np.empty((students, len(items)), dtype=np.uint8)
    for at, item in enumerate(items):
        below = np.cumsum(probabilities(item, theta), axis=0)[:-1]
        made[:, at] = (rng.random(students) > below).sum(axis=0)
    return made


def _items_of(model: Model, slopes: Floats, thresholds: Floats) -> list[Parameters]:
    apart = [0.0] if model is Model.THREE_PL else [-0.9, 0.0, 0.9]
    guessing = 0.2 if model is Model.THREE_PL else 0.0
    return [
        Parameters(model, tuple(0.5 * float(b) + each for each in apart), float(a), guessing)
        for a, b in zip(slopes, thresholds, strict=True)
    ]


def _seconds(name: str, ours: dict[str, Any], peer: str, theirs: dict[str, Any]) -> None:
    if not ours["converged"]:
        raise RuntimeError(f"{name} did not converge")
    say(f"{name}: warm-up {ours['warm_up']:.2f} s, outside of the figure; {ours['iterations']} iterations")
    figure(name, ours["seconds"], "s", peer, round(theirs["seconds"], 4), higher_is_better=False)


def _rmse(found: list[float], planted: Floats) -> float:
    return float(np.sqrt(np.mean((np.array(found) - planted) ** 2)))


def _ours(path: Path, acceleration: str, model: Model) -> dict[str, Any]:
    return _told([sys.executable, "-m", "tests.bench.irt.calibrate_ours", path, acceleration, model.value])


def _peer(peers: Path, path: Path, peer: str, model: str) -> dict[str, Any]:
    return _told([peers, PEERS, path, peer, model])


def _told(command: list[str | Path]) -> dict[str, Any]:
    # what is run is ours, and its arguments are paths and words of ours
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | ONE_THREAD,
        timeout=PATIENCE_SECONDS,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
