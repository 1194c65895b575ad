"""Calibration by mirt and girth: run in the peers' environment, which knows nothing of Trellis.

Arguments: an .npy of scores (students, items), the peer (`mirt`, `mirt.squarem`, `girth`) and the model (`2PL`, `3PL`,
`GRM`, `GPCM`). Prints a JSON line with the seconds, and slopes and thresholds where there is one threshold.
"""

import json
import sys
import time

import numpy as np


def by_mirt(scores: np.ndarray, model: str, accelerate: str) -> tuple[float, dict[str, np.ndarray]]:
    """mirt's default run: 21 nodes, standard errors, and for squarem its own acceleration."""
    import mirt

    mirt.fit_mirt(scores[:500], model=model, accelerate=accelerate)
    began = time.perf_counter()
    result = mirt.fit_mirt(scores, model=model, accelerate=accelerate)
    return time.perf_counter() - began, dict(result.model.parameters)


def by_girth(scores: np.ndarray, model: str) -> tuple[float, dict[str, np.ndarray]]:
    """girth's marginal maximum likelihood, without standard errors: it has none but by bootstrap."""
    import girth

    fit = {"2PL": girth.twopl_mml, "3PL": girth.threepl_mml, "GRM": girth.grm_mml}[model]
    began = time.perf_counter()
    found = fit(np.ascontiguousarray(scores.T))
    seconds = time.perf_counter() - began
    return seconds, {"discrimination": found["Discrimination"], "difficulty": found["Difficulty"]}


def main(path: str, peer: str, model: str) -> None:
    """Fit, and say how long that took."""
    scores = np.load(path).astype(int)
    if peer == "girth":
        seconds, found = by_girth(scores, model)
    else:
        seconds, found = by_mirt(scores, model, "squarem" if peer == "mirt.squarem" else "none")
    told: dict[str, object] = {"seconds": seconds, "a": np.asarray(found["discrimination"]).tolist()}
    told["b"] = np.asarray(found["difficulty"]).tolist() if model == "2PL" else []
    print(json.dumps(told))  # noqa: T201  # a script whose standard output is its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
