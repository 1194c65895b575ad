"""Scoring by mirt and girth: run in the peers' environment, which knows nothing of Trellis.

Reads given.npz, complete.npy and holes.npy (−1 missing) in a folder; prints a JSON line for each peer, students/s.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

GIRTH_STUDENTS = 20_000


def rate(work: Callable[[], object], students: int, runs: int = 3) -> float:
    """Students per second of the quickest run."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return students / min(seconds)


def by_mirt(slopes: np.ndarray, thresholds: np.ndarray, complete: np.ndarray, holes: np.ndarray, few: int) -> dict:
    """mirt with known parameters, 41 quadrature points as ours."""
    import mirt

    model = mirt.TwoParameterLogistic(n_items=len(slopes))
    model.set_parameters(discrimination=slopes, difficulty=thresholds)
    model._is_fitted = True  # the peer has no public way to say that the parameters are known

    def score(codes: np.ndarray, method: str) -> object:
        return mirt.fscores(model, codes, method=method, n_quadpts=41)

    score(complete[:100], "EAP")
    searched = complete[:few]
    return {
        "eap": rate(lambda: score(complete, "EAP"), len(complete)),
        "eap.missing10": rate(lambda: score(holes, "EAP"), len(holes)),
        "map": rate(lambda: score(searched, "MAP"), few, runs=1),
        "wle": rate(lambda: score(searched, "WLE"), few, runs=1),
    }


def by_girth(slopes: np.ndarray, thresholds: np.ndarray, complete: np.ndarray, few: int) -> dict:
    """girth, which wants items in rows and has neither missing responses nor WLE here."""
    from girth import ability_eap, ability_map

    some = np.ascontiguousarray(complete[: min(GIRTH_STUDENTS, few)].T)
    return {
        "eap": rate(lambda: ability_eap(some, thresholds, slopes), some.shape[1]),
        "map": rate(lambda: ability_map(some[:, :2000], thresholds, slopes), min(2000, some.shape[1]), runs=1),
    }


def main(folder: Path) -> None:
    """Measure both."""
    with np.load(folder / "given.npz") as given:
        slopes, thresholds, few = given["slopes"], given["thresholds"], int(given["searched"])
    complete, holes = np.load(folder / "complete.npy").astype(np.int64), np.load(folder / "holes.npy").astype(np.int64)
    for peer, rates in (
        ("mirt", by_mirt(slopes, thresholds, complete, holes, few)),
        ("girth", by_girth(slopes, thresholds, complete, few)),
    ):
        sys.stdout.write(json.dumps({"peer": peer, "rates": rates}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
