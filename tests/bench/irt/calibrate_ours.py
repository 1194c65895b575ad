"""Calibration by Trellis in a process of its own, so that its threads and its memory are its own.

Arguments: an .npy of scores (students, items), the acceleration and the model. Prints a JSON line with the seconds of
the warm-up and of the calibration with standard errors, the process's peak memory, slopes and thresholds.
"""

import json
import resource
import sys
import time
from typing import cast

import numpy as np

from services.assessment.domain.irt import Model, Responses
from services.assessment.domain.irt.calibration import Acceleration, Calibration, calibrate, prior
from services.assessment.domain.irt.kernels import kernel
from services.assessment.domain.irt.responses import Codes

WARM_UP = 2_000


def run(codes: Codes, acceleration: Acceleration, model: Model) -> Calibration:
    """The default calibration; a 3PL has a prior on c, as psychometricians give it."""
    categories = [int(each) + 1 for each in codes.max(axis=0)]
    priors = [prior("c:beta(5,17)")] if model is Model.THREE_PL else []
    return calibrate(
        Responses(codes),
        [model] * codes.shape[1],
        categories=categories,
        kernel=kernel("compiled"),
        acceleration=acceleration,
        priors=priors,
    )


def main(path: str, acceleration: Acceleration, model: Model) -> None:
    """Calibrate, and say how long that took."""
    codes = np.load(path)
    began = time.perf_counter()
    run(codes[:WARM_UP], acceleration, model)
    warm = time.perf_counter()
    made = run(codes, acceleration, model)
    told = {
        "warm_up": warm - began,
        "seconds": time.perf_counter() - warm,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "converged": made.converged and made.covariance is not None,
        "iterations": made.iterations,
        "a": [item.a for item in made.items],
        "b": [item.b[0] for item in made.items],
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], cast(Acceleration, sys.argv[2]), Model(sys.argv[3]))
