"""The choice as a flow in a network: the optimum where nothing but places and the number bind.

The other rules are left out, so its worth is a bound on every choice; a flow that keeps them too is the best of all.
"""

import numpy as np

from services.partnership.domain.candidates import Bools, Candidates, Floats, Integers
from services.partnership.domain.instance import Instance
from services.partnership.domain.optimum import Chosen, best, tie_unit, ties
from services.partnership.domain.rows import capacity_left, number_left, program

FLOW = "flow"


def choose(instance: Instance, found: Candidates) -> Chosen | None:
    """As `optimum.best`, with a flow first; it compiles its kernel, or reads it from the cache, when first called."""
    if not len(found):
        return best(instance, found)
    number = int(min(number_left(instance), len(found)))
    unit = tie_unit(instance, found)
    worth = found.weight * unit + ties(instance, found).astype(np.int64)
    chosen, reduced = flow(found.host, found.guest, worth, capacity_left(instance), number)
    if not program(instance, found).holds(chosen.astype(np.float64)):
        return best(instance, found)
    weight = int(found.weight[chosen].sum())
    return Chosen(chosen, weight, weight, FLOW, reduced / unit, float(worth[chosen].sum()) / unit)


def flow(host: Integers, guest: Integers, worth: Integers, places: Integers, number: int) -> tuple[Bools, Floats]:
    """The pairs of the largest total worth, at most `number`, that take no more than the places of each school.

    `host` and `guest` (pairs,) are positions in `places`; a school is a host or a guest. With the reduced costs: what
    the total loses at least when a pair is forced in, or (below zero) forced out.
    """
    from services.partnership.domain.compiled import largest_flow  # numba is for those who call it

    hosts, host_number = np.unique(host, return_inverse=True)
    guests, guest_number = np.unique(guest, return_inverse=True)
    chosen, reduced = largest_flow(host_number, guest_number, worth, places[hosts], places[guests], number)
    return chosen, reduced.astype(np.float64)
