"""How many students are scored a second: by ours, mirt and girth, the same responses and parameters; one thread."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from services.assessment.domain.irt.ability import Estimates, eap, map_, wle
from services.assessment.domain.irt.kernels import kernel
from services.assessment.domain.irt.models import Floats, Model, Parameters
from services.assessment.domain.irt.packing import Bytes, pack
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Responses
from tests.bench.figures import figure, say

ITEMS = 40
NODES = 41
ROOT = Path(__file__).parents[3]
PEERS = Path(__file__).with_name("scoring_peers.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
EIGHT, THREE = 8.0, 3.0
FRESH = """
import time
began = time.perf_counter()
import numpy as np
from services.assessment.domain.irt import compiled, Model, Parameters, Responses
from services.assessment.domain.irt.ability import eap
eap(Responses(np.zeros((10, 8), np.uint8)), [Parameters(Model.TWO_PL, (0.0,))] * 8, kernel=compiled)
print(time.perf_counter() - began)
"""


def bench(peers: Path, students: int = 1_100_000, searched: int = 20_000, seed: int = 1) -> None:
    """Print students per second of EAP (complete, 10 % missing), MAP and WLE, and how soon a process is useful."""
    rng = np.random.default_rng(seed)
    slopes, thresholds = rng.lognormal(0.0, 0.3, ITEMS), rng.normal(0.0, 1.0, ITEMS)
    items = [Parameters(Model.TWO_PL, (float(b),), float(a)) for a, b in zip(slopes, thresholds, strict=True)]
    complete = _answers(slopes, thresholds, students, rng)
    holes = complete.copy()
    for start in range(0, students, 100_000):
        part = holes[start : start + 100_000]
        part[rng.random(part.shape, dtype=np.float32) < 0.1] = NOT_PRESENTED
    quick = kernel("compiled")
    bits = Bytes.from_bits(np.packbits(complete, axis=1), ITEMS)
    packed = pack(Responses(holes), [2] * ITEMS)
    began = time.perf_counter()
    eap(Bytes(bits.layout, bits.codes[:100]), items, kernel=quick, nodes=NODES)
    say(f"scoring: warm-up {time.perf_counter() - began:.2f} s, outside of the figures")
    many = Responses(complete[: 5 * searched])
    for search in (map_, wle):
        search(Responses(complete[:10]), items, kernel=quick)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        np.savez(path / "given.npz", slopes=slopes, thresholds=thresholds, searched=searched)
        np.save(path / "complete.npy", complete)
        np.save(path / "holes.npy", np.where(holes == NOT_PRESENTED, -1, holes.view(np.int8)).astype(np.int8))
        told = _told([str(peers), str(PEERS), folder])
    ours = {
        "eap": _rate(lambda: eap(bits, items, kernel=quick, nodes=NODES), students),
        "eap.missing10": _rate(lambda: eap(packed, items, kernel=quick, nodes=NODES), students),
        "eap.numpy": _rate(lambda: eap(bits, items, nodes=NODES), students, runs=1),
        "map": _rate(lambda: map_(many, items, kernel=quick), many.students),
        "wle": _rate(lambda: wle(many, items, kernel=quick), many.students),
    }
    name = f"irt.eap.{students // 1000}k"
    _figure(name, ours["eap"], "8 x mirt", EIGHT * told["mirt"]["eap"])
    _figure(name, ours["eap"], "girth", told["girth"]["eap"])
    _figure("irt.eap.missing10", ours["eap.missing10"], "3 x mirt", THREE * told["mirt"]["eap.missing10"])
    _figure("irt.eap.numpy", ours["eap.numpy"], "mirt", told["mirt"]["eap"])
    for method in ("map", "wle"):
        _figure(f"irt.{method}", ours[method], "mirt", told["mirt"][method])
    _figure("irt.map", ours["map"], "girth", told["girth"]["map"])
    fresh = float(_run([sys.executable, "-c", FRESH]))
    figure("irt.fresh", fresh, "s", "limit", 2.0, higher_is_better=False)


def _answers(slopes: Floats, thresholds: Floats, students: int, rng: np.random.Generator) -> Codes:
    theta = rng.normal(size=students).astype(np.float32)
    codes = np.empty((students, ITEMS), dtype=np.uint8)
    for item, (a, b) in enumerate(zip(slopes, thresholds, strict=True)):
        codes[:, item] = rng.random(students, dtype=np.float32) < 1 / (1 + np.exp(-a * (theta - b)))
    return codes


def _rate(work: Callable[[], Estimates], students: int, runs: int = 3) -> float:
    """Students per second of the quickest run."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return students / min(seconds)


def _figure(name: str, rate: float, against: str, other: float) -> None:
    figure(name, rate, "students/s", against, round(other, 1), higher_is_better=True)


def _told(command: list[str]) -> dict[str, dict[str, float]]:
    """What each peer says of itself, by peer and figure."""
    lines = [json.loads(line) for line in _run(command).splitlines() if line.startswith("{")]
    return {line["peer"]: line["rates"] for line in lines}


def _run(command: list[str]) -> str:
    # The commands are of our own making.
    ran = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=900, cwd=ROOT, env=os.environ | ONE_THREAD
    )
    return ran.stdout
