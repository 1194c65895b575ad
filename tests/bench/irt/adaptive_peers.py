"""Adaptive tests by mirt and catsim: run in the peers' environment, which knows nothing of Trellis.

Reads an .npz with `slopes`, `difficulties`, `theta`; prints a JSON line for each peer.
"""

import json
import sys
import time

import numpy as np


def by_mirt(slopes: np.ndarray, difficulties: np.ndarray, theta: np.ndarray) -> dict[str, float]:
    """mirt's batch simulation, its Rust backend where it has one for this."""
    import mirt
    from mirt.cat import CATEngine

    model = mirt.TwoParameterLogistic(n_items=len(slopes))
    model.set_parameters(discrimination=slopes, difficulty=difficulties)
    model._is_fitted = True  # the peer has no public way to say that the parameters are known
    engine = CATEngine(model, stopping_rule="SE", se_threshold=0.3, n_quadpts=41, theta_bounds=(-6.0, 6.0), seed=1)
    engine.run_batch_simulation(theta[:20])
    began = time.perf_counter()
    results = engine.run_batch_simulation(theta)
    seconds = time.perf_counter() - began
    found = np.array([result.theta for result in results])
    return _told("mirt", theta, found, [result.n_items_administered for result in results], seconds)


def by_catsim(slopes: np.ndarray, difficulties: np.ndarray, theta: np.ndarray) -> dict[str, float]:
    """catsim's simulator, to the same standard error."""
    from catsim.estimation import NumericalSearchEstimator
    from catsim.initialization import FixedPointInitializer
    from catsim.item_bank import ItemBank
    from catsim.selection import MaxInfoSelector
    from catsim.simulation import Simulator
    from catsim.stopping import MinErrorStopper

    items = np.column_stack([slopes, difficulties, np.zeros(len(slopes)), np.ones(len(slopes))])
    simulator = Simulator(ItemBank(items), theta, seed=1)
    began = time.perf_counter()
    simulator.simulate(
        FixedPointInitializer(0.0), MaxInfoSelector(), NumericalSearchEstimator(), MinErrorStopper(0.3, max_items=60)
    )
    seconds = time.perf_counter() - began
    found = np.array([each[-1] for each in simulator.estimations])
    return _told("catsim", theta, found, [len(each) for each in simulator.administered_items], seconds)


def _told(
    peer: str, theta: np.ndarray, found: np.ndarray, lengths: list[int], seconds: float
) -> dict[str, float | str]:
    return {
        "peer": peer,
        "per_second": len(theta) / seconds,
        "items": float(np.mean(lengths)),
        "rmse": float(np.sqrt(np.mean((found - theta) ** 2))),
    }


def main() -> None:
    """Both peers; catsim, which is slow, on the first hundred."""
    given = np.load(sys.argv[1])
    for run, students in ((by_mirt, len(given["theta"])), (by_catsim, 100)):
        line = run(given["slopes"], given["difficulties"], given["theta"][:students])
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
