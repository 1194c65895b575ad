"""Exponentials and powers: right, and the same bits whatever company they are computed in."""

import math
from decimal import Context, Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.exact import exp, powers

_MANY_DIGITS = Context(prec=90)
times = st.integers(0, 5_000)


@given(power=st.floats(-20, 20))
def test_no_other_number_is_nearer_to_the_exponential(power: float) -> None:
    found = exp(power)

    truth = Decimal(power).exp(_MANY_DIGITS)
    off = abs(Decimal(found) - truth)
    assert off <= abs(Decimal(math.nextafter(found, math.inf)) - truth)
    assert off <= abs(Decimal(math.nextafter(found, 0)) - truth)


def test_nothing_has_the_exponential_one() -> None:
    assert exp(0.0) == exp(-0.0) == 1.0


@given(base=st.floats(0.3, 1), often=times)
def test_a_power_is_the_base_multiplied_by_itself(base: float, often: int) -> None:
    found = float(powers(np.array(base), np.array(often)))

    by_logarithm = math.exp(often * math.log(base))
    assert math.isclose(found, by_logarithm, rel_tol=1e-11, abs_tol=1e-300)


@given(base=st.floats(0, 1), often=st.lists(times, min_size=1, max_size=20))
def test_powers_in_company_have_the_bits_of_each_alone(base: float, often: list[int]) -> None:
    together = powers(np.array(base), np.array(often))

    alone = [powers(np.array([base]), np.array([one])) for one in often]
    assert together.tobytes() == b"".join(one.tobytes() for one in alone)


@given(base=st.floats(0, 1), often=times)
def test_plain_squaring_has_the_same_bits(base: float, often: int) -> None:
    found = float(powers(np.array(base), np.array(often)))

    plain, square = 1.0, base
    while often:
        if often % 2:
            plain *= square
        square *= square
        often //= 2
    assert found == plain
