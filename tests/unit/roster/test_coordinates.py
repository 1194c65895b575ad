"""Swapped coordinates are found where they betray themselves, and only there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain.coordinates import Spot, distance_km, swapped

NEW_YORK, LONDON, PARIS = Spot(40.71, -74.01), Spot(51.51, -0.13), Spot(48.86, 2.35)


@pytest.mark.parametrize(
    "spot", [Spot(-122.4, 37.8), Spot(151.2, -33.9), Spot(-74.01, 40.71)], ids=["west", "east", "antarctic"]
)
def test_where_nobody_can_teach_is_swapped_when_the_exchange_can_be(spot: Spot) -> None:
    assert swapped([spot]) == [0]


@pytest.mark.parametrize("spot", [Spot(200, 37.8), Spot(95, -70), Spot(-75, -70)])
def test_what_the_exchange_does_not_mend_is_another_mistake(spot: Spot) -> None:
    assert swapped([spot]) == []


def test_far_from_the_others_and_near_them_when_exchanged_is_swapped() -> None:
    spots = [LONDON, Spot(51.4, -0.2), LONDON.turned, Spot(51.6, 0.1)]

    assert swapped(spots) == [2]


def test_far_from_the_others_either_way_is_where_it_is() -> None:
    assert swapped([LONDON, Spot(51.4, -0.2), NEW_YORK]) == []


def test_the_middle_is_that_of_the_schools() -> None:
    offices = [Spot(-0.1, 51.5, is_school=False)] * 5

    assert swapped([LONDON, LONDON, *offices]) == [2, 3, 4, 5, 6]


@given(st.lists(st.tuples(st.floats(40.5, 40.9), st.floats(-74.2, -73.7)), min_size=1, max_size=20), st.data())
def test_in_a_city_of_the_west_every_swapped_school_is_found_and_no_other(
    places: list[tuple[float, float]], data: st.DataObject
) -> None:
    wrong = data.draw(st.sets(st.integers(0, len(places) - 1)))

    spots = [Spot(*place).turned if at in wrong else Spot(*place) for at, place in enumerate(places)]

    assert swapped(spots) == sorted(wrong)


def test_the_distance_is_the_published_one() -> None:
    assert distance_km(LONDON, PARIS) == pytest.approx(344, abs=1)
