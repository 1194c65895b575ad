"""Exponentials and powers that are the same bits on every machine.

The exponentials of mathematical libraries differ in the last bit from processor to processor, and so would what one
machine stores and another one replays. Decimal arithmetic is the same everywhere, and so are products (IEEE 754).
"""

from decimal import Context, Decimal
from functools import lru_cache

import numpy as np

from services.mastery.domain.tracing.skill import Floats, Ints

_DIGITS = Context(prec=40)


@lru_cache(maxsize=100_000)
def exp(power: float) -> float:
    """e to this power, correctly rounded."""
    return float(Decimal(power).exp(_DIGITS))


def powers(base: Floats, times: Ints) -> Floats:
    """Each base multiplied by itself so many times, elementwise; `base` broadcasts to `times`, which are at least 0.

    By squaring (Knuth, "The Art of Computer Programming" 2, 4.6.3, algorithm A), beginning at the lowest bit.
    """
    found = np.ones(times.shape)
    square = np.broadcast_to(base, times.shape)
    left = times
    while left.any():
        found = np.where(left & 1, found * square, found)
        square = square * square
        left = left >> 1
    return found
