"""Where posteriors are evaluated: equally spaced nodes, each with the weight of a normal density."""

import numpy as np

from services.assessment.domain.irt.models import Floats

REACH, FAR = 6.0, 9.0
SHARP = 61
CUT = 1e-7
"""Most weight, of 1, that a posterior may have at the first or the last node."""


def equally_spaced(nodes: int, mean: float = 0.0, sd: float = 1.0, reach: float = 6.0) -> Floats:
    """An odd number of nodes from mean − reach·sd to mean + reach·sd, shape (nodes,), logits."""
    half = nodes // 2
    return np.asarray(mean + sd * reach * np.arange(-half, half + 1, dtype=np.float64) / half, dtype=np.float64)


def log_normal_weights(nodes: Floats, mean: float = 0.0, sd: float = 1.0) -> Floats:
    """Log of the nodes' weights, proportional to the normal density and of sum 1; shape (nodes,)."""
    away = (nodes - mean) / sd
    logs = -0.5 * away * away
    return np.asarray(logs - np.log(np.exp(logs).sum()), dtype=np.float64)


def fine_enough(information: float, least: int, mean: float = 0.0, sd: float = 1.0, times: int = 1) -> Floats:
    """Nodes for posteriors that no more information than this has sharpened: an odd number, at least `least`.

    Neighbours are no further apart than the smallest standard deviation 1/sqrt(information + 1/sd²): sums over equally
    spaced nodes are then exact to 1e-8 for a normal posterior (2 exp(−2π²) is the error's factor). They reach from
    mean − 6 sd to mean + 6 sd; where that takes more than 61 of them, 9 sd, for all right on a long test lies beyond 6.
    They reach as many `times` further, as close to each other, for whom they would cut off.
    """
    sharpness = sd * np.sqrt(information + 1 / sd**2)
    needed, reach = _odd(2 * REACH * sharpness), REACH
    if needed > SHARP:
        needed, reach = _odd(2 * FAR * sharpness), FAR
    half = max(least, needed) // 2
    return equally_spaced(2 * half * times + 1, mean, sd, reach * times)


def _odd(steps: float) -> int:
    """The smallest odd number of nodes with that many steps between them."""
    nodes = int(np.ceil(steps)) + 1
    return nodes + 1 - nodes % 2
